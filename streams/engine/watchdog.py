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
from collections.abc import Callable

from streams.engine.custody import Custody
from streams.engine.errors import EngineError

LOOK_SECONDS = 1.0
EXIT_STUCK = 70


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
        self._stopped = threading.Event()

    def still_seconds(self) -> float:
        """For how long the partition that stands still the longest has done so, with work to do and a broker to do it with."""
        now = time.monotonic()
        still = [now - max(partition.moved_at, self._silent_at) for partition in self._custody.partitions.values() if not partition.idle()]
        return max(still, default=0.0)

    def alive(self) -> bool:
        """False when nothing has moved for half of the limit."""
        return max(self.still_seconds(), time.monotonic() - self._beat_at) < self._stuck_seconds / 2

    async def watch(self) -> None:
        """Look, until cancelled."""
        threading.Thread(target=self._watch_the_loop, name="kairos-watchdog", daemon=True).start()
        try:
            while True:
                self._beat_at = time.monotonic()
                if not self._broker_answers():
                    self._silent_at = self._beat_at
                elif self.still_seconds() > self._stuck_seconds:
                    self._fail(EngineError(f"stuck: {self._stillest()} has not moved for {self._stuck_seconds:g} s although there is work"))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._stopped.set()

    def _stillest(self) -> str:
        busy = [partition for partition in self._custody.partitions.values() if not partition.idle()]
        worst = min(busy, key=lambda partition: partition.moved_at)
        return f"{worst.topic}[{worst.number}] ({worst.state.name}, position {worst.waiting.position})"

    def _watch_the_loop(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            if time.monotonic() - self._beat_at > self._stuck_seconds:
                print(f"stuck: the event loop has not turned for {self._stuck_seconds:g} s; what it was doing:", file=sys.stderr)
                faulthandler.dump_traceback(file=sys.stderr)
                os._exit(EXIT_STUCK)
