"""The overlay behaves as a dictionary does, whatever lies in the store or the cache."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.cache import Cache
from streams.engine.overlay import Change, Overlay
from streams.engine.partitioner import partition_of


class Text:
    def __init__(self, tag: bytes) -> None:
        self.tag = tag

    def encode(self, row: str) -> bytes:
        return row.encode()

    def decode(self, value: bytes) -> str:
        return value.decode()


class Stored:
    """A store of encoded values, as naive as can be."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted((key, value) for key, value in self.values.items() if first <= key < end))

    def apply(self, changes: list[Change], cache: Cache) -> None:
        for key, _, value in changes:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
        cache.apply(changes)


KINDS = [Text(b"a"), Text(b"b")]
keys = st.binary(max_size=2)
rows = st.one_of(st.none(), st.text(max_size=3))
steps = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 1), keys, rows),
    st.tuples(st.just("get"), st.integers(0, 1), st.lists(keys, max_size=4), st.none()),
    st.tuples(st.just("scan"), st.integers(0, 1), keys, keys),
    st.tuples(st.just("commit"), st.just(0), st.none(), st.none()),
    st.tuples(st.just("abort"), st.just(0), st.none(), st.none()),
)


@given(st.lists(steps, max_size=40), st.sampled_from([0, 2000, 1 << 20]))
def test_overlay_agrees_with_a_dictionary(plan: list[tuple[str, int, object, object]], cache_bytes: int) -> None:
    stored, cache = Stored(), Cache(cache_bytes)
    committed: dict[tuple[int, bytes], str] = {}
    model = dict(committed)
    overlay = Overlay(stored, cache, 0, 1)

    for act, kind, first, second in plan:
        if act == "put":
            overlay.put(KINDS[kind], first, second)
            model.pop((kind, first), None)
            if second is not None:
                model[kind, first] = second
        elif act == "get":
            assert overlay.get(KINDS[kind], first) == [model.get((kind, key)) for key in first]
        elif act == "scan":
            assert list(overlay.scan(KINDS[kind], first, second)) == sorted(
                (k, v) for (n, k), v in model.items() if n == kind and first <= k < second
            )
        else:
            if act == "commit":
                stored.apply(overlay.changes(), cache)
                committed = dict(model)
            model = dict(committed)
            overlay = Overlay(stored, cache, 0, 1)


def test_scan_sees_rows_as_they_were_when_it_began() -> None:
    overlay = Overlay(Stored(), Cache(1 << 20), 0, 1)
    for name in (b"1", b"3"):
        overlay.put(KINDS[0], name, name.decode())

    seen = []
    for key, _ in overlay.scan(KINDS[0], b"", b"9"):
        seen.append(key)
        overlay.put(KINDS[0], b"2", "new")
        overlay.put(KINDS[0], b"3", None)

    assert seen == [b"1", b"3"]
    assert [key for key, _ in overlay.scan(KINDS[0], b"", b"9")] == [b"1", b"2"]


def test_a_row_is_encoded_once_however_often_it_is_put() -> None:
    overlay = Overlay(Stored(), Cache(1 << 20), 0, 1)
    for text in ("one", "two"):
        overlay.put(KINDS[0], b"k", text)
    overlay.put(KINDS[1], b"k", None)

    assert overlay.changes() == [Change(b"ak", True, b"two"), Change(b"bk", True, None)]


def test_holds_agrees_with_the_partitioner() -> None:
    overlay = Overlay(Stored(), Cache(0), 3, 8)

    assert [overlay.holds(b"%d" % n) for n in range(100)] == [partition_of(b"%d" % n, 8) == 3 for n in range(100)]


class Once(Text):
    """Rows that are not soon asked for again."""

    cached = False


def test_a_kind_that_is_used_once_stays_out_of_the_cache() -> None:
    cache, store, kind = Cache(1 << 20), Stored(), Once(b"a")
    store.values[b"ak"] = b"one"
    overlay = Overlay(store, cache, 0, 1)

    assert overlay.get(kind, [b"k", b"l"]) == ["one", None]
    overlay.put(kind, b"l", "two")
    changes = overlay.changes()
    cache.apply(changes)

    assert [(change.key, change.value) for change in changes] == [(b"al", b"two")]
    assert len(cache) == 0
