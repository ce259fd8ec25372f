"""What is held at once has a bound, also under those who send slowly, and nobody without a key takes it from those who have one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.problem import Problem
from connectors.collector.room import STRANGERS_PART, Room

ROOM = 1_000


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 700), max_size=5)), max_size=8))
def test_no_more_is_held_than_there_is_room_for_and_all_of_it_is_given_back(requests: list[tuple[bool, list[int]]]) -> None:
    """One request alone may be larger than all there is room for, so what others hold beside the largest is bounded."""
    room = Room(ROOM)
    shares = [room.share(known) for known, _ in requests]
    for share, (_, sizes) in zip(shares, requests, strict=True):
        for size in sizes:
            before = room.taken
            try:
                share.become(size)
            except Problem as refused:
                assert refused.status == 429 and room.taken == before
            assert room.taken <= max(ROOM, size)
            assert room.strangers <= ROOM // STRANGERS_PART

    for share in shares:
        share.__exit__(None, None, None)
    assert (room.taken, room.strangers) == (0, 0)


def test_strangers_leave_room_for_those_who_show_a_key() -> None:
    room = Room(ROOM)
    with room.share(known=False) as stranger, room.share(known=True) as known:
        stranger.more(ROOM // STRANGERS_PART)
        with pytest.raises(Problem):
            stranger.more(1)
        known.more(ROOM - ROOM // STRANGERS_PART)
        with pytest.raises(Problem):
            known.more(1)


def test_who_has_shown_its_key_is_no_stranger_any_more() -> None:
    room = Room(ROOM)
    with room.share(known=False) as one:
        one.more(200)
        one.show_key()
        one.become(900)
        assert (room.taken, room.strangers) == (900, 0)

    assert (room.taken, room.strangers) == (0, 0)
