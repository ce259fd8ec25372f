"""What a header tells of a record: how far a replayed source has come, what a source's reader has refused, where a record lay that is fed again or
was moved.

The rule this module owns: of a record with a time or a refusal no interaction comes; one that is fed again, or was moved, is read as it was at first,
and by whom it was read there it is passed over.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import msgspec
from msgspec import Struct

from schemas import rewritten, topics
from schemas.dead_letter import DETAIL_CHARACTERS_MAX, REASONS
from schemas.interaction import DETAIL_HEADER, ORIGIN_HEADER, REFUSED_HEADER, TIME_HEADER
from streams.boundary import Clock, Headers, Outgoing, Record
from streams.identity import messages
from streams.intake import clock as times
from streams.intake.refusal import Refusal

HEADERS = frozenset({TIME_HEADER, REFUSED_HEADER})

_NO_DETAIL = b"refused by the source's reader"
_DETAIL_BYTES_MAX = 4 * DETAIL_CHARACTERS_MAX
"""Room for as many characters as a letter holds, whichever they are."""


@final
class Fed(NamedTuple):
    """A record that is fed again or was moved, as it was where it lay first; `live`: it is fed again, and was read there by the live clock."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    partition: int
    offset: int
    live: bool


def origin(record: Record) -> Record:
    """A record as it was where it lay first, if it says where that was; else the record."""
    said = next((value for name, value in record.headers if name == ORIGIN_HEADER), None)
    if said is None or len(said) > _ORIGIN_BYTES_MAX:
        return record
    parts = said.split(b"/")
    if len(parts) != _ORIGIN_PARTS or not all(part.isdigit() for part in parts[:-1]) or parts[-1] not in _CLOCKS:
        return record
    partition, offset, timestamp_ms = map(int, parts[:-1])
    headers = [header for header in record.headers if header[0] != ORIGIN_HEADER]
    return Fed(record.key, record.value, headers, timestamp_ms, partition, offset, parts[-1] == _CLOCKS[0])


def first(record: Record, group: str) -> Record | None:
    """A record as it was where it lay before it was moved; the record, if it never was; None where the group had read it there."""
    moved = rewritten.of(record.headers)
    if moved is None:
        return record
    if group in moved.groups:
        return None
    headers = [header for header in record.headers if header[0] != rewritten.HEADER]
    return Fed(record.key, record.value, headers, moved.timestamp_ms, moved.partition, moved.offset, was_live(record))


def was_live(record: Record) -> bool:
    """Whether it is fed again from where it was read by the live clock."""
    return type(record) is Fed and record.live


_CLOCKS = (b"live", b"replay")
_ORIGIN_PARTS = 4
_ORIGIN_BYTES_MAX = 64


class _Time(Struct):
    time: str | int | float


_DECODE = msgspec.json.Decoder(_Time).decode


def header(record: Record) -> tuple[str, bytes] | None:
    """The header that makes a record no interaction; None for an interaction."""
    return next(((name, value) for name, value in record.headers if name in HEADERS), None)


def read(record: Record, name: str, value: bytes, clock: Clock, partitions: int) -> Sequence[Outgoing] | Refusal:
    """What such a record leads to: its time goes to every partition of the identity topic, or it is refused. Nothing comes of time where the
    clock is live, for it goes by itself: who plays a source need not know by which clock it is read."""
    if name == REFUSED_HEADER:
        return _refused(record, value)
    if not clock.replayed:
        return ()
    time = _time(record.value)
    if isinstance(time, Refusal):
        return time
    message = messages.encode(messages.Time(record.partition, time))
    return [Outgoing(topics.IDENTITY, None, message, (), partition) for partition in range(partitions)]


def _refused(record: Record, value: bytes) -> Refusal:
    reason = value.decode(errors="replace") if value else ""
    if reason not in REASONS:
        return Refusal("not_an_interaction", f"the reader said {reason!r}")
    detail = next((said for name, said in record.headers if name == DETAIL_HEADER), None) or _NO_DETAIL
    return Refusal(reason, detail[:_DETAIL_BYTES_MAX].decode(errors="replace"))


def _time(value: bytes | None) -> int | Refusal:
    try:
        said = _DECODE(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        return Refusal("not_an_interaction", f"a time record that cannot be read: {wrong}")
    read = times.instant(said.time)
    return Refusal("bad_timestamp", "time cannot be read as an instant") if read is None else read
