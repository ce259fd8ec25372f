"""One operator of its own kind a file: its meaning, its ties, what it remembers and how it is explained, together."""
