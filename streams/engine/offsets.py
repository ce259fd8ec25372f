"""Where a partition stands: what is acknowledged, what is read and waits.

The rule: the position is the acknowledged prefix. It moves only when a batch is committed, and only forward; what lies below it is cut, whoever brings it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from streams.engine.batch import Bounds, Record, size_of


class Gap(Exception):
    """What was brought does not follow what was read before: something in between went another way."""


class Chunk(NamedTuple):
    """What one fetch brought of a partition: records by offset, and the offset after them, markers and aborted records included."""

    records: Sequence[Record]
    next_offset: int
    first_offset: int = 0
    """Where reading stood before; the first record may come later, never earlier."""


class Taken(NamedTuple):
    """The records of a batch and where the partition stands once it is committed."""

    records: Sequence[Record]
    next_offset: int


class Waiting:
    """Chunks in the order they were read, from the position on."""

    __slots__ = ("_chunks", "bytes", "count", "position", "read_to")

    def __init__(self, position: int) -> None:
        self.position = position
        """Everything below is acknowledged."""
        self.read_to = position
        """Everything below is acknowledged, taken or waiting."""
        self.count = 0
        """Records that wait."""
        self.bytes = 0
        """Their keys and values."""
        self._chunks: deque[Chunk] = deque()

    def offer(self, chunk: Chunk) -> None:
        """Keep what was read, less the records below where reading stands. Gap if it begins beyond."""
        if chunk.first_offset > self.read_to:
            raise Gap(f"read from {chunk.first_offset} on, but reading stood at {self.read_to}")
        records = cut_below(chunk.records, self.read_to)
        self.read_to = max(self.read_to, chunk.next_offset)
        if records:
            self._chunks.append(Chunk(records, chunk.next_offset))
            self.count += len(records)
            self.bytes += size_of(records)

    @property
    def oldest_ms(self) -> int:
        """When the topic took the first record that waits; 0 where none does."""
        return self._chunks[0].records[0].timestamp_ms if self._chunks else 0

    def room(self, bounds: Bounds) -> int:
        """How many more records may wait: at most two batches lie undecoded, fewer where records are large. What one read brings may exceed the bytes."""
        limit = bounds.records
        return 0 if self.count >= limit or self.bytes >= bounds.bytes_max else 2 * limit - self.count

    def take(self, bounds: Bounds, limit: int) -> Taken:
        """The next batch: small chunks are joined, large ones split. Without anything waiting: no records, and where reading stands."""
        if not self._chunks:
            return Taken((), self.read_to)
        records, next_offset, _ = self._chunks.popleft()
        if self._chunks and len(records) < limit:
            records = list(records)
            while self._chunks and len(records) < limit:
                after = self._chunks.popleft()
                records += after.records
                next_offset = after.next_offset
        count = min(limit, len(records)) if self.bytes <= bounds.bytes_max else bounds.cut(records, limit)
        if count == len(records):
            taken = Taken(records, next_offset)
        else:
            taken = Taken(records[:count], records[count - 1].offset + 1)
            self._chunks.appendleft(Chunk(records[count:], next_offset))
        self.count -= count
        self.bytes -= size_of(taken.records) if self._chunks else self.bytes
        return taken

    def give_back(self, taken: Taken) -> None:
        """The records of a batch that was not done wait again, first in line."""
        if taken.records:
            self._chunks.appendleft(Chunk(taken.records, taken.next_offset))
            self.count += len(taken.records)
            self.bytes += size_of(taken.records)

    def acknowledge(self, next_offset: int) -> None:
        """A batch is committed."""
        self.position = max(self.position, next_offset)


def cut_below(records: Sequence[Record], position: int) -> Sequence[Record]:
    """The records from `position` on; offsets ascend, with gaps."""
    if not records or records[0].offset >= position:
        return records
    low, high = 0, len(records)
    while low < high:
        middle = (low + high) // 2
        if records[middle].offset < position:
            low = middle + 1
        else:
            high = middle
    return records[low:]
