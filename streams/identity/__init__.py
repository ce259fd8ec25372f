"""Who is this? Identifiers, the evidence that links them, and the people that follow from it; customers' rows are moved unread."""
