"""Reads topics: records in bulk, from the beginning to the end or on and on; profiles as they change, the newest of each customer (Profiles)."""

from connectors.consumer.profiles import Change, Profiles
from connectors.consumer.reading import ReadFailed, Record, follow_topic, read_topic

__all__ = ["Change", "Profiles", "ReadFailed", "Record", "follow_topic", "read_topic"]
