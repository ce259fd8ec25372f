"""Time's passing, for partitions: a tick each so often, and a look every second at what only time can show."""

from __future__ import annotations

import asyncio

from streams.engine.custody import Custody
from streams.engine.partition import Partition

SETTLE_SECONDS = 1.0


async def tick(custody: Custody, seconds: float) -> None:
    """Every stateful partition gets a batch without records, busy or not; ticks that are missed are not made up for."""
    while True:
        await asyncio.sleep(seconds)
        custody.each(Partition.tick)


async def settle(custody: Custody) -> None:
    """Commit what is behind only by markers, tell metrics and log where all stand, and look for garbage where nothing happens."""
    while True:
        await asyncio.sleep(SETTLE_SECONDS)
        custody.shared.garbage.between_looks()
        custody.shared.recovery.look()
        custody.each(Partition.settle)
        for (topic, partition), progress in custody.progress().items():
            custody.shared.metrics.standing(topic, partition, progress.lag_records, max(0, progress.restore_end - progress.restore_offset))
