"""The cache forgets, but never lies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.cache import DECODED_FACTOR, ENTRY_BYTES, MISSING, Cache, Shares


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 400))), st.integers(0, 8000))
def test_what_the_cache_knows_is_what_was_put_last(plan: list[tuple[bool, int, int]], bytes_max: int) -> None:
    cache, model = Cache(bytes_max), {}

    for put, number, size in plan:
        key = b"%d" % number
        if put:
            model[key] = size
            cache.put(key, size, size)
        else:
            assert cache.get(key) in (MISSING, model.get(key, MISSING))


def test_it_holds_no_more_than_its_room() -> None:
    cache = Cache(100 * ENTRY_BYTES)

    for number in range(10_000):
        cache.put(b"%d" % number, number, 0)
        assert len(cache) <= 101


def test_rows_in_use_outlive_rows_that_are_not() -> None:
    cache = Cache(100 * (ENTRY_BYTES + 10 * DECODED_FACTOR))
    cache.put(b"hot", "hot", 10)

    for number in range(1000):
        cache.put(b"%d" % number, number, 10)
        assert cache.get(b"hot") == "hot"

    assert cache.get(b"0") is MISSING


def test_that_a_row_does_not_exist_is_known_too() -> None:
    cache = Cache(1000)
    cache.put(b"gone", None, 0)

    assert cache.get(b"gone") is None
    assert cache.get(b"unknown") is MISSING


def test_all_caches_of_a_worker_share_one_room() -> None:
    shares, one, other = Shares(100 * ENTRY_BYTES), Cache(), Cache()
    shares.add(one)
    fill(one)
    assert 50 <= len(one) <= 101

    shares.add(other)
    fill(one)
    fill(other)
    assert 50 <= len(one) + len(other) <= 102

    shares.remove(one)
    fill(one)
    fill(other)
    assert len(one) <= 2
    assert 50 <= len(other) <= 101


def fill(cache: Cache) -> None:
    for number in range(1000):
        cache.put(b"%d" % number, number, 0)
