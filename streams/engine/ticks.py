"""Time's passing, for partitions: a tick each so often, and a look every second at what only time can show."""

from __future__ import annotations

import asyncio
from itertools import count
from time import perf_counter

from streams.engine.custody import Custody
from streams.engine.metrics import Metrics
from streams.engine.partition import Partition

SETTLE_SECONDS = 1.0
STORE_LOOKS = 5
"""RocksDB is asked how it is at every so manieth look."""
FEEL_SECONDS = 0.25


async def tick(custody: Custody, seconds: float) -> None:
    """Every stateful partition gets a batch without records, busy or not; ticks that are missed are not made up for."""
    while True:
        await asyncio.sleep(seconds)
        custody.each(Partition.tick)


async def settle(custody: Custody) -> None:
    """Commit what is behind only by markers, tell metrics and log where all stand, and look for garbage where nothing happens."""
    metrics = custody.shared.metrics
    for look in count():
        await asyncio.sleep(SETTLE_SECONDS)
        custody.shared.garbage.between_looks()
        custody.shared.recovery.look()
        custody.each(Partition.settle)
        for (topic, partition), at in custody.progress().items():
            metrics.standing(topic, partition, at.lag_records, at.lag_seconds, max(0, at.restore_end - at.restore_offset))
        if look % STORE_LOOKS == 0:
            for partition in custody.partitions.values():
                if facts := partition.store_facts():
                    metrics.store(partition.topic, partition.number, facts)
            metrics.block_cache(custody.shared.memory.blocks.get_usage())


async def feel(metrics: Metrics) -> None:
    """Tell how much later than asked for the loop comes back: what holds it up holds up all partitions."""
    while True:
        asked = perf_counter() + FEEL_SECONDS
        await asyncio.sleep(FEEL_SECONDS)
        metrics.loop_lag(max(0.0, perf_counter() - asked))
