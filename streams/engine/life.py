"""The life of a partition, as a table: which state follows which, and what each means.

The rule: only a partition in RUNNING hands out batches, and only with the token it got when it was last fenced. A batch with another token is dropped.
"""

from __future__ import annotations

from enum import Enum

BACKOFF_SECONDS_MAX = 2.0


class State(Enum):
    """Where in its life a partition is."""

    FENCING = "its producer makes the predecessor's epoch end"
    RESTORING = "its store is brought to the changelog's end"
    POSITIONED = "its committed offset is fetched, its input sought"
    RUNNING = "it hands out batches"
    RELEASED = "it is not ours"


FOLLOWS: dict[State, frozenset[State]] = {
    State.RELEASED: frozenset({State.FENCING}),
    State.FENCING: frozenset({State.FENCING, State.RESTORING, State.RELEASED}),
    State.RESTORING: frozenset({State.FENCING, State.POSITIONED, State.RELEASED}),
    State.POSITIONED: frozenset({State.FENCING, State.RUNNING, State.RELEASED}),
    State.RUNNING: frozenset({State.FENCING, State.RELEASED}),
}


class Token:
    """Stands for one fencing of one partition; `generation` is the group's at that time."""

    __slots__ = ("generation",)

    def __init__(self, generation: int) -> None:
        self.generation = generation


def backoff_seconds(attempt: int) -> float:
    """How long a partition that could not come alive rests before the attempt of that number, from 1 on."""
    return float(min(BACKOFF_SECONDS_MAX, 0.05 * 2**attempt))
