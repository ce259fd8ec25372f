"""Dead letters of interactions that are older than their customers' timelines reach.

The rule this module owns: who refuses here is the customer agent, so a letter says where the message lay that brought the interaction (topic
journey.identity.v1); the original is what the producer sent, byte for byte, and by its SHA-256 it is found among the interactions.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from schemas import record as wire
from schemas import topics
from schemas.dead_letter import letter
from streams import instants
from streams.boundary import Outgoing, Record
from streams.customer.horizon import Late
from streams.identity import messages
from streams.rows import decode_touch

REASON = "too_late"
SOURCE = "kairos/customer"
_KEY_BYTES = 16


def letters(late: Sequence[Late], records: Sequence[Record], tally: Counter[tuple[str, ...]]) -> list[Outgoing]:
    """A letter for each, counted; of what had waited in this partition for others' rows the batch's last record is the place."""
    brought_by: dict[bytes, Record] = {}
    for record in records:
        message = messages.decode(record.value or b"")
        if isinstance(message, messages.Event | messages.Apply):
            brought_by.setdefault(message.uid, record)
    tally["kairos_interactions_too_late",] += len(late)
    tally["kairos_interactions_dead", REASON] += len(late)
    return [_letter(one, number, brought_by.get(one.applied.uid, records[-1])) for number, one in enumerate(late)]


def _letter(late: Late, number: int, record: Record) -> Outgoing:
    touch = decode_touch(late.applied.touch)
    place = f"{topics.IDENTITY}-{record.partition}-{record.offset}-{number}"
    detail = f"It occurred at {instants.text(touch.occurred_at)}, and the customer's timeline begins after {instants.text(late.floor)}."
    written = instants.text(touch.received_at)
    told = letter(REASON, detail, topics.IDENTITY, record.partition, record.offset, record.key, touch.payload, written)
    trace = None if touch.trace_parent is None else touch.trace_parent.encode()
    return Outgoing(
        topics.DEAD_LETTERS,
        blake2b(place.encode(), digest_size=_KEY_BYTES).hexdigest().encode(),
        wire.encode(told),
        wire.cloud_event_headers(place, topics.DEAD_LETTERS, SOURCE, written, trace),
    )
