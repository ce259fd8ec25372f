"""How often the machine itself stands still: what no program on it can do anything about.

The rule this module owns: it does nothing but look at the clock, so what it misses was taken by the machine (its other programs, or the tenants of the
same hardware), not by what is measured after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import msgspec

STALL_MS = 1.0
"""The clock is read some million times a second; what takes longer than this was a stall."""


class Stalls(msgspec.Struct, frozen=True):
    """Of a thread that wants to run all the time."""

    seconds: float
    count: int
    total_ms: float
    most_ms: float

    def __str__(self) -> str:
        share = self.total_ms / 10 / self.seconds
        return (
            f"a loop that only reads the clock stood still for more than {STALL_MS:g} ms {self.count / self.seconds:.1f} times a second, "
            f"for {self.most_ms:.1f} ms at most, {share:.1f}% of the time"
        )


def watched(seconds: float) -> Stalls:
    """Look at the clock for so long."""
    return stalls(_ticks(seconds))


def stalls(ticks: Iterator[float]) -> Stalls:
    """What lies between times of the clock, in seconds; they are at least two."""
    first = before = next(ticks)
    found = []
    for now in ticks:
        if (now - before) * 1e3 > STALL_MS:
            found.append((now - before) * 1e3)
        before = now
    return Stalls(before - first, len(found), sum(found), max(found, default=0.0))


def _ticks(seconds: float) -> Iterator[float]:
    begin = now = monotonic()
    while now < begin + seconds:
        yield now
        now = monotonic()
    yield now
