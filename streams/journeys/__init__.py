"""What a business edits: journeys, segments, moments and the identity policy. Data only."""
