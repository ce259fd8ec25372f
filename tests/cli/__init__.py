"""The command line, told by what it prints and how it ends."""
