"""Every record from the position on comes exactly once and in order, whatever is read, cut, joined, split or given back."""

from __future__ import annotations

import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.batch import Bounds, Record
from streams.engine.life import Token
from streams.engine.offsets import Chunk, Gap, Taken, Waiting, cut_below
from streams.engine.transport import Room, still_sought

BOUNDS = Bounds(1000, 1 << 20, 10.0)


def record(offset: int) -> Record:
    return Record(b"k", b"v", (), 0, 0, offset)


offsets = st.lists(st.integers(0, 60), unique=True).map(sorted)


@given(offsets, st.integers(0, 70))
def test_cut_leaves_what_is_not_below(given_offsets: list[int], position: int) -> None:
    records = [record(offset) for offset in given_offsets]

    assert [each.offset for each in cut_below(records, position)] == [offset for offset in given_offsets if offset >= position]


@given(
    offsets,
    st.integers(0, 70),
    st.lists(st.integers(1, 15), min_size=1),
    st.lists(st.integers(1, 9), min_size=1),
    st.lists(st.booleans(), min_size=1),
)
def test_every_record_comes_once_and_in_order(
    given_offsets: list[int], position: int, reads: list[int], limits: list[int], fails: list[bool]
) -> None:
    waiting, fed, done, turn = Waiting(position), 0, [], 0
    while fed < len(given_offsets) or waiting.count:
        size = reads[turn % len(reads)]
        if fed < len(given_offsets):
            part = given_offsets[max(0, fed - 2) : fed + size]  # The last two are brought once more, as after a seek.
            fed += size
            waiting.offer(Chunk([record(offset) for offset in part], part[-1] + 1))
        taken = waiting.take(BOUNDS, limits[turn % len(limits)])
        if fails[turn % len(fails)] and turn < 100:
            waiting.give_back(taken)
        else:
            done += [each.offset for each in taken.records]
            waiting.acknowledge(taken.next_offset)
        turn += 1
        assert waiting.bytes == 2 * waiting.count

    assert done == [offset for offset in given_offsets if offset >= position]


def test_markers_behind_the_last_record_are_acknowledged_with_it() -> None:
    waiting = Waiting(5)
    waiting.offer(Chunk([record(5), record(7)], 9))

    assert waiting.take(BOUNDS, 1).next_offset == 6
    assert waiting.take(BOUNDS, 1).next_offset == 9


def test_the_position_never_goes_back() -> None:
    waiting = Waiting(5)

    waiting.acknowledge(3)

    assert waiting.position == 5


def test_what_does_not_follow_is_not_taken() -> None:
    waiting = Waiting(5)

    with pytest.raises(Gap):
        waiting.offer(Chunk([record(9)], 10, 8))

    assert (waiting.count, waiting.read_to) == (0, 5)


def test_a_partition_that_was_sought_since_is_left_out() -> None:
    old, new = Token(1), Token(1)
    first, second, third = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("t", 2)

    assert still_sought({first: Room(5, old), second: Room(7, new), third: Room(9, new)}, {first: new, second: new}) == {second: 7}


def test_markers_alone_move_reading_but_bring_nothing() -> None:
    waiting = Waiting(5)
    waiting.offer(Chunk([], 8))

    assert (waiting.count, waiting.read_to, waiting.position) == (0, 8, 5)
    assert waiting.take(BOUNDS, 10) == Taken((), 8)


def test_no_more_is_read_than_two_batches_or_their_bytes() -> None:
    bounds, few, large = Bounds(10, 1000, 10.0), Waiting(0), Waiting(0)
    few.offer(Chunk([record(0)], 1))
    large.offer(Chunk([Record(None, b"x" * 600, (), 0, 0, offset) for offset in range(2)], 2))

    assert (few.room(bounds), large.room(bounds)) == (19, 0)
    assert len(large.take(bounds, 10).records) == 1
    assert (large.room(bounds), large.bytes) == (19, 600)
