"""Which partition a key belongs to: murmur2, exactly as Kafka's own producers have it."""

from __future__ import annotations

from murmurhash2 import murmurhash2

SEED = 0x9747B28C
POSITIVE = 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of `partitions`."""
    return int(murmurhash2(key, SEED) & POSITIVE) % partitions
