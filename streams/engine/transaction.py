"""How a batch ends: one transaction with outputs, rows and the input's offset; then the local store.

The rule: the local store hears of it only when Kafka has it all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import perf_counter, thread_time
from typing import Any

from streams.engine.batch import Batch, Decision
from streams.engine.ending import Ending, Sent, Written, offset_behind
from streams.engine.failpoints import FailPoint
from streams.engine.overlay import Change
from streams.engine.producer import FencedProducer


class Transaction(Ending):
    """Exactly once: what a batch sends, what it stores and how far it read become visible together or not at all."""

    def __init__(self, producer: FencedProducer, failpoint: FailPoint, changelog: str | None, partitions: dict[str, int]) -> None:
        super().__init__(producer, failpoint, changelog, partitions)
        self._fenced = producer

    async def run(self, batch: Batch, decision: Decision) -> Written:
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
        await self._fenced.begin()
        self._failpoint.reach("after_begin")
        sent: Sent = []
        for each in outputs:
            sent += await self._fenced.send(each)
        await self._reach("after_outputs", sent)
        handed = perf_counter()
        last: asyncio.Future[Any] | None = None
        if rows is not None:
            acknowledged = await self._fenced.send(rows)
            last = acknowledged[-1]
            sent += acknowledged
        await self._reach("after_changelog", sent)
        self.seconds = {"outputs": packed - start + handed - encoded, "changelog": encoded - packed + perf_counter() - handed}
        await self._commit(batch, sent)
        return Written(changes, offset_behind(last, rows))

    async def settle(self, batch: Batch) -> None:
        """The transaction carried the offset."""

    async def _commit(self, batch: Batch, sent: Sent) -> None:
        start = perf_counter()
        waiting: list[Awaitable[Any]] = [*sent]
        if batch.next_offset >= 0:  # Two round trips to the coordinators, while the records are on their way.
            waiting.append(self._fenced.send_offset(batch.topic, batch.partition, batch.next_offset))
        await asyncio.gather(*waiting)
        self._failpoint.reach("after_offsets")
        self._failpoint.reach("before_commit")
        self.committing = True
        await self._failpoint.midway("during_commit", self._fenced.commit())
        self.seconds["commit"] = perf_counter() - start
        self._failpoint.reach("after_commit")
