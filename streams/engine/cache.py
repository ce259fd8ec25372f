"""Decoded rows kept in memory, bounded by an estimate of what they occupy.

The rule: only what is committed gets in, so an aborted batch leaves it as it was. Two generations stand in for an order of use: what is not asked for while
the young one fills up once is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ENTRY_BYTES = 400
"""What an entry costs besides its row: key, tuple, slot in the dictionary."""
DECODED_FACTOR = 5
"""A decoded row takes about five times the room of its encoding: by this count a cache of 256 MiB adds 270 MiB to what Python holds."""

MISSING: Any = object()


class Cache:
    """Rows by stored key; a row that is known not to exist is kept as None."""

    __slots__ = ("_half", "_old", "_young", "_young_bytes")

    def __init__(self, bytes_max: int = 0) -> None:
        self._half = bytes_max // 2
        self._young: dict[bytes, tuple[Any, int]] = {}
        self._old: dict[bytes, tuple[Any, int]] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: bytes) -> Any:
        """The row, None if there is none, MISSING if the cache does not know."""
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.pop(key, None)
            if entry is None:
                return MISSING
            self._keep(key, entry)
        return entry[0]

    def put(self, key: bytes, row: Any, encoded_bytes: int) -> None:
        """Keep a committed row, or that there is none; it replaces what was known."""
        before = self._young.get(key)
        if before is not None:
            self._young_bytes -= before[1]
        else:
            self._old.pop(key, None)
        self._keep(key, (row, ENTRY_BYTES + DECODED_FACTOR * encoded_bytes))

    def apply(self, changes: Iterable[tuple[bytes, Any, bytes | None]]) -> None:
        """`put` for every committed (key, row, encoding) of a batch at once, but those whose row is MISSING."""
        young, old, grown = self._young, self._old, 0
        for key, row, value in changes:
            if row is MISSING:
                continue
            size = ENTRY_BYTES if value is None else ENTRY_BYTES + DECODED_FACTOR * len(value)
            before = young.get(key)
            if before is not None:
                grown -= before[1]
            elif old:
                old.pop(key, None)
            young[key] = (row, size)
            grown += size
        self._young_bytes += grown
        self._turn_if_full()

    def bound(self, bytes_max: int) -> None:
        """It may hold so much from now on."""
        self._half = bytes_max // 2
        self._turn_if_full()

    def clear(self) -> None:
        """Forget everything: the store was changed by another way."""
        self._young, self._old, self._young_bytes = {}, {}, 0

    def _keep(self, key: bytes, entry: tuple[Any, int]) -> None:
        self._young[key] = entry
        self._young_bytes += entry[1]
        self._turn_if_full()

    def _turn_if_full(self) -> None:
        if self._young_bytes > self._half:
            self._young, self._old, self._young_bytes = {}, self._young, 0


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
