"""What an agent gets: the records of one partition, its rows, a clock; and how many records make a batch.

The rule: a batch ends by `finish`, once, or by an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import thread_time
from typing import Any, NamedTuple, Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a topic as it was read; `timestamp_ms` is the topic's (LogAppendTime or CreateTime)."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int
    partition: int
    offset: int


class Clock(NamedTuple):
    """The time of a batch, read once: microseconds UTC, and whether the world is being replayed."""

    now: int
    replayed: bool


class Outgoing(Protocol):
    """A record to send; partition None: its key decides (murmur2, as Kafka's own producers do)."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def partition(self) -> int | None: ...


Tally = Mapping[tuple[str, ...], int]


class Decision(Protocol):
    """What a batch led to: records to send, in order, and counts to add once it is committed."""

    @property
    def send(self) -> Sequence[Outgoing]: ...
    @property
    def tally(self) -> Tally: ...
    @property
    def scrub(self) -> bool:
        """Whether what it deletes or replaces is to leave no trace in the files of the store (scrub.py)."""


class Says(NamedTuple):
    """A decision, for those who have none of their own."""

    send: Sequence[Any] = ()
    tally: Tally = {}
    scrub: bool = False


class Batch:
    """The records of one partition in the order of their offsets, none on a tick; `rows` is None for an agent without a table."""

    __slots__ = (
        "_end",
        "began",
        "clock",
        "cpu_began",
        "finished",
        "isolated",
        "next_offset",
        "partition",
        "records",
        "rows",
        "token",
        "topic",
        "waiting_since",
        "work_seconds",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        records: Sequence[Record],
        next_offset: int,
        rows: Any,
        clock: Clock,
        token: object,
        end: Callable[[Batch, Decision | None, Exception | None], None],
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records
        self.next_offset = next_offset
        self.rows = rows
        self.clock = clock
        self.token = token
        self.finished = False
        self.isolated = False
        self.began = 0.0
        self.cpu_began = 0.0
        self.work_seconds = 0.0
        self.waiting_since = 0.0
        self._end = end

    async def finish(self, decision: Decision) -> None:
        """Hand the decision over: one transaction writes outputs, rows and offset. Returns at once; the partition's next batch waits for the commit."""
        self._close()
        self.work_seconds = thread_time() - self.cpu_began
        self._end(self, decision, None)

    def fail(self, error: Exception) -> None:
        """The agent could not decide; the records are isolated."""
        self._close()
        self._end(self, None, error)

    def __str__(self) -> str:
        first = self.records[0].offset if self.records else self.next_offset
        return f"{self.topic}[{self.partition}] {len(self.records)} records from {first}"

    def _close(self) -> None:
        if self.finished:
            raise RuntimeError(f"a batch of {self.topic}[{self.partition}] was finished twice")
        self.finished = True


class Bounds:
    """How many records the next batch may have: by count, by bytes, and by the CPU time that records took so far.

    CPU, not the clock: on a machine that others use as well small batches would make it worse, since each has its price.
    """

    __slots__ = ("_records_max", "_seconds_max", "_seconds_per_record", "bytes_max")

    def __init__(self, records_max: int, bytes_max: int, seconds_max: float) -> None:
        self._records_max = records_max
        self.bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._seconds_per_record = 0.0

    @property
    def records(self) -> int:
        """At least one."""
        if self._seconds_per_record * self._records_max <= self._seconds_max:
            return self._records_max
        return max(1, int(self._seconds_max / self._seconds_per_record))

    def learn(self, records: int, seconds: float) -> None:
        """A batch of `records` took `seconds` of CPU; small ones say little about the cost of a record."""
        if records < min(32, self.records):
            return
        pace = seconds / records
        self._seconds_per_record = pace if not self._seconds_per_record else 0.7 * self._seconds_per_record + 0.3 * pace

    def cut(self, records: Sequence[Record], limit: int) -> int:
        """How many of `records` go into the batch: at most `limit`, and as many as the bytes allow, but one at least."""
        return count_within(records, limit, self.bytes_max)


def count_within(records: Sequence[Record], limit: int, bytes_max: int) -> int:
    """The length of the longest prefix of at most `limit` records and `bytes_max` bytes; one record always fits."""
    if size_of(records[:limit]) <= bytes_max:
        return min(limit, len(records))
    count = size = 0
    for record in records:
        if count == limit:
            break
        size += len(record.value or b"") + len(record.key or b"")
        if size > bytes_max and count:
            break
        count += 1
    return count


def size_of(records: Sequence[Record]) -> int:
    """Bytes of their keys and values."""
    return sum([len(record.value or b"") + len(record.key or b"") for record in records])
