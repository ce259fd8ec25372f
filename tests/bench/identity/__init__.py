"""What it costs to say who is who: the resolve step by the size of its component, and the whole identity agent."""
