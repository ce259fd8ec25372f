"""The cache forgets, but never lies."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.cache import ENTRY_BYTES, MISSING, Cache, Shares


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 400))), st.integers(0, 8000))
def test_what_the_cache_knows_is_what_was_put_last(plan: list[tuple[bool, int, int]], bytes_max: int) -> None:
    cache, model = Cache(bytes_max), {}

    for put, number, size in plan:
        key = b"%d" % number
        if put:
            model[key] = b"x" * size if size else None
            cache.put(key, model[key])
        else:
            asked = [key, b"never", key]
            assert all(found in (MISSING, model.get(name, MISSING)) for name, found in zip(asked, cache.get_many(asked), strict=True))


def test_it_holds_no_more_than_its_room() -> None:
    cache = Cache(100 * ENTRY_BYTES)

    for number in range(10_000):
        cache.put(b"%d" % number, None)
        assert len(cache) <= 100


@given(
    st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.binary(max_size=400))), min_size=1), st.randoms(use_true_random=False)
)
def test_as_long_as_all_has_room_nothing_is_dropped(plan: list[tuple[int, bytes | None]], chance: Random) -> None:
    model: dict[bytes, bytes | None] = {}
    largest = 0
    for number, value in plan:
        model[b"%d" % number] = value
        largest = max(largest, sum(ENTRY_BYTES + len(key) + len(kept or b"") for key, kept in model.items()))
    cache = Cache(largest)
    for number, value in plan:
        cache.put(b"%d" % number, value)
        cache.get_many([b"%d" % chance.randrange(20)])

    assert cache.get_many(list(model)) == list(model.values())


def test_rows_in_use_outlive_rows_that_are_not() -> None:
    cache = Cache(100 * (ENTRY_BYTES + 13))
    cache.put(b"hot", b"x" * 10)

    for number in range(1000):
        cache.put(b"%d" % number, b"%10d" % number)
        assert cache.get_many([b"hot"]) == [b"x" * 10]

    assert cache.get_many([b"0"]) == [MISSING]


def test_that_a_row_does_not_exist_is_known_too() -> None:
    cache = Cache(1000)
    cache.put(b"gone", None)

    assert cache.get_many([b"gone", b"unknown"]) == [None, MISSING]


def test_all_caches_of_a_worker_share_one_room() -> None:
    shares, one, other = Shares(102 * (ENTRY_BYTES + 3)), Cache(), Cache()
    shares.add(one)
    fill(one)
    assert 50 <= len(one) <= 102

    shares.add(other)
    fill(one)
    fill(other)
    assert 50 <= len(one) + len(other) <= 102

    shares.remove(one)
    fill(one)
    fill(other)
    assert len(one) <= 2
    assert 50 <= len(other) <= 102


def fill(cache: Cache) -> None:
    for number in range(1000):
        cache.put(b"%d" % number, None)
