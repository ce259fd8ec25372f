"""How a batch ends without transactions: outputs acknowledged, rows acknowledged, local store, the input's offset. At least once.

The rule: each step is done only when the one before is acknowledged. Outputs come first, so none is lost; they are sent again where a batch is done
again. Rows come with the input's position in one write that counts or is void (journal.py), so no input is folded twice, whoever
commits which offset. The offset comes last: it only says to others what the changelog knows.
"""

from __future__ import annotations

import asyncio
from time import perf_counter, thread_time

from streams.engine.batch import Batch, Decision
from streams.engine.ending import Ending, Sent, Written, offset_behind
from streams.engine.errors import Overtaken, TooSlow
from streams.engine.failpoints import FailPoint
from streams.engine.journal import Journal
from streams.engine.life import Token
from streams.engine.overlay import Change
from streams.engine.producer import AcknowledgedProducer
from streams.engine.shared import Membership


class Acknowledged(Ending):
    """At least once: outputs may come again, rows never count twice."""

    def __init__(
        self,
        producer: AcknowledgedProducer,
        failpoint: FailPoint,
        changelog: str | None,
        partitions: dict[str, int],
        group: Membership,
        token: Token,
        journal: Journal,
        position: int,
        seconds_max: float,
    ) -> None:
        """`position`: how far the input was read before this batch; `seconds_max`: so long the commit of an offset may take."""
        super().__init__(producer, failpoint, changelog, partitions)
        self._group = group
        self._token = token
        self._journal = journal
        self._position = position
        self._seconds_max = seconds_max

    async def run(self, batch: Batch, decision: Decision) -> Written:
        """Outputs and rows. Overtaken where the partition is another's by now: asked before anything is sent, and told by where the rows lie."""
        self._failpoint.reach("after_decide")
        start, cpu_start = perf_counter(), thread_time()
        outputs = await self._pack_outputs(decision)
        packed = perf_counter()
        changes: list[Change] = batch.rows.changes() if batch.rows is not None else []
        if changes:
            changes.append(self._journal.end(len(changes), batch.next_offset if batch.next_offset >= 0 else self._position))
        rows = self._pack_rows(batch.partition, changes)
        encoded = perf_counter()
        self.work_seconds = thread_time() - cpu_start
        if not outputs and rows is None:
            return Written((), None)
        if not await self._group.is_member(self._token.generation):
            raise Overtaken(f"{batch.topic}[{batch.partition}] may be another's by now")
        self.begun = True
        self._failpoint.reach("after_begin")
        sent: Sent = []
        for each in outputs:
            sent += await self._producer.send(each)
        await asyncio.gather(*sent)
        self._failpoint.reach("after_outputs")
        handed = perf_counter()
        if rows is not None:
            self.committing = True
            acknowledged = await self._producer.send(rows)
            await asyncio.gather(*acknowledged)
            self._journal.wrote(changes, offset_behind(acknowledged[-1], rows))
        self._failpoint.reach("after_changelog")
        self.seconds = {"outputs": packed - start + handed - encoded, "changelog": encoded - packed + perf_counter() - handed}
        return Written(changes, self._journal.offset)

    async def settle(self, batch: Batch) -> None:
        """Commit the offset as a member of the generation that the batch was read in: the broker refuses any other."""
        if batch.next_offset < 0:
            return
        start = perf_counter()
        self._failpoint.reach("before_commit")
        self.committing = True
        commit = self._group.commit_offset(batch.topic, batch.partition, batch.next_offset, self._token)
        try:
            await asyncio.wait_for(self._failpoint.midway("during_commit", commit), self._seconds_max)
        except TimeoutError:
            raise TooSlow(f"the offset of {batch.topic}[{batch.partition}] was not committed within {self._seconds_max:g} s") from None
        self.seconds["commit"] = perf_counter() - start
        self._failpoint.reach("after_commit")
