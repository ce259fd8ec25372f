"""Reads a topic in bulk: from its beginning to its end, or on and on."""

from connectors.consumer.reading import Record, follow_topic, read_topic

__all__ = ["Record", "follow_topic", "read_topic"]
