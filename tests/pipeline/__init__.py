"""The whole pipeline on a real broker: worker processes, topics, and what a subscriber reads of them."""
