"""The engine: agents are declared, then it runs until it is told to stop, or cannot go on.

The rule: whatever ends it, ends it with one reason, within bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from kafka.errors import KafkaError as AdminError

from streams.engine import changelog, heap, leaving, ticks
from streams.engine.app import Agent, App, build
from streams.engine.custody import Custody
from streams.engine.drive import Body
from streams.engine.errors import EngineError
from streams.engine.failpoints import FailPoint
from streams.engine.metrics import Metrics
from streams.engine.quiet import quieten
from streams.engine.settings import EngineSettings
from streams.engine.shared import OnCommit, OnPoison, Progress, Shared
from streams.engine.standby import Claim
from streams.engine.watchdog import Watchdog

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
EXIT_FAILED = 1
EXIT_HUNG = 75


class Engine:
    """One worker of one app. `agent`, `on_commit`, `on_poison` before `start` or `run`."""

    def __init__(self, settings: EngineSettings, metrics: Metrics | None = None) -> None:
        """`metrics`: None registers them where prometheus-client looks by default."""
        self.settings = settings
        self.reason: BaseException | None = None
        self._metrics = metrics
        self._own_metrics = metrics is None
        self._agents: dict[str, Agent] = {}
        self._on_commit: list[OnCommit] = []
        self._on_poison: OnPoison | None = None
        self._ended: asyncio.Event | None = None
        self._shared: Shared | None = None
        self._app: App | None = None
        self._watchdog: Watchdog | None = None
        self._claim: Claim | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def agent(self, topic: str, *, table: str | None = None, feeds: str | None = None) -> Callable[[Body], Body]:
        """Declare an agent over the batches of `topic`; with a `table`, its rows are kept in `<app_id>-<table>-changelog`.

        `feeds`: the topic of another agent that this one writes; while that one has enough to do, `topic` is not read on (custody.py).
        """

        def declare(body: Body) -> Body:
            if self._ended is not None:
                raise EngineError(f"an agent of {topic} comes too late: the engine has begun, and its partitions are given out")
            prefix = self.settings.topic_prefix
            named = prefix + topic
            if named in self._agents:
                raise EngineError(f"{topic} has two agents; a record can be acknowledged only once")
            fed = None if feeds is None else prefix + feeds
            self._agents[named] = Agent(getattr(body, "__name__", topic), named, table, body, fed)
            return body

        return declare

    def on_commit(self, callback: OnCommit) -> OnCommit:
        """Call `callback(topic, partition, decision, seconds)` after each commit; an aborted batch counts nothing.

        Where a commit's answer is lost the call comes once the partition has begun anew; never if it is taken away, or the worker stops, before.
        """
        self._on_commit.append(callback)
        return callback

    def on_poison(self, callback: OnPoison) -> OnPoison:
        """Call `callback(topic, record, error)` for a record that fails alone. Its decision is committed with the record's offset; None ends the worker."""
        self._on_poison = callback
        return callback

    def progress(self) -> dict[tuple[str, int], Progress]:
        """Where every partition of this worker stands, by (topic, partition)."""
        return {} if self._app is None else self._custody.progress()

    def alive(self) -> bool:
        """False when something is stuck; for a liveness probe."""
        return self.reason is None and (self._watchdog is None or self._watchdog.alive())

    def ready(self) -> bool:
        """Whether there is a broker, at least one partition is assigned, and each that is hands out batches."""
        progress = self.progress().values()
        return bool(progress) and self._app.consumer.broker_answers() and all(each.state == "RUNNING" for each in progress)

    async def start(self) -> None:
        """Wait for a broker, check the topics, join the group. EngineError for what must be mended; returns before partitions are assigned."""
        quieten()
        heap.settle()
        self._ended = asyncio.Event()
        if self._metrics is None:
            self._metrics = Metrics()
        failpoint = FailPoint(self.settings.failpoint)
        tables = [agent.table for agent in self._agents.values() if agent.table is not None]
        ground = await self._ground(tables)
        if self.settings.standbys:
            self._claim = await asyncio.to_thread(Claim, self.settings.state_dir)
        self._shared = Shared(self.settings, ground, failpoint, self._metrics, self.fail)
        self._shared.on_commit = self._on_commit
        self._shared.on_poison = self._on_poison
        self._app = build(self.settings, self._agents, self._shared)
        self._shared.garbage.begin()
        self._watchdog = Watchdog(self._custody, self.settings.stuck_seconds, self._app.consumer.broker_answers, self.fail)
        await self._app.start()
        self._tasks = [asyncio.create_task(work) for work in (self._watchdog.watch(), ticks.settle(self._custody), self._watch_faust())]
        self._tasks.append(asyncio.create_task(ticks.feel(self._metrics)))
        if self.settings.tick_seconds is not None:
            self._tasks.append(asyncio.create_task(ticks.tick(self._custody, self.settings.tick_seconds)))
        for task in self._tasks:
            self._shared.keep(task)

    async def wait(self) -> None:
        """Until it can go on no longer; raises the reason. Cancel it, then `stop`, for an orderly end."""
        assert self._ended is not None, "wait comes after start"
        await self._ended.wait()
        assert self.reason is not None
        raise self.reason

    async def stop(self) -> bool:
        """Finish the batches in hand, commit, leave the group; within `stop_seconds`, whatever the broker does. False if something was left hanging."""
        if self._shared is None or self._app is None:
            return True
        deadline = monotonic() + self.settings.stop_seconds
        for task in self._tasks:
            task.cancel()
        self._custody.closing = True
        await self._custody.release()
        stopping = asyncio.ensure_future(self._app.stop())
        await asyncio.wait([stopping], timeout=max(1.0, deadline - monotonic()))
        if stopping.done() and stopping.exception() is not None:
            log.warning("Faust did not stop as it should: %r", stopping.exception())
        self._shared.garbage.end()
        if self._claim is not None and stopping.done():
            self._claim.release()
            self._claim = None
        if self._own_metrics and self._metrics is not None:
            self._metrics.unregister()
            self._metrics = None
        return stopping.done()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop; raises SystemExit with the reason if it could not go on."""
        clean = asyncio.run(self._main())
        if self.reason is not None:
            log.error("the worker ends: %s", self.reason)
            sys.exit(f"the worker ends: {type(self.reason).__name__}: {self.reason}")
        if not clean:
            sys.exit(EXIT_HUNG)

    def fail(self, reason: BaseException) -> None:
        """Something happened that this worker cannot get over. The first reason counts."""
        if self.reason is None:
            self.reason = reason
            log.error("cannot go on: %r", reason, exc_info=reason)
            if self._ended is not None:
                self._ended.set()

    async def _main(self) -> bool:
        told = asyncio.Event()
        leaving.hear(told.set, self.settings.stop_seconds, EXIT_HUNG)
        telling = asyncio.create_task(told.wait())
        running = asyncio.create_task(self._start_and_wait())
        await asyncio.wait({telling, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done() and running.exception() is not None:
            self.fail(running.exception() or EngineError("ended"))
        running.cancel()
        telling.cancel()
        leaving.within(self.settings.stop_seconds, EXIT_FAILED if self.reason is not None else EXIT_HUNG)
        return await self.stop()

    async def _start_and_wait(self) -> None:
        await self.start()
        await self.wait()

    @property
    def _custody(self) -> Custody:
        assert self._app is not None
        custody: Custody = self._app.tables
        return custody

    async def _ground(self, tables: list[str]) -> changelog.Ground:
        while True:
            try:
                return await asyncio.to_thread(changelog.prepare, self.settings, list(self._agents), tables)
            except AdminError as error:
                log.warning("no broker at %s yet: %r", self.settings.bootstrap, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch_faust(self) -> None:
        assert self._app is not None
        while not self._app.crashed:
            await asyncio.sleep(0.5)
        self.fail(self._app.crash_reason or EngineError("Faust ended without a reason"))
