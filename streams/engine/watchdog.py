"""Is anything moving? A partition with work whose position stands still, or a loop that does not turn, is found here and nowhere else.

The rule: a broker that is gone is not our fault, so silence of the broker stops the clock. What remains is a defect, and the process says so and ends.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.engine.custody import Custody
from streams.engine.errors import EngineError
from streams.engine.partition import Partition

LOOK_SECONDS = 1.0
EXIT_STUCK = 70


class Standstill(NamedTuple):
    """What a partition stands at, and since when; `at` is None while it has nothing to do."""

    at: object
    since: float


class Watchdog:
    """Looks every second, in the loop; and from a thread whether the loop looks."""

    def __init__(
        self, custody: Custody, stuck_seconds: float, broker_answers: Callable[[], bool], fail: Callable[[BaseException], None]
    ) -> None:
        self._custody = custody
        self._stuck_seconds = stuck_seconds
        self._broker_answers = broker_answers
        self._fail = fail
        self._beat_at = time.monotonic()
        self._silent_at = 0.0
        self._stands: Mapping[Partition, Standstill] = {}
        self._stopped = threading.Event()

    def alive(self) -> bool:
        """False when nothing has moved for half of the limit. May be asked in any thread."""
        now = time.monotonic()
        return max(self._still_seconds(now), now - self._beat_at) < self._stuck_seconds / 2

    async def watch(self) -> None:
        """Look, until cancelled."""
        threading.Thread(target=self._watch_the_loop, name="kairos-watchdog", daemon=True).start()
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._stopped.set()

    def look(self) -> None:
        """Compare what every partition stands at with what it was the last time."""
        now = self._beat_at = time.monotonic()
        before, stands = self._stands, {}
        for partition in self._custody.partitions.values():
            at, known = partition.standing(), before.get(partition)
            stands[partition] = known if at is not None and known is not None and known.at == at else Standstill(at, now)
        self._stands = stands
        if not self._broker_answers():
            self._silent_at = now
        elif self._still_seconds(now) > self._stuck_seconds:
            worst = min((each for each in stands if stands[each].at is not None), key=lambda each: stands[each].since)
            self._fail(EngineError(f"stuck: {worst} has not moved for {self._stuck_seconds:g} s although there is work"))

    def _still_seconds(self, now: float) -> float:
        """For how long the partition that stands still the longest has done so, with work to do and a broker to do it with."""
        still = [now - max(stand.since, self._silent_at) for stand in self._stands.values() if stand.at is not None]
        return max(still, default=0.0)

    def _watch_the_loop(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            if time.monotonic() - self._beat_at > self._stuck_seconds:
                print(f"stuck: the event loop has not turned for {self._stuck_seconds:g} s; what it was doing:", file=sys.stderr)
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(EXIT_STUCK)
