"""A record that is fed again is read as it was where it lay first: its id, its reception, its skew, its place in a dead letter."""

from __future__ import annotations

import pytest

from schemas import topics
from schemas.interaction import ORIGIN_HEADER
from streams import rows
from streams.boundary import Decision, Outgoing
from streams.rows import Touch
from tests.intake.given import LIVE, NOW, REPLAY, Clock, Record, decide, event_of, letter_of
from tests.intake.kinds import NOW_SECONDS, bytes_of

HOUR_MS = 3_600_000
FIRST_MS = NOW_SECONDS * 1000
LATER_MS = FIRST_MS + 48 * HOUR_MS
SAID = {"userId": "42", "event": "Order Completed", "timestamp": "2026-03-01T09:00:00Z"}


def first(value: bytes, clock: Clock) -> Decision:
    """Where it lay first."""
    return decide(Record(value, (), b"k", FIRST_MS, 2, 77), clock=clock)


def again(value: bytes, by: str, clock: Clock = REPLAY) -> Decision:
    """Fed again: elsewhere, two days later."""
    origin = (ORIGIN_HEADER, f"2/77/{FIRST_MS}/{by}".encode())
    return decide(Record(value, (origin,), b"k", LATER_MS, 3, 5), clock=clock)


def touch(decision: Decision) -> Touch:
    """The touch of the one interaction, but for what says that it is replayed."""
    (outgoing,) = decision.send
    found = rows.decode_touch(event_of(outgoing).touch)
    return rows.decode_touch(rows.encode_touch(found))


def compared(found: Touch) -> tuple[object, ...]:
    """All that is to be the same: `replayed` says how it was read."""
    return tuple(getattr(found, name) for name in found.__struct_fields__ if name != "replayed")


@pytest.mark.parametrize(("by", "clock"), [("live", LIVE), ("replay", REPLAY)])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"messageId": "m-1"},
        {"sentAt": "2026-03-01T08:00:00Z"},
        {"sentAt": "2026-03-01T08:00:00Z", "receivedAt": "2026-03-01T08:30:00Z"},
        {"timestamp": "2026-03-02T08:00:00Z"},
    ],
    ids=["without an id", "with an id", "skewed", "skewed and received", "ahead"],
)
def test_fed_again_it_is_the_same_interaction(by: str, clock: Clock, more: dict[str, str]) -> None:
    value = bytes_of(SAID | more)

    before, after = touch(first(value, clock)), touch(again(value, by))

    assert compared(after) == compared(before)
    assert after.replayed


def test_what_was_refused_is_refused_again_with_its_first_place() -> None:
    ahead = bytes_of(SAID | {"timestamp": "2026-03-02T20:00:00Z"})

    before, after = (letter_of(_one(decision)) for decision in (first(ahead, LIVE), again(ahead, "live")))

    assert after == before
    assert (after.reason, after.topic, after.partition, after.offset) == ("too_far_ahead", topics.INTERACTIONS, 2, 77)


def test_under_the_live_clock_nobody_says_where_a_record_lay() -> None:
    found = touch(again(bytes_of(SAID), "live", LIVE))

    assert (found.id, found.received_at) == ("journey.interactions.v1-3-5", LATER_MS * 1000)
    assert found.received_at > NOW


@pytest.mark.parametrize(
    "said", [b"", b"2/77", b"2/77/x/live", b"-1/77/1/live", b"2/77/1/soon", b"9" * 5_000 + b"/1/1/live", b"\xff/1/1/live"]
)
def test_an_origin_that_is_none_is_none(said: bytes) -> None:
    decision = decide(Record(bytes_of(SAID), ((ORIGIN_HEADER, said),), b"k", FIRST_MS, 3, 5), clock=REPLAY)

    assert touch(decision).id == "journey.interactions.v1-3-5"


def _one(decision: Decision) -> Outgoing:
    (outgoing,) = decision.send
    return outgoing
