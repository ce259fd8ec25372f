"""Finding the record that makes a batch fail: batches are halved down to one record, and grow again behind it.

The rule: bounded. A batch of n records with one that fails costs at most about 2 log2(n) attempts, each record that fails alone one more.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.engine.batch import Record


class Isolation:
    """How small the batches of one partition have to be for now."""

    __slots__ = ("_limit", "_refused_error", "_refused_offset", "_until")

    def __init__(self) -> None:
        self._until = -1
        self._limit = 0
        self._refused_offset = -1
        self._refused_error: Exception | None = None

    def limit(self, position: int, otherwise: int) -> int:
        """How many records the batch that begins at `position` may have."""
        return min(self._limit, otherwise) if position < self._until else otherwise

    def narrow(self, next_offset: int, records: int) -> None:
        """A batch of so many records that ends before `next_offset` failed."""
        self._until = max(self._until, next_offset)
        self._limit = max(1, records // 2)

    def went_well(self, next_offset: int) -> None:
        """A batch that ends before `next_offset` is committed."""
        if next_offset < self._until:
            self._limit *= 2
        else:
            self._until = -1

    def refuse(self, offset: int, error: Exception) -> None:
        """The broker refused what this record alone leads to: the agent is not asked again."""
        self._refused_offset, self._refused_error = offset, error

    def refused(self, records: Sequence[Record]) -> Exception | None:
        """Why the broker refused what the only record of a batch leads to, if it did."""
        if len(records) == 1 and records[0].offset == self._refused_offset:
            return self._refused_error
        return None
