"""When an interaction occurred and was received, in microseconds UTC; the skew of a sender's clock is corrected here only.

The rule this module owns: an interaction never moves time. What claims to be far ahead of its reception is refused, and of two instants of
reception the earlier holds, so that a sender cannot vouch for a future that the broker has not seen.
"""

from schemas.interaction import AHEAD_SECONDS_MAX, SKEW_SECONDS_MAX, Interaction
from streams import instants
from streams.instants import SECOND, Instant
from streams.intake.refusal import Refusal

EARLIEST: Instant = 946_684_800 * SECOND
"""2000-01-01T00:00:00Z; whatever occurred before has a clock that was never set."""

_AHEAD_MAX = AHEAD_SECONDS_MAX * SECOND
_SKEW_MAX = SKEW_SECONDS_MAX * SECOND
_YEAR_9999_MS = 253_402_300_800_000

instant = instants.read


def appended(timestamp_ms: int, now: Instant) -> Instant:
    """When the broker took the record; now, where its timestamp is none."""
    return timestamp_ms * 1_000 if 0 < timestamp_ms < _YEAR_9999_MS else now


def times(said: Interaction, appended_at: Instant, replayed: bool) -> tuple[Instant, Instant] | Refusal:
    """When it occurred and when it was received.

    With `sentAt` the sender's clock is corrected: occurred = received - (sent - original). A difference of over a day is no skew but an
    interaction that was kept and sent again later, so it is left alone. In a replay only a recorded reception tells of the sender's clock, and it
    lies in the past as any other: what is said to be received after the broker took it was received then.
    """
    received_at = appended_at
    if said.received_at is not None:
        given = instant(said.received_at)
        if given is None:
            return Refusal("bad_timestamp", "receivedAt cannot be read as an instant")
        received_at = min(given, appended_at)
    written = said.timestamp if said.timestamp is not None else said.original_timestamp
    if written is None:
        return Refusal("bad_timestamp", "timestamp is missing")
    occurred_at = instant(written)
    if occurred_at is None:
        return Refusal("bad_timestamp", "timestamp cannot be read as an instant")
    if said.sent_at is not None and (said.received_at is not None or not replayed):
        corrected = _corrected(said, occurred_at, received_at)
        if isinstance(corrected, Refusal):
            return corrected
        occurred_at = corrected
    if occurred_at < EARLIEST:
        return Refusal("too_old", "timestamp is before the year 2000")
    if occurred_at > received_at + _AHEAD_MAX:
        return Refusal("too_far_ahead", f"timestamp is {(occurred_at - received_at) // SECOND} seconds ahead of the reception")
    return occurred_at, received_at


def _corrected(said: Interaction, occurred_at: Instant, received_at: Instant) -> Instant | Refusal:
    assert said.sent_at is not None
    sent_at = instant(said.sent_at)
    if sent_at is None:
        return Refusal("bad_timestamp", "sentAt cannot be read as an instant")
    original = occurred_at
    if said.original_timestamp is not None:
        read = instant(said.original_timestamp)
        if read is None:
            return Refusal("bad_timestamp", "originalTimestamp cannot be read as an instant")
        original = read
    skew = received_at - sent_at
    return original + skew if -_SKEW_MAX <= skew <= _SKEW_MAX else occurred_at
