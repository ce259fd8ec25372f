"""A batch is bounded by count, by bytes and by time, and is never empty for want of room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.batch import Bounds, Record, count_within
from streams.engine.isolation import Isolation


def records(sizes: list[int]) -> list[Record]:
    return [Record(None, b"x" * size, (), 0, 0, offset) for offset, size in enumerate(sizes)]


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 20), st.integers(1, 200))
def test_the_longest_prefix_that_fits(sizes: list[int], limit: int, bytes_max: int) -> None:
    count = count_within(records(sizes), limit, bytes_max)

    assert 1 <= count <= limit
    assert count == 1 or sum(sizes[:count]) <= bytes_max
    assert count in (limit, len(sizes)) or sum(sizes[: count + 1]) > bytes_max


def test_slow_records_make_small_batches_and_fast_ones_large() -> None:
    bounds = Bounds(4000, 1 << 20, 0.1)
    assert bounds.records == 4000

    bounds.learn(4000, 4.0)
    assert bounds.records == 100
    for _ in range(30):
        bounds.learn(bounds.records, 0.0001 * bounds.records)

    assert 900 <= bounds.records <= 1000


def test_a_handful_of_records_says_nothing_about_their_cost() -> None:
    bounds = Bounds(4000, 1 << 20, 0.1)

    bounds.learn(1, 1.0)

    assert bounds.records == 4000


@given(st.integers(1, 4000), st.sets(st.integers(0, 3999), max_size=3))
def test_isolation_finds_what_fails_in_few_attempts(count: int, poison: set[int]) -> None:
    poison = {offset for offset in poison if offset < count}
    isolation, position, alone, attempts = Isolation(), 0, [], 0
    while position < count:
        attempts += 1
        end = min(count, position + isolation.limit(position, 4000))
        failing = [offset for offset in range(position, end) if offset in poison]
        if not failing:
            position = end
            isolation.went_well(end)
        elif end - position > 1:
            isolation.narrow(end, end - position)
        else:
            alone.append(position)
            position = end
            isolation.went_well(end)

    assert alone == sorted(poison)
    assert attempts <= 2 + 80 * len(poison)
