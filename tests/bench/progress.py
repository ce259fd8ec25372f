"""What is going on, for who waits: a line every few seconds, and one at the end of each phase.

The rule this module owns: a pace is that of late, so that a phase which slows down shows it, and what is still to come is told by that pace.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

SAY_SECONDS = 5.0
LATE_SECONDS = 10.0
"""What "of late" means."""


class Progress:
    """Phases of one run; several may go on at once."""

    def __init__(
        self, say: Callable[[str], None] = lambda line: print(line, flush=True), now: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._now = now
        self._began = now()

    def phase(self, name: str, total: int | None = None, of: str = "") -> Phase:
        """Begin a phase of `total` things, or of nobody knows how many; `of` says what they are."""
        return Phase(name, total, of, self.say, self._now)

    def say(self, what: str) -> None:
        """A line of its own, after the time since the run began."""
        self._say(f"  {self._now() - self._began:>6.0f} s  {what}")


class Phase:
    """How far one phase is."""

    def __init__(self, name: str, total: int | None, of: str, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._name = name
        self._total = total
        self._of = f" {of}" if of else ""
        self._say = say
        self._now = now
        self._began = self._said = now()
        self._done = 0
        self._looks: deque[tuple[float, int]] = deque([(self._began, 0)])

    def at(self, done: int, more: str = "") -> None:
        """So much is done; said now and then, with `more` behind it."""
        now = self._now()
        self._done = done
        self._looks.append((now, done))
        while now - self._looks[0][0] > LATE_SECONDS and len(self._looks) > 2:
            self._looks.popleft()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            self._say("   ".join(part for part in (f"{self._name:<13}", *self._parts(now), more) if part))

    def end(self, done: int | None = None, more: str = "") -> None:
        """It is over; always said."""
        done = self._done if done is None else done
        seconds = self._now() - self._began
        pace = f"{done / seconds:,.0f}/s" if seconds >= 1.0 else ""
        self._say("   ".join(part for part in (f"{self._name:<13}", f"{done:>9,}{self._of} in {span(seconds)}", pace, more) if part))

    def _parts(self, now: float) -> list[str]:
        since, before = self._looks[0]
        pace = (self._done - before) / max(now - since, 1e-3)
        if self._total is None:
            return [f"{self._done:>9,}{self._of}", f"{pace:>8,.0f}/s"]
        so_far = f"{self._done:>9,} of {self._total:,}{self._of} {100 * self._done // max(1, self._total):>3}%"
        to_go = f"{span((self._total - self._done) / pace)} to go" if pace > 0 else "no telling how long to go"
        return [so_far, f"{pace:>8,.0f}/s", to_go]


def span(seconds: float) -> str:
    """A time for people: 42 s, 3 min 20 s."""
    whole = round(max(0.0, seconds))
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"
