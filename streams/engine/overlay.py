"""A batch's view of its partition's rows: what the batch has put, over the cache, over the store.

The rule: nothing below the overlay changes before the commit. For the batch a row is an object, decoded once however often it is asked for and encoded
once, at the end; that encoding serves changelog, store and cache.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from streams.engine.cache import MISSING, Cache
from streams.engine.partitioner import partition_of

R = TypeVar("R")


class Kind(Protocol[R]):
    """A kind of row by shape: the tag its stored keys begin with, and its codec."""

    @property
    def tag(self) -> bytes: ...
    def encode(self, row: R, /) -> bytes: ...
    def decode(self, value: bytes, /) -> R: ...


class Readable(Protocol):
    """What lies below: a store of encoded values by stored key."""

    def get_many(self, keys: list[bytes]) -> list[bytes | None]: ...
    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]: ...


class Change(NamedTuple):
    """A row that the batch put: its stored key, whether the cache shall keep it, its encoding; None where it was deleted."""

    key: bytes
    kept: bool
    value: bytes | None


class _Written:
    """The rows of one kind that the batch has put, by stored key; sorted from the first scan of that kind on."""

    __slots__ = ("cached", "encode", "rows", "sorted_keys")

    def __init__(self, kind: Kind[Any]) -> None:
        self.encode = kind.encode
        self.cached = _is_cached(kind)
        self.rows: dict[bytes, Any] = {}
        self.sorted_keys: list[bytes] | None = None


class Overlay:
    """Rows of one partition for one batch (boundary.Rows by shape)."""

    __slots__ = ("_cache", "_known", "_partition", "_partitions", "_store", "_written", "asked", "read")

    def __init__(self, store: Readable, cache: Cache, partition: int, partitions: int) -> None:
        self._store = store
        self._cache = cache
        self._partition = partition
        self._partitions = partitions
        self._known: dict[bytes, Any] = {}
        """What the batch has read or put, by stored key."""
        self._written: dict[bytes, _Written] = {}
        self.asked = 0
        """So many rows were asked for that the batch had not met, of kinds that the cache keeps,"""
        self.read = 0
        """and so many of those were read from the store."""

    def holds(self, key: bytes) -> bool:
        """Whether records with this key come to this partition."""
        return partition_of(key, self._partitions) == self._partition

    def get(self, kind: Kind[R], keys: Sequence[bytes]) -> list[R | None]:
        """The rows in the order of `keys`; what neither batch nor cache knows is read from the store in one go."""
        tag, known = kind.tag, self._known
        stored = [tag + key for key in keys]
        new = [key for key in stored if key not in known]
        if new:
            self._learn(kind, new)
        return [known[key] for key in stored]

    def scan(self, kind: Kind[R], first: bytes, end: bytes) -> Iterator[tuple[bytes, R]]:
        """Rows with first <= key < end by key, as they are now: what is put while it runs is not seen by it."""
        tag = kind.tag
        low, high = tag + first, tag + end
        return _merged(kind, len(tag), self._store.scan(low, high), self._own_between(tag, low, high))

    def put(self, kind: Kind[R], key: bytes, row: R | None) -> None:
        """Write a row; None deletes it."""
        tag = kind.tag
        written = self._written.get(tag)
        if written is None:
            written = self._written[tag] = _Written(kind)
        stored = tag + key
        if written.sorted_keys is not None and stored not in written.rows:
            insort(written.sorted_keys, stored)
        written.rows[stored] = self._known[stored] = row

    def changes(self) -> list[Change]:
        """Every row put, encoded."""
        changes: list[Change] = []
        add, new = changes.append, tuple.__new__  # What Change(...) comes to, without a call of Python for each of thousands.
        for written in self._written.values():
            encode, cached = written.encode, written.cached
            for stored, row in written.rows.items():
                add(new(Change, (stored, cached, None if row is None else encode(row))))
        return changes

    def _learn(self, kind: Kind[R], keys: list[bytes]) -> None:
        """Decode rows that the batch has not met yet; what the cache does not know is read from the store in one go, and known from then on."""
        cached, decode, known = _is_cached(kind), kind.decode, self._known
        values: list[bytes | None] = self._cache.get_many(keys) if cached else [MISSING] * len(keys)
        for key, value in zip(keys, values, strict=True):
            known[key] = None if value is None else MISSING if value is MISSING else decode(value)
        missing = [key for key in keys if known[key] is MISSING]
        self.asked += len(keys) if cached else 0
        if not missing:
            return
        read = self._store.get_many(missing)
        for key, value in zip(missing, read, strict=True):
            known[key] = None if value is None else decode(value)
        if cached:
            self.read += len(missing)
            self._cache.apply([(key, True, value) for key, value in zip(missing, read, strict=True)])

    def _own_between(self, tag: bytes, low: bytes, high: bytes) -> list[tuple[bytes, Any]]:
        written = self._written.get(tag)
        if written is None:
            return []
        if written.sorted_keys is None:
            written.sorted_keys = sorted(written.rows)
        keys, rows = written.sorted_keys, written.rows
        return [(key, rows[key]) for key in keys[bisect_left(keys, low) : bisect_left(keys, high)]]


def _is_cached(kind: Kind[Any]) -> bool:
    """Whether rows of this kind go into the cache: all do, unless the kind says that they are used once."""
    return bool(getattr(kind, "cached", True))


def _merged(
    kind: Kind[R], tag_length: int, stored: Iterator[tuple[bytes, bytes]], own: Iterable[tuple[bytes, Any]]
) -> Iterator[tuple[bytes, R]]:
    decode = kind.decode
    below = next(stored, None)
    for key, row in own:
        while below is not None and below[0] < key:
            yield below[0][tag_length:], decode(below[1])
            below = next(stored, None)
        if below is not None and below[0] == key:
            below = next(stored, None)
        if row is not None:
            yield key[tag_length:], row
    while below is not None:
        yield below[0][tag_length:], decode(below[1])
        below = next(stored, None)
