"""One customer: the timeline of interactions, folded into a state, and what that says."""
