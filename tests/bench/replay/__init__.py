"""A replay's speed beside that of a live worker."""
