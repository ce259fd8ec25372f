"""Keys go where Kafka's own producers send them; one who sends them elsewhere is found out."""

import pytest

from streams.engine.partitioner import partition_of
from tests.laws import memory
from tests.simulation import mutations
from tests.simulation.history import scenario
from tests.simulation.run import run

HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""What Kafka's own test says of its hash."""


@pytest.mark.parametrize("key", HASHES)
def test_product_and_simulator_send_a_key_where_kafka_does(key: bytes) -> None:
    for partitions in (1, 4, 7, 64):
        wanted = (HASHES[key] & 0x7FFFFFFF) % partitions

        assert partition_of(key, partitions) == wanted
        assert memory.partition_of(key, partitions) == wanted


def test_a_producer_that_hashes_otherwise_is_caught() -> None:
    with mutations.applied("other_partitioner"):
        broken = [law for seed in range(1, 11) for law in run(scenario(seed)).broken]

    assert "rows lie where they belong" in broken
