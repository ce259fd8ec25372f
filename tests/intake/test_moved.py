"""A record that was moved is passed over by whom it was read where it lay first; to everybody else it is what it was there."""

from __future__ import annotations

import pytest

from schemas import rewritten, topics
from schemas.interaction import ORIGIN_HEADER, TIME_HEADER
from schemas.rewritten import Rewritten
from streams import rows
from streams.boundary import Decision
from streams.intake import commands, steps
from tests.intake.given import LIVE, PARTITIONS, POLICY, REPLAY, Clock, Record, event_of, letter_of
from tests.intake.kinds import NOW_SECONDS, bytes_of

FIRST_MS = NOW_SECONDS * 1000
SAID = {"userId": "42", "event": "Order Completed", "timestamp": "2026-03-01T09:00:00Z"}
MOVED = rewritten.header(Rewritten(2, 77, FIRST_MS, ("ours", "crm")))


def decide(record: Record, group: str, clock: Clock = LIVE) -> Decision:
    return steps.decide([record], clock, POLICY, PARTITIONS, group=group)


def copy(value: bytes | None, *headers: tuple[str, bytes]) -> Record:
    """Five days later, elsewhere."""
    return Record(value, (*headers, MOVED), b"k", FIRST_MS + 5 * 24 * 3_600_000, 2, 5_000)


def test_who_had_read_it_passes_over_the_copy_and_counts_it_apart() -> None:
    decision = decide(copy(bytes_of(SAID)), "ours")

    assert (list(decision.send), dict(decision.tally)) == ([], {("kairos_interactions_moved",): 1})


def test_to_others_the_copy_is_the_record_as_it_was() -> None:
    (after,) = decide(copy(bytes_of(SAID)), "another").send
    (before,) = decide(Record(bytes_of(SAID), (), b"k", FIRST_MS, 2, 77), "another").send

    assert rows.decode_touch(event_of(after).touch) == rows.decode_touch(event_of(before).touch)
    assert rows.decode_touch(event_of(after).touch).id == f"{topics.INTERACTIONS}-2-77"


def test_what_is_refused_is_refused_with_its_first_place() -> None:
    (sent,) = decide(copy(b"?"), "another").send

    assert (letter_of(sent).partition, letter_of(sent).offset) == (2, 77)


def test_a_copy_that_is_fed_again_lay_where_it_was_first() -> None:
    fed = copy(bytes_of(SAID), (ORIGIN_HEADER, b"2/5000/%d/live" % (FIRST_MS + 7)))

    (sent,) = decide(fed, "shadow", REPLAY).send

    touch = rows.decode_touch(event_of(sent).touch)
    assert (touch.id, touch.received_at) == (f"{topics.INTERACTIONS}-2-77", FIRST_MS * 1000)


def test_time_that_was_moved_does_not_come_again() -> None:
    moved = copy(b'{"time":"2026-03-01T09:00:00Z"}', (TIME_HEADER, b"1"))

    assert not decide(moved, "ours", REPLAY).send
    assert len(decide(moved, "another", REPLAY).send) == PARTITIONS


def test_a_command_that_was_carried_out_is_passed_over() -> None:
    named = [{"type": "email", "value": "ann@kairos.shop"}]
    said = {"id": "c", "kind": "erase", "identifiers": named, "actor": "ben", "at": "2026-03-01T09:00:00Z", "reason": "asked"}

    decision = commands.decide([copy(bytes_of(said))], LIVE, POLICY, "ours")

    assert (list(decision.send), dict(decision.tally)) == ([], {("kairos_commands_moved",): 1})
    assert commands.decide([copy(bytes_of(said))], LIVE, POLICY, "another").send


@pytest.mark.parametrize("said", [b"", b"[2,77]", b"{}", b"\xff", b'[2,77,"x",["ours"]]', b"[" * 3_000])
def test_a_header_that_says_nothing_is_none(said: bytes) -> None:
    (sent,) = decide(Record(bytes_of(SAID), ((rewritten.HEADER, said),), b"k", FIRST_MS, 3, 5), "ours").send

    assert rows.decode_touch(event_of(sent).touch).id == f"{topics.INTERACTIONS}-3-5"
