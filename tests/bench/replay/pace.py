"""How fast interactions are worked off, by looks at what a group has put behind it.

The rule this module owns: live and replay are measured by the same looks: from the last at which nothing was done to the first at which nothing was left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas import topics
from streams.cli.settle import Watch
from streams.replay.shadow import INPUTS

LOOK_SECONDS = 0.25
SETTLED_LOOKS = 2


class Look(NamedTuple):
    """When (monotonic seconds), how many offsets of the interactions were done, how many there were, and whether nothing was left anywhere."""

    at: float
    done: int
    whole: int
    settled: bool


class Pace(NamedTuple):
    """Interactions a second, and over how many seconds."""

    interactions_per_second: float
    seconds: float


def of(looks: Sequence[Look], interactions: int) -> Pace:
    """The pace of so many interactions, all of which are done at the last look: from the last look at which none was done."""
    first = next(place for place, look in enumerate(looks) if look.done)
    began = looks[max(0, first - 1)]
    ended = looks[max(place for place, look in enumerate(looks[:-1]) if not look.settled) + 1]
    seconds = ended.at - began.at
    return Pace(interactions * (1 - began.done / ended.whole) / seconds, seconds)


def look_on(bootstrap: str, group: str, partitions: int, *, prefix: str = "", goes_on: Callable[[], None]) -> list[Look]:
    """Look at a group until nothing is left; `goes_on` raises where it cannot come to that."""
    watch = Watch(bootstrap, group, [prefix + name for name in INPUTS], partitions)
    looks: list[Look] = []
    try:
        while not (len(looks) >= SETTLED_LOOKS and all(look.settled for look in looks[-SETTLED_LOOKS:])):
            time.sleep(LOOK_SECONDS)
            goes_on()
            at, seen, interactions = time.monotonic(), watch.look(), prefix + topics.INTERACTIONS
            done = seen.done(interactions)
            looks.append(Look(at, done, done + seen.lag(interactions), bool(done) and watch.is_settled(seen)))
    finally:
        watch.close()
    return looks
