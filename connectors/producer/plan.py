"""What a play sends, in which order. The rule this module owns: time is said only when every earlier interaction has been sent.

A plan is a stream of Send and Say. The least instant still to come is not guessed from a source that seems to be in order: the source is
asked for all its times first, and of these the least from each block on is kept.
"""

import random
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from connectors.runtime.sources import Ready, Refused

BLOCK_ITEMS = 16
"""Time can be said before every item whose place is a multiple of this; a larger block costs less memory (8 bytes each)."""
DUPLICATE_ITEMS_LATER_MAX = 1_000
"""A duplicate follows its original by at most this many items, and never crosses a time that is said."""

_NEVER = 2**63 - 1


class Send(NamedTuple):
    """Send this one; `again`: it was sent before."""

    one: Ready | Refused
    again: bool = False


class Say(NamedTuple):
    """Say to every partition that nothing earlier than this is still to come (microseconds UTC)."""

    time: int


def floors(times: Iterable[int | None]) -> Sequence[int]:
    """The least instant from each block of items to the end; where no time is known, one that is never reached."""
    least = array("q")
    for place, time in enumerate(times):
        if place % BLOCK_ITEMS == 0:
            least.append(_NEVER)
        if time is not None and time < least[-1]:
            least[-1] = time
    for block in range(len(least) - 2, -1, -1):
        least[block] = min(least[block], least[block + 1])
    return least


def in_order(
    items: Iterable[Sequence[Ready | Refused]], least: Sequence[int], duplicates: float, every: int, until: int | None
) -> Iterator[Send | Say]:
    """Items as they come; time is said where the least instant still to come reaches a new period of `every` microseconds."""
    chance = random.Random(0)
    waiting: deque[Ready] = deque()
    said = None
    for place, item in enumerate(items):
        if place % BLOCK_ITEMS == 0:
            time = _due(least, place // BLOCK_ITEMS, until)
            if time is not None and (said is None or time // every > said // every):
                yield from _again(waiting, len(waiting))
                yield Say(time)
                said = time
        for one in item:
            yield Send(one)
            if duplicates and isinstance(one, Ready) and chance.random() < duplicates:
                waiting.append(one)
        if waiting and (len(waiting) > DUPLICATE_ITEMS_LATER_MAX * duplicates or chance.random() < duplicates / 2):
            yield from _again(waiting, 1)
    yield from _again(waiting, len(waiting))
    if until is not None:
        yield Say(until)


def shuffled(items: Iterable[Sequence[Ready | Refused]], seed: int, duplicates: float, until: int | None) -> Iterator[Send | Say]:
    """All items in an order that the seed decides; holds them all in memory, and says only the end."""
    chance = random.Random(seed)
    sends = [Send(one) for item in items for one in item]
    if duplicates:
        sends += [Send(send.one, again=True) for send in sends if isinstance(send.one, Ready) and chance.random() < duplicates]
    chance.shuffle(sends)
    yield from sends
    if until is not None:
        yield Say(until)


def _due(least: Sequence[int], block: int, until: int | None) -> int | None:
    """The time that may be said before a block; None where none is known. It never passes `until`."""
    if block >= len(least) or least[block] == _NEVER:
        return None
    return least[block] if until is None else min(least[block], until)


def _again(waiting: deque[Ready], count: int) -> Iterator[Send]:
    for _ in range(count):
        yield Send(waiting.popleft(), again=True)
