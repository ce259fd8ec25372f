"""How far a worker is with restoring, all its partitions together: rows a second, the time to go, a line in the log every few seconds.

The rule: a pace is that of the last ten seconds, and what is still to come is told by that pace. What lasts less than a second is not spoken of.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streams.engine.metrics import Metrics

log = logging.getLogger(__name__)

SAY_SECONDS = 5.0
LATE_SECONDS = 10.0
WORTH_A_LINE_SECONDS = 1.0


class Look(NamedTuple):
    """What was done by a time."""

    at: float
    rows: int
    offsets: int


class Part:
    """One partition's share; offsets are the changelog's."""

    def __init__(self, topic: str, metrics: Metrics) -> None:
        self.topic = topic
        self.rows = 0
        self.start: int | None = None
        self.offset = self.end = 0
        self._metrics = metrics

    def at(self, offset: int, end: int, rows: int) -> None:
        """It stands there, so many rows after it began."""
        if self.start is None:
            self.start = offset
        self._metrics.restored(self.topic, rows - self.rows)
        self.offset, self.end, self.rows = offset, end, rows


class Recovery:
    """From the first partition that is restored to the last; then it may begin again."""

    def __init__(self, metrics: Metrics, say: Callable[[str], None] = log.info, now: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._say = say
        self._now = now
        self._parts: list[Part] = []
        self._under_way = 0
        self._began = self._said = 0.0
        self._looks: deque[Look] = deque()

    @contextmanager
    def part(self, topic: str) -> Iterator[Part]:
        """One more partition, for as long as it is being restored; `topic` is its source."""
        now = self._now()
        if not self._under_way:
            self._parts, self._began, self._said = [], now, now
            self._looks = deque([Look(now, 0, 0)])
        part = Part(topic, self._metrics)
        self._parts.append(part)
        self._under_way += 1
        try:
            yield part
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._end()

    def look(self) -> None:
        """To be called every second or so: says how far it is when it is time to."""
        if not self._under_way:
            return
        now = self._now()
        left = sum(part.end - part.offset for part in self._parts)
        done = sum(part.offset - (part.start or 0) for part in self._parts)
        self._looks.append(Look(now, self._rows, done))
        while now - self._looks[0].at > LATE_SECONDS and len(self._looks) > 2:
            self._looks.popleft()
        first, seconds = self._looks[0], max(1e-6, now - self._looks[0].at)
        pace = (done - first.offsets) / seconds
        self._metrics.restore_seconds_left(left / pace if pace else 0.0)
        if now - self._said >= SAY_SECONDS:
            self._said = now
            to_go = f"{left / pace:,.0f} s to go" if pace else "nothing comes"
            self._say(
                f"restoring {self._counted()}: {done / max(1, done + left):.0%}, {self._rows:,} rows so far, "
                f"{(self._rows - first.rows) / seconds:,.0f} rows/s, {to_go}"
            )

    @property
    def _rows(self) -> int:
        return sum(part.rows for part in self._parts)

    def _counted(self) -> str:
        return "1 partition" if len(self._parts) == 1 else f"{len(self._parts)} partitions"

    def _end(self) -> None:
        self._metrics.restore_seconds_left(0.0)
        seconds = self._now() - self._began
        if self._rows and seconds >= WORTH_A_LINE_SECONDS:
            missing = sum(part.end - part.offset for part in self._parts)
            what = "restored" if not missing else "gave up restoring"
            self._say(f"{what} {self._counted()}: {self._rows:,} rows in {seconds:.1f} s, {self._rows / seconds:,.0f} rows/s")
