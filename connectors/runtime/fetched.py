"""A record as the feed reads it, and the output that it is. Its rule: what a record lacks is made of where it lies, so that it is the same each time."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from connectors.runtime.instants import rfc3339
from connectors.runtime.sinks import Output
from schemas.record import TRACE_PARENT


class Fetched(NamedTuple):
    """A record as the feed reads it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int


def output(record: Fetched, said: Struct | None) -> Output:
    """The output that a record holds; `said`: its value, read."""
    headers = record.headers
    event_id, said_at, trace_parent = (headers.get(name) for name in ("ce_id", "ce_time", TRACE_PARENT))
    return Output(
        record.topic,
        record.partition,
        record.offset,
        f"{record.topic}-{record.partition}-{record.offset}" if event_id is None else event_id.decode(errors="replace"),
        rfc3339(record.timestamp_ms * 1000) if said_at is None else said_at.decode(errors="replace"),
        (record.key or b"").decode(errors="replace"),
        record.value,
        said,
        None if trace_parent is None else trace_parent.decode(errors="replace"),
    )
