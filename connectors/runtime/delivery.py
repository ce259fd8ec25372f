"""All endpoints of one process: a feed, a deliverer and a sink each, until they are told to stop, or (bounded) until all is delivered.

The rule this module owns: endpoints share a loop and a producer for notices, and nothing that one of them could use up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import NamedTuple

from msgspec import Struct
from prometheus_client import CollectorRegistry

from connectors.runtime.counts import Counts
from connectors.runtime.deliverer import Deliverer, Event, Limits
from connectors.runtime.feed import Feed, Reading
from connectors.runtime.notices import Notices, Switches
from connectors.runtime.patience import Patience
from connectors.runtime.sinks import Sink
from schemas.delivery import EndpointSwitch

LOOK_SECONDS = 0.5
"""How often switches and feeds are looked at."""
SILENCE_SECONDS_MAX = 60.0
"""A feed that has not looked for so long hangs."""
STOP_SECONDS_MAX = 75.0

Tell = Callable[[str, Event, str], None]


class Endpoint(NamedTuple):
    """One endpoint: its name, how its sink is made (in the loop), and what it may take."""

    name: str
    sink: Callable[[], Sink]
    patience: Patience
    limits: Limits


class Plan(Struct, frozen=True, kw_only=True):
    """What to deliver: from which Kafka, under which deployment's name, whether as a replay (since when, under what name of the group)."""

    bootstrap: str
    app_id: str
    replay: str = ""
    since: int | None = None
    session_seconds: float = 10.0
    instance_id: str | None = None


class _Line(NamedTuple):
    deliverer: Deliverer
    feed: Feed


def group_of(app_id: str, endpoint: str, replay: str = "") -> str:
    """The consumer group of an endpoint, or of one replay to it."""
    return f"{app_id}-deliver-{endpoint}" + (f"-{replay}" if replay else "")


class Delivery:
    """The endpoints at work."""

    def __init__(self, plan: Plan, endpoints: Sequence[Endpoint], tell: Tell, registry: CollectorRegistry) -> None:
        self._plan, self._endpoints, self._tell = plan, endpoints, tell
        self._counts = Counts(registry)
        self._lines: list[_Line] = []
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask for the end; called in the loop."""
        self._stopping.set()

    @property
    def is_alive(self) -> bool:
        """Whether every feed goes on looking."""
        return all(time.monotonic() - line.feed.looked_at < SILENCE_SECONDS_MAX for line in self._lines)

    @property
    def is_ready(self) -> bool:
        """Whether every feed has joined its group and Kafka is there."""
        return bool(self._lines) and all(line.feed.is_assigned and not line.feed.is_away for line in self._lines)

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> bool:
        """Until stopped, or where the plan is bounded until all is delivered: then True, False if it was stopped before. Raises what a feed met.

        `on_ready` is called once, when every endpoint has its records.
        """
        notices, switches = Notices(self._plan.bootstrap), Switches(self._plan.bootstrap)
        try:
            async with self._working(notices, switches) as runs:
                is_told = False
                while not self._stopping.is_set():
                    self._look(runs, switches.look())
                    if self.is_ready and not is_told:
                        is_told = True
                        on_ready()
                    if self._plan.replay and all(line.feed.is_finished and line.deliverer.is_idle for line in self._lines):
                        return True
                    if self._plan.replay and any(line.deliverer.is_disabled for line in self._lines):
                        return False
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            return False
        finally:
            switches.close()

    def _look(self, runs: Sequence[asyncio.Task[None]], switched: Mapping[str, EndpointSwitch]) -> None:
        """Hear of switches, and of what went wrong: that ends it all, loudly."""
        for run in runs:
            if run.done():
                run.result()
        for line in self._lines:
            if not line.feed.is_alive():
                raise line.feed.failure or RuntimeError(f"{line.feed.name} has ended")
            if line.deliverer.endpoint in switched:
                line.deliverer.switch(switched[line.deliverer.endpoint])

    @asynccontextmanager
    async def _working(self, notices: Notices, switches: Switches) -> AsyncIterator[list[asyncio.Task[None]]]:
        loop = asyncio.get_running_loop()
        for endpoint in self._endpoints:
            sink = endpoint.sink()
            group = group_of(self._plan.app_id, endpoint.name, self._plan.replay)
            told = (notices, self._counts, self._tell, endpoint.patience, endpoint.limits)
            deliverer = Deliverer(endpoint.name, sink, *told, group, self._plan.since)
            if endpoint.name in switches.states:
                deliverer.switch(switches.states[endpoint.name])
            reading = Reading(
                bootstrap=self._plan.bootstrap,
                group=group,
                topics=tuple(sink.topics),
                since=self._plan.since,
                is_bounded=bool(self._plan.replay),
                session_seconds=self._plan.session_seconds,
                instance_id=self._plan.instance_id,
            )
            feed = Feed(reading, deliverer, loop)
            self._counts.shows("delivery_lag_records", endpoint.name, partial(getattr, feed, "lag_records"))
            self._lines.append(_Line(deliverer, feed))
        runs = [asyncio.create_task(line.deliverer.run()) for line in self._lines]
        for line in self._lines:
            line.feed.start()
        try:
            yield runs
        finally:
            await self._end(runs)

    async def _end(self, runs: Sequence[asyncio.Task[None]]) -> None:
        """Feeds first: each waits for what is under way, and commits."""
        for line in self._lines:
            line.feed.stop()
        await asyncio.gather(*(asyncio.to_thread(line.feed.join, STOP_SECONDS_MAX) for line in self._lines))
        for line in self._lines:
            line.deliverer.stop()
        await asyncio.wait(runs, timeout=STOP_SECONDS_MAX)
        await asyncio.gather(*(line.deliverer.sink.close() for line in self._lines))
