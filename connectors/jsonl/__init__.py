"""JSON lines: one interaction a line, as the topic's value has it."""
