"""What the partitions of one engine share, and whom they call. Nothing here decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

from streams.engine.batch import Batch, Decision, Record
from streams.engine.cache import Shares
from streams.engine.changelog import Ground, changelog_topic
from streams.engine.failpoints import FailPoint
from streams.engine.garbage import Garbage
from streams.engine.life import Token
from streams.engine.metrics import Metrics
from streams.engine.pages import Pages
from streams.engine.recovery import Recovery
from streams.engine.restore import Source
from streams.engine.settings import EngineSettings
from streams.engine.store import Memory

OnCommit = Callable[[str, int, Decision, float], None]
OnPoison = Callable[[str, Record, Exception], Decision | None]


class Progress(NamedTuple):
    """Where a partition stands. `lag_records` is None until a fetch has told; restore offsets are the changelog's; `lag_seconds` is the oldest's age."""

    position: int
    state: str
    lag_records: int | None
    restore_offset: int
    restore_end: int
    lag_seconds: float = 0.0


class Membership(Protocol):
    """What a partition asks of the consumer group."""

    async def is_member(self, generation: int) -> bool: ...
    async def locate(self, topic: str, partition: int, token: Token, known: int) -> int: ...
    async def commit_offset(self, topic: str, partition: int, next_offset: int, token: Token) -> None: ...
    def rejoin(self) -> None: ...
    def wake(self) -> None: ...
    def deliver(self, batch: Batch) -> Coroutine[Any, Any, None]: ...


class Shared:
    """One per engine; `transport` is set once Faust has made it."""

    transport: Membership

    def __init__(
        self, settings: EngineSettings, ground: Ground, failpoint: FailPoint, metrics: Metrics, fail: Callable[[BaseException], None]
    ) -> None:
        self.settings = settings
        self.ground = ground
        self.failpoint = failpoint
        self.metrics = metrics
        self.memory = Memory(settings)
        self.shares = Shares(settings.cache_bytes)
        self.fail = fail
        self.output_partitions: dict[str, int] = {}
        self.on_commit: list[OnCommit] = []
        self.on_poison: OnPoison | None = None
        self.garbage = Garbage()
        self.pages = Pages()
        self.recovery = Recovery(metrics)
        self._tasks: set[asyncio.Task[Any]] = set()

    def changelog(self, table: str | None) -> str | None:
        """The changelog topic of a table."""
        return None if table is None else changelog_topic(self.settings.app_id, table)

    def source(self, table: str | None, partition: int) -> Source:
        """What the store of a table's partition is restored from."""
        topic = self.changelog(table)
        assert topic is not None, "an agent without a table has no changelog"
        return Source(topic, partition, self.ground.incarnations[topic], self.ground.tombstone_ms[topic])

    def wake(self) -> None:
        """A partition has room again."""
        self.transport.wake()

    def deliver(self, batch: Batch) -> None:
        """Bring a batch to its agent."""
        self.keep(asyncio.create_task(self.transport.deliver(batch)))

    def committed(self, topic: str, partition: int, decision: Decision, seconds: float) -> None:
        """A batch is committed: its counts are real now."""
        for callback in self.on_commit:
            callback(topic.removeprefix(self.settings.topic_prefix), partition, decision, seconds)

    def poisoned(self, topic: str, record: Record, error: Exception) -> Decision | None:
        """A record fails alone: what to do with it, None for not knowing."""
        self.metrics.poisoned(topic)
        return None if self.on_poison is None else self.on_poison(topic.removeprefix(self.settings.topic_prefix), record, error)

    def between_batches(self) -> None:
        """No batch holds the loop: time for what must not happen in one."""
        self.garbage.between_batches()
        self.pages.between_batches()

    def keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        """Hold a task until it is done; what it raises ends the worker."""
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.fail(task.exception() or RuntimeError("unknown"))
