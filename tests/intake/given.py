"""What a decision is given: records, clocks and a policy, with plain defaults."""

from typing import NamedTuple

from schemas import record as wire
from schemas import topics
from schemas.dead_letter import DeadLetter
from streams import rows
from streams.boundary import Decision, Outgoing
from streams.identity import messages
from streams.intake import steps
from streams.journeys.identity_policy import identity_policy
from streams.rows import Touch
from tests.intake.kinds import NOW_SECONDS, bytes_of

POLICY = identity_policy(b"a secret of the tests", "GB")
PARTITIONS = 4
NOW = NOW_SECONDS * 1_000_000


class Record(NamedTuple):
    """A record as the engine hands it over."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes | None = b"a key"
    timestamp_ms: int = NOW_SECONDS * 1_000
    partition: int = 2
    offset: int = 77


class Clock(NamedTuple):
    """The time of a batch."""

    now: int = NOW
    replayed: bool = False


LIVE = Clock()
REPLAY = Clock(replayed=True)


def decide(*records: Record, clock: Clock = LIVE) -> Decision:
    """The decision for these records."""
    return steps.decide(records, clock, POLICY, PARTITIONS)


def sent(clock: Clock = LIVE, **fields: object) -> Outgoing:
    """What one interaction leads to: user 42's, an order, now; `fields` as on the wire, None leaves one out."""
    value = {"messageId": "m-1", "userId": "42", "event": "Order Completed", "timestamp": "2026-03-01T09:00:00Z"} | fields
    (outgoing,) = decide(Record(bytes_of({name: said for name, said in value.items() if said is not None})), clock=clock).send
    return outgoing


def event_of(outgoing: Outgoing) -> messages.Event:
    """The message to the anchor; an AssertionError where there is none."""
    assert outgoing.topic == topics.IDENTITY, outgoing.value
    assert outgoing.value is not None
    message = messages.decode(outgoing.value)
    assert isinstance(message, messages.Event)
    return message


def touch(clock: Clock = LIVE, **fields: object) -> Touch:
    """The touch that one interaction becomes."""
    return rows.decode_touch(event_of(sent(clock, **fields)).touch)


def letter_of(outgoing: Outgoing) -> DeadLetter:
    """The dead letter; an AssertionError where there is none."""
    assert outgoing.topic == topics.DEAD_LETTERS
    assert outgoing.value is not None
    return wire.decode(DeadLetter, outgoing.value)
