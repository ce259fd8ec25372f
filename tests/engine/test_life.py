"""A store is kept only if it can be brought to the end; states follow each other as the table says."""

from __future__ import annotations

import pytest

from streams.engine.life import FOLLOWS, State
from streams.engine.restore import Source, doubt
from streams.engine.store import Position

SOURCE = Source("t", 0, "cluster/topic", 1000)


@pytest.mark.parametrize(
    ("position", "begin", "end", "doubted"),
    [
        (Position("cluster/topic", 50, 9_900), 0, 90, False),
        (Position("cluster/topic", 90, 1), 0, 90, False),  # Old, but nothing was missed.
        (Position("cluster/topic", 50, 9_000), 0, 90, True),  # Deletions may be gone.
        (Position("cluster/topic", 91, 9_900), 0, 90, True),  # Beyond the end.
        (Position("cluster/topic", 50, 9_900), 60, 90, True),  # Truncated.
        (Position("cluster/other", 50, 9_900), 0, 90, True),  # Another topic of the same name.
    ],
)
def test_a_store_that_cannot_be_trusted_is_doubted(position: Position, begin: int, end: int, doubted: bool) -> None:
    assert (doubt(position, SOURCE, begin, end, now_ms=10_000) is not None) == doubted


def test_every_state_can_be_left_and_released() -> None:
    assert set(FOLLOWS) == set(State)
    for state in set(State) - {State.RELEASED}:
        assert State.RELEASED in FOLLOWS[state]
        assert State.FENCING in FOLLOWS[state]
