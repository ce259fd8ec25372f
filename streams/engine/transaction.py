"""How a batch ends: one transaction with outputs, rows and the input's offset; then the local store.

The rule: nothing is begun before everything is decided, encoded and found small enough, and the local store hears of it only when Kafka has it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import attrgetter
from time import perf_counter, thread_time
from typing import Any, NamedTuple

from streams.engine.batch import Batch, Decision
from streams.engine.errors import EngineError
from streams.engine.failpoints import FailPoint
from streams.engine.overlay import Change
from streams.engine.partitioner import partition_of
from streams.engine.producer import FencedProducer, Packed

PHASES = ("wait", "decide", "outputs", "changelog", "commit", "store")
"""wait: read, but the partition was busy. outputs, changelog: encode, pack, hand over. commit: acknowledgements, offset, commit. store: RocksDB and cache."""

_Sent = list[asyncio.Future[Any]]
_PARTS = attrgetter("topic", "key", "value", "headers", "partition")


class Written(NamedTuple):
    """What the broker has: the changes, and the changelog offset behind the last of them (None if it is not known)."""

    changes: Sequence[Change]
    changelog_offset: int | None


class Transaction:
    """The end of one batch. Before `begun` a failure has left no trace; once `committing`, it leaves open whether the commit went through."""

    def __init__(self, producer: FencedProducer, failpoint: FailPoint, changelog: str | None, partitions: dict[str, int]) -> None:
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

    async def run(self, batch: Batch, decision: Decision) -> Written:
        """Write it all, or raise: RecordTooLarge before anything is begun, KafkaError with the producer no longer fit for use."""
        self._failpoint.reach("after_decide")
        start, cpu_start = perf_counter(), thread_time()
        outputs = await self._pack_outputs(decision)
        packed = perf_counter()
        changes: list[Change] = batch.rows.changes() if batch.rows is not None else []
        rows = self._pack_rows(batch.partition, changes)
        encoded = perf_counter()
        self.work_seconds = thread_time() - cpu_start
        if not outputs and rows is None and batch.next_offset < 0:
            return Written((), None)
        self.begun = True
        await self._producer.begin()
        self._failpoint.reach("after_begin")
        sent: _Sent = []
        for each in outputs:
            sent += await self._producer.send(each)
        await self._reach("after_outputs", sent)
        handed = perf_counter()
        last: asyncio.Future[Any] | None = None
        if rows is not None:
            acknowledged = await self._producer.send(rows)
            last = acknowledged[-1]
            sent += acknowledged
        await self._reach("after_changelog", sent)
        self.seconds = {"outputs": packed - start + handed - encoded, "changelog": encoded - packed + perf_counter() - handed}
        await self._commit(batch, sent)
        return Written(changes, _offset_behind(last, rows))

    async def _commit(self, batch: Batch, sent: _Sent) -> None:
        start = perf_counter()
        if sent:
            await asyncio.gather(*sent)
        if batch.next_offset >= 0:
            await self._producer.send_offset(batch.topic, batch.partition, batch.next_offset)
        self._failpoint.reach("after_offsets")
        self._failpoint.reach("before_commit")
        self.committing = True
        if self._failpoint.armed("during_commit"):
            commit = asyncio.ensure_future(self._producer.commit())
            await asyncio.wait([commit], timeout=0.002)  # Long enough for the request to leave, too short for most answers.
            self._failpoint.reach("during_commit")
            await commit
        else:
            self._failpoint.reach("during_commit")
            await self._producer.commit()
        self.seconds["commit"] = perf_counter() - start
        self._failpoint.reach("after_commit")

    async def _reach(self, name: str, sent: _Sent) -> None:
        if sent and self._failpoint.armed(name):
            await asyncio.gather(*sent)
        self._failpoint.reach(name)

    async def _pack_outputs(self, decision: Decision) -> list[Packed]:
        by_target: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]]] = {}
        counts = self._partitions
        for topic, key, value, headers, partition in map(_PARTS, decision.send):
            if partition is None:
                if topic not in counts:
                    counts[topic] = await self._producer.partitions_of(topic)
                if key is None:
                    raise EngineError(f"an output for {topic} has neither key nor partition: where should it go?")
                partition = partition_of(key, counts[topic])
            target = by_target.get((topic, partition))
            if target is None:
                target = by_target[topic, partition] = []
            target.append((key, value, headers))
        return [self._producer.pack(topic, partition, rows) for (topic, partition), rows in by_target.items()]

    def _pack_rows(self, partition: int, changes: Sequence[Change]) -> Packed | None:
        if not changes:
            return None
        if self._changelog is None:
            raise EngineError("an agent without a table has put rows")
        return self._producer.pack(self._changelog, partition, [(key, value, ()) for key, _, value in changes], compressed=True)


def _offset_behind(last: asyncio.Future[Any] | None, rows: Packed | None) -> int | None:
    if last is None or rows is None:
        return None
    first = last.result().offset
    if first < 0:  # The broker had this batch already and no longer knows where.
        return None
    return int(first) + int(rows.builders[-1].record_count())
