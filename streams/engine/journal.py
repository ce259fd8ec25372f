"""Which rows of a changelog count where no transaction says so: a conditional append, as the log itself allows it.

The rule: a write ends with a row that says at which offset its writer takes itself to be, and how far the input was read. It counts only if it lies
there: then its writer knew all that came before. A write that was torn has no such row, that of somebody who was overtaken lies elsewhere; both
are void, and the next write that counts says again what they touched. So of two writers each write of one is known to the other, or void.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.engine.errors import Overtaken
from streams.engine.overlay import Change

END_KEY = b"\x00\x00end"
"""Of the last row of a write, in the changelog and in the store; tags of rows may not begin with two zero bytes."""


class End(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a write: where it takes itself to be, and the input's offset that the rows up to here stand for."""

    at: int
    position: int


class Journal:
    """One changelog partition as its reader, and then writer, knows it."""

    def __init__(self) -> None:
        self.offset = 0
        """Behind the last row that was read or written."""
        self.last: End | None = None
        """The end of the last write that counts."""
        self._held: list[Change] = []

    def begin(self, stored: bytes | None) -> None:
        """Reading begins where a store stands that holds this end, or none."""
        self.last = None if stored is None else msgspec.msgpack.decode(stored, type=End)
        self._held = []

    def read(self, records: Sequence[Any], next_offset: int) -> tuple[list[Change], int]:
        """What counts of the rows read so far and was not returned yet, and the offset that a store which has it stands at.

        Before the first end that is met all rows count: they come from transactions, or their ends were compacted away, and then what was void among
        them is said again before the end that is met.
        """
        counts: list[Change] = []
        for record in records:
            row = Change(record.key, False, record.value)
            if record.key != END_KEY:
                (counts if self.last is None else self._held).append(row)
                continue
            end = msgspec.msgpack.decode(record.value, type=End)
            if end.at == record.offset:
                counts += self._held
                counts.append(row)
                self._held = []
                self.last = end
        self.offset = next_offset
        return counts, next_offset if self.last is None else self.last.at + 1

    @property
    def void(self) -> set[bytes]:
        """The keys of rows behind the last write that counts."""
        return {change.key for change in self._held}

    def end(self, rows: int, position: int) -> Change:
        """The row that ends a write of so many others, made from here on."""
        return Change(END_KEY, False, msgspec.msgpack.encode(End(self.offset + rows, position)))

    def wrote(self, changes: Sequence[Change], offset_behind: int | None) -> None:
        """A write was acknowledged; Overtaken if it does not lie where it was meant to, or nobody knows where it lies."""
        if offset_behind != self.offset + len(changes):
            raise Overtaken(f"a write to end at {self.offset + len(changes)} ends at {offset_behind}")
        self.offset += len(changes)
        value = changes[-1].value
        assert value is not None
        self.begin(value)


def plain(records: Sequence[Any], next_offset: int) -> tuple[Sequence[Any], int]:
    """A changelog that is written in transactions: all that a reader of committed records sees counts."""
    return records, next_offset
