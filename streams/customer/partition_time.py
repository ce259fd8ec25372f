"""Partition time: a stored row, moved by ticks only, and the deadlines that fall due when it moves.

Live, a tick is a batch without records and brings the wall clock. Under the replay clock every intake partition says how far its source
is; the time of a partition is the least that any of them has said, and none before all have spoken.
"""

from collections.abc import Iterable
from typing import NamedTuple

from streams import rows as kinds
from streams.boundary import Clock, Rows
from streams.instants import MINUTE, Instant

PARTITION = b""
BEGUN = b"b"
INSTANT_BYTES = 8


class PartitionTime(NamedTuple):
    """The time of a partition in a batch, whether this batch moved it (only then may deadlines have fallen due), and what it was before."""

    instant: Instant
    moved: bool
    before: Instant


class Due(NamedTuple):
    """The entries that have come due (key, root), earliest first; `more` says that the slice was full."""

    entries: list[tuple[bytes, bytes]]
    more: bool


def replayed(rows: Rows, said: Iterable[tuple[int, Instant]], partitions: int) -> PartitionTime:
    """Take in what intake partitions said (partition, least instant still to come) under the replay clock."""
    for source, instant in said:
        key = source.to_bytes(4, "big")
        (before,) = rows.get(kinds.TIME, [key])
        if before is None or _read(before) < instant:
            rows.put(kinds.TIME, key, _write(instant))
    everyone = rows.get(kinds.TIME, [source.to_bytes(4, "big") for source in range(partitions)])
    spoken = [_read(row) for row in everyone if row is not None]
    instant = min(spoken) if len(spoken) == partitions else 0
    return _move(rows, instant)


def ticked(rows: Rows, clock: Clock) -> PartitionTime:
    """A tick of the live clock. The row is written once a minute: what it says is a lower bound, and no customer's own time goes back."""
    stored = current(rows).instant
    if clock.now - stored >= MINUTE:
        return _move(rows, clock.now)
    return PartitionTime(max(stored, clock.now), True, stored)


def current(rows: Rows) -> PartitionTime:
    """The time as it stands, unmoved."""
    (row,) = rows.get(kinds.TIME, [PARTITION])
    instant = 0 if row is None else _read(row)
    return PartitionTime(instant, False, instant)


def begun(rows: Rows) -> Instant | None:
    """What the time was before the first slice of deadlines of which some are still to fall due; None where none are."""
    (row,) = rows.get(kinds.TIME, [BEGUN])
    return None if row is None else _read(row)


def begin(rows: Rows, before: Instant | None) -> None:
    """Keep that for the batches to come, or (None) forget it."""
    rows.put(kinds.TIME, BEGUN, None if before is None else _write(before))


def due(rows: Rows, instant: Instant, most: int) -> Due:
    """The entries whose deadline is not after the instant, at most `most`; the caller folds their subjects and deletes them."""
    entries: list[tuple[bytes, bytes]] = []
    for entry in rows.scan(kinds.DUE, b"", _write(instant + 1)):
        if len(entries) == most:
            return Due(entries, True)
        entries.append(entry)
    return Due(entries, False)


def due_key(deadline: Instant, subject: bytes) -> bytes:
    """The key of a deadline's entry: it sorts by the instant, then by subject."""
    return _write(deadline) + subject


def deadline_of(key: bytes) -> Instant:
    """The deadline of an entry."""
    return _read(key[:INSTANT_BYTES])


def subject_of(key: bytes) -> bytes:
    """The subject of a deadline's entry."""
    return key[INSTANT_BYTES:]


def _move(rows: Rows, instant: Instant) -> PartitionTime:
    stored = current(rows).instant
    if instant <= stored:
        return PartitionTime(stored, False, stored)
    rows.put(kinds.TIME, PARTITION, _write(instant))
    return PartitionTime(instant, True, stored)


def _read(row: bytes) -> Instant:
    return int.from_bytes(row, "big")


def _write(instant: Instant) -> bytes:
    return max(instant, 0).to_bytes(INSTANT_BYTES, "big")
