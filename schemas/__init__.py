"""What outsiders rely on: topics, values, reasons, metric names; it imports nothing else of Kairos."""
