"""Keys go where Kafka's own producers send them."""

from __future__ import annotations

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.partitioner import partition_of


@given(st.binary(), st.integers(1, 100))
def test_partitions_agree_with_kafkas(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
