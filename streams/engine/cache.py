"""Rows kept in memory as they are encoded, bounded by what they occupy.

The rule: only what is committed gets in, so an aborted batch leaves it as it was, and as long as all has room nothing is dropped. Two generations stand in
for an order of use: what is asked for is young; of the old what came last is dropped first, and when none is left all is old.

A decoded row takes about five times the room of its encoding, strewn over as many places; to decode it when it is asked for costs less than to fetch these
from memory, and far less than to read from the store what had no room (reference work, 100,000 customers: 15.9 us of CPU an event instead of 17.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

ENTRY_BYTES = 200
"""What an entry costs besides its key and encoding: two objects, a slot in the dictionary."""

MISSING: Any = object()


class Cache:
    """Encoded rows by stored key; a row that is known not to exist is kept as None."""

    __slots__ = ("_bytes", "_bytes_max", "_old", "_young")

    def __init__(self, bytes_max: int = 0) -> None:
        self._bytes_max = bytes_max
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get_many(self, keys: Sequence[bytes]) -> list[Any]:
        """Of each the encoding, None if there is no such row, MISSING if the cache does not know."""
        young = self._young
        found: list[Any] = [young.get(key, MISSING) for key in keys]
        if self._old and MISSING in found:
            self._bring_back(keys, found)
        return found

    def put(self, key: bytes, value: bytes | None) -> None:
        """Keep a committed row, or that there is none; it replaces what was known."""
        self.apply(((key, True, value),))

    def apply(self, changes: Iterable[tuple[bytes, bool, bytes | None]]) -> None:
        """`put` for every committed (key, whether to keep it, encoding) of a batch at once."""
        young, old, grown = self._young, self._old, 0
        for key, kept, value in changes:
            if not kept:
                continue
            before = young.get(key, MISSING)
            if before is MISSING:
                before = old.pop(key, MISSING)
                if before is MISSING:
                    grown += ENTRY_BYTES + len(key)
                    before = None
            young[key] = value
            grown += (0 if value is None else len(value)) - (0 if before is None else len(before))
        self._bytes += grown
        self._make_room()

    def bound(self, bytes_max: int) -> None:
        """It may hold so much from now on."""
        self._bytes_max = bytes_max
        self._make_room()

    def clear(self) -> None:
        """Forget everything: the store was changed by another way."""
        self._young, self._old, self._bytes = {}, {}, 0

    def _bring_back(self, keys: Sequence[bytes], found: list[Any]) -> None:
        """What only the old generation knows is young again."""
        old, again = self._old, []
        for place, key in enumerate(keys):
            if found[place] is MISSING and (value := old.get(key, MISSING)) is not MISSING:
                found[place] = value
                again.append((key, True, value))
        self.apply(again)

    def _make_room(self) -> None:
        while self._bytes > self._bytes_max:
            if not self._old:
                self._young, self._old = {}, self._young
            key, value = self._old.popitem()
            self._bytes -= ENTRY_BYTES + len(key) + len(value or b"")


class Shares:
    """Room for all caches of a worker, in equal shares: what one worker holds has a bound, whether it has one partition or all."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._caches: list[Cache] = []

    def add(self, cache: Cache) -> None:
        """One more takes its share; adding it again changes nothing."""
        if cache not in self._caches:
            self._caches.append(cache)
            self._divide()

    def remove(self, cache: Cache) -> None:
        """Its share goes to the others."""
        if cache in self._caches:
            self._caches.remove(cache)
            cache.bound(0)
            self._divide()

    def _divide(self) -> None:
        for cache in self._caches:
            cache.bound(self._bytes_max // len(self._caches))
