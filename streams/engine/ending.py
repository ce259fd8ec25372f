"""What every way to end a batch has in common: it packs before it writes, and says what the broker has.

The rule: nothing is begun before everything is decided, encoded and found small enough.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from streams.engine.batch import Batch, Decision
from streams.engine.errors import EngineError
from streams.engine.failpoints import FailPoint
from streams.engine.overlay import Change
from streams.engine.partitioner import partition_of
from streams.engine.producer import Packed, Producer

PHASES = ("wait", "decide", "outputs", "changelog", "commit", "store")
"""wait: read, but the partition was busy. outputs, changelog: encode, pack, hand over. commit: acknowledgements, offset, commit. store: RocksDB and cache."""

Sent = list[asyncio.Future[Any]]
_PARTS = attrgetter("topic", "key", "value", "headers", "partition")


class Written(NamedTuple):
    """What the broker has: the changes, and the changelog offset behind the last of them (None if it is not known)."""

    changes: Sequence[Change]
    changelog_offset: int | None


class Ending(ABC):
    """The end of one batch. Before `begun` a failure has left no trace; once `committing`, it leaves open whether the batch is done."""

    def __init__(self, producer: Producer, failpoint: FailPoint, changelog: str | None, partitions: dict[str, int]) -> None:
        """`changelog` is the table's topic, None without a table; `partitions` remembers the counts of output topics."""
        self._producer = producer
        self._failpoint = failpoint
        self._changelog = changelog
        self._partitions = partitions
        self.begun = False
        self.committing = False
        self.work_seconds = 0.0
        """CPU that packing and encoding took."""
        self.seconds: dict[str, float] = {}

    @abstractmethod
    async def run(self, batch: Batch, decision: Decision) -> Written:
        """Write it all, or raise: RecordTooLarge before anything is begun, KafkaError with the producer no longer fit for use."""

    @abstractmethod
    async def settle(self, batch: Batch) -> None:
        """The local store has it. KafkaError where the input's offset could not be written."""

    async def _reach(self, name: str, sent: Sent) -> None:
        if sent and self._failpoint.armed(name):
            await asyncio.gather(*sent)
        self._failpoint.reach(name)

    async def _pack_outputs(self, decision: Decision) -> list[Packed]:
        by_target: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]]] = {}
        counts, prefix = self._partitions, self._producer.topic_prefix
        for topic, key, value, headers, partition in map(_PARTS, decision.send):
            if partition is None:
                if topic not in counts:
                    counts[topic] = await self._producer.partitions_of(prefix + topic)
                if key is None:
                    raise EngineError(f"an output for {topic} has neither key nor partition: where should it go?")
                partition = partition_of(key, counts[topic])
            target = by_target.get((topic, partition))
            if target is None:
                target = by_target[topic, partition] = []
            target.append((key, value, headers))
        return [self._producer.pack(prefix + topic, partition, rows) for (topic, partition), rows in by_target.items()]

    def _pack_rows(self, partition: int, changes: Sequence[Change]) -> Packed | None:
        if not changes:
            return None
        if self._changelog is None:
            raise EngineError("an agent without a table has put rows")
        return self._producer.pack_rows(self._changelog, partition, changes)


def offset_behind(last: asyncio.Future[Any] | None, rows: Packed | None) -> int | None:
    """The changelog's offset behind rows whose last record batch was acknowledged; None if there are none, or the broker no longer knows."""
    if last is None or rows is None:
        return None
    first = last.result().offset
    if first < 0:  # The broker had this batch already and no longer knows where.
        return None
    return int(first) + int(rows.builders[-1].record_count())
