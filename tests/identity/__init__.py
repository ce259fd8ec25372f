"""What identity does, one claim at a time; its laws over generated histories are in tests/laws."""
