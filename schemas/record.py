"""A record's three parts: key, value and headers; the one codec of JSON values.

Headers follow CloudEvents' Kafka binding in binary mode (cloudevents.io, 1.0.2): `ce_` before each attribute, and `content-type`.
The rule this module owns: the type of an event is the name of the topic it is on.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)

_ENCODER = msgspec.json.Encoder(decimal_format="string", order="deterministic")

CONTENT_TYPE = ("content-type", b"application/json")
SPEC_VERSION = ("ce_specversion", b"1.0")
TRACE_PARENT = "traceparent"

_TRACE_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


encode: Callable[[object], bytes] = _ENCODER.encode
"""Write a value as the wire has it; equal values give equal bytes."""


def decode(kind: type[S], value: bytes) -> S:
    """Read a value of a topic; msgspec.ValidationError or DecodeError where it is none."""
    return msgspec.json.decode(value, type=kind)


def cloud_event_headers(
    event_id: str, event_type: str, source: str, time: str, trace_parent: bytes | None = None
) -> Sequence[tuple[str, bytes]]:
    """The headers of an output: `time` is RFC 3339; a trace context that came in is carried on."""
    headers = [("ce_id", event_id.encode()), *_shared(event_type, source, time)]
    if trace_parent is not None:
        headers.append((TRACE_PARENT, trace_parent))
    return headers


@lru_cache(maxsize=256)
def _shared(event_type: str, source: str, time: str) -> tuple[tuple[str, bytes], ...]:
    """What all outputs of a batch on one topic have in common."""
    return (
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        SPEC_VERSION,
        ("ce_time", time.encode()),
        CONTENT_TYPE,
    )


def is_trace_parent(value: bytes) -> bool:
    """Whether this is a trace context as W3C's Trace Context writes it (version, trace, parent and flags in lower-case hexadecimal)."""
    return _TRACE_PARENT.fullmatch(value) is not None
