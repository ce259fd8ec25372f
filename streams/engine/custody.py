"""Which partitions are ours. Sits where Faust keeps its tables, so that assignments and revocations arrive here.

The rules: at every assignment *all* partitions are fenced, also those that we had before: another may have had them in between. Nothing slow
happens in a callback. An agent does not run ahead of the one that it feeds: what waits, waits in the source's topic, so that a record's way through both
is short also where there is a backlog.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from faust.tables.manager import TableManager
from faust.types import TP

from streams.engine.batch import Batch
from streams.engine.changelog import FIXED
from streams.engine.errors import EngineError
from streams.engine.life import State
from streams.engine.partition import Partition
from streams.engine.shared import Progress, Shared
from streams.engine.standby import Standby
from streams.engine.table import Table


class Custody(TableManager):
    """The partitions of this worker, by topic and number."""

    shared: Shared
    tables_by_topic: Mapping[str, str | None]
    fed_by: Mapping[str, str]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.partitions: dict[TP, Partition] = {}
        self.standbys: dict[TP, Standby] = {}
        self.closing = False

    def take_up(self, shared: Shared, tables_by_topic: Mapping[str, str | None], fed_by: Mapping[str, str]) -> None:
        """What the partitions will share, which topics have a table, and by topic the one that its agent feeds."""
        self.shared = shared
        self.tables_by_topic = tables_by_topic
        self.fed_by = fed_by

    def current(self, batch: Batch) -> bool:
        """Whether a batch is still to be done: its partition is ours and was not fenced anew since."""
        partition = self.partitions.get(TP(batch.topic, batch.partition))
        return partition is not None and partition.token is batch.token

    def hold_back(self) -> set[str]:
        """The topics not to be read on for now: of what their agents feed, a full batch waits here for each partition, taken together."""
        held = set()
        for source, fed in self.fed_by.items():
            backlogs = [partition.backlog() for target, partition in self.partitions.items() if target.topic == fed]
            if backlogs and sum(lag for lag, _ in backlogs) >= sum(batch for _, batch in backlogs):
                held.add(source)
        for target, partition in self.partitions.items():
            if target.topic in held:
                partition.hold()
        return held

    def progress(self) -> dict[tuple[str, int], Progress]:
        """Where every partition stands."""
        return {(target.topic, target.partition): partition.progress() for target, partition in self.partitions.items()}

    def each(self, act: Callable[[Partition], None]) -> None:
        """Do something with every partition."""
        for partition in list(self.partitions.values()):
            act(partition)

    async def release(self, revoked: set[TP] | None = None) -> None:
        """Join what is being finished, close the stores, forget the partitions; None: all of them. Copies stay, but not for one that stops."""
        if self.closing:
            await self._keep_copies(set())
        gone = [self.partitions.pop(target) for target in list(self.partitions) if revoked is None or target in revoked]
        seconds = self.shared.settings.rebalance_timeout_seconds / 2
        if self.closing:
            seconds = min(seconds, self.shared.settings.stop_seconds / 3)
        for failed in await asyncio.gather(*(partition.release(seconds) for partition in gone), return_exceptions=True):
            if isinstance(failed, BaseException):
                self.shared.fail(failed)

    def quiet(self) -> bool:
        """Whether all partitions run: nothing is being restored."""
        return all(partition.state is State.RUNNING for partition in self.partitions.values())

    def _fits(self, assigned: set[TP]) -> bool:
        """Whether what is assigned was there at the start; a topic that has grown since ends the worker."""
        for target in sorted(assigned):
            if target.partition >= self.shared.ground.partitions and target.topic in self.tables_by_topic:
                grown = f"{target.topic} has got a partition {target.partition}, it had {self.shared.ground.partitions} partitions: {FIXED}"
                self.shared.fail(EngineError(grown))
                return False
        return True

    async def _taken_over(self, assigned: set[TP]) -> dict[TP, Table]:
        """The copies of what is assigned, followed no longer."""
        ours = {target: self.standbys.pop(target) for target in list(self.standbys) if target in assigned}
        return dict(zip(ours, await asyncio.gather(*(standby.hand_over() for standby in ours.values())), strict=True))

    async def _keep_copies(self, wanted: set[TP]) -> None:
        """Of these and of no others; what is kept already goes on."""
        gone = [self.standbys.pop(target) for target in list(self.standbys) if target not in wanted]
        await asyncio.gather(*(standby.close() for standby in gone))
        for target in sorted(wanted - self.standbys.keys()):
            table = self.tables_by_topic.get(target.topic)
            if table is not None:
                self.standbys[target] = Standby(target.topic, target.partition, table, self.shared, self.quiet)

    # What Faust calls.

    async def on_start(self) -> None:
        self._tables_finalized.set()
        self._tables_registered.set()

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        return None

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        self._recovery_started.set()
        await self.release()
        if not self.closing and self._fits(assigned):
            copies = await self._taken_over(assigned)
            for target in sorted(assigned):
                if target.topic in self.tables_by_topic:
                    table = self.tables_by_topic[target.topic]
                    partition = Partition(target.topic, target.partition, table, self.shared, copies.get(target))
                    self.partitions[target] = partition
                    partition.come_alive(generation_id)
            await self._keep_copies(self.app.assignor.assigned_standbys() if self.shared.settings.standbys else set())
        self.app.flow_control.resume()
        self.app.consumer.resume_flow()
        await self.app._fetcher.maybe_start()
        self.on_actives_ready()
        self.on_standbys_ready()
        self.app.on_rebalance_end()

    async def wait_until_recovery_completed(self) -> bool:
        return False
