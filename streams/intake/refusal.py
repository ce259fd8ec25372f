"""A refusal, and the dead letter that tells of it.

The rule this module owns: a dead letter's key says where the record lay and nothing of whom it was about; the record's own key is in the value.
"""

from hashlib import blake2b
from typing import NamedTuple, final

from schemas import record as wire
from schemas import topics
from schemas.dead_letter import letter
from streams import instants
from streams.boundary import Headers, Outgoing, Record
from streams.instants import Instant

SOURCE = "kairos/intake"
_KEY_BYTES = 16


@final
class Refusal(NamedTuple):
    """Why a record is refused: a reason of schemas/dead_letter.py, and what exactly was found."""

    reason: str
    detail: str


def dead_letter(record: Record, refusal: Refusal, received_at: Instant, topic: str = topics.INTERACTIONS) -> Outgoing:
    """The dead letter of a record of `topic`; a trace context that the record had is carried on."""
    place = f"{topic}-{record.partition}-{record.offset}"
    written = instants.text(received_at)
    told = letter(refusal.reason, refusal.detail, topic, record.partition, record.offset, record.key, record.value or b"", written)
    return Outgoing(
        topics.DEAD_LETTERS,
        blake2b(place.encode(), digest_size=_KEY_BYTES).hexdigest().encode(),
        wire.encode(told),
        wire.cloud_event_headers(place, topics.DEAD_LETTERS, SOURCE, written, trace_parent(record.headers)),
    )


def trace_parent(headers: Headers) -> bytes | None:
    """The W3C trace context among a record's headers; None where there is none or it is none."""
    for name, value in headers:
        if name == wire.TRACE_PARENT and wire.is_trace_parent(value):
            return value
    return None
