"""What every connector shares: the shape of a source, how readers are found, how files and instants are read."""
