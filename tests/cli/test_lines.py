"""A record is one line that a person can read, whatever it holds."""

from __future__ import annotations

import orjson
import pytest

from schemas import topics
from streams import instants
from streams.cli import lines
from streams.identity import messages
from streams.identity.identifiers import customer_id
from streams.rows import NODE_KEY_BYTES, Touch, encode_touch
from tests.cli import values


def _line(topic: str, value: object) -> str:
    return lines.line(topic, b"key", orjson.dumps(value)).plain


def test_a_stage_change_says_who_from_where_to_where_and_why() -> None:
    assert _line(topics.STAGES, values.stage()) == "2011-03-01 09:00  cannannann  retail repeat → loyal  by m1"


def test_a_stage_change_by_time_says_so() -> None:
    cause = {"kind": "deadline", "messageId": "m1", "deadline": "2011-05-30T09:00:00Z"}
    assert _line(topics.STAGES, values.stage(to="at_risk", cause=cause)).endswith("repeat → at_risk  by time, since m1")


def test_a_first_stage_has_no_stage_before() -> None:
    assert "· → first_order" in _line(topics.STAGES, values.stage(**{"from": None, "to": "first_order"}))


def test_a_moment_carries_its_explanation() -> None:
    assert (
        _line(topics.MOMENTS, values.moment()) == "2011-03-01 09:00  cannannann  big_order fired  Ordered for 900.00, 3.1 times the usual."
    )


def test_a_moment_that_was_held_back_says_by_what() -> None:
    held = {"status": "suppressed", "reason": "cap", "limit": "at most 3 within 30 days"}

    assert " suppressed (cap: at most 3 within 30 days)  Ordered" in _line(topics.MOMENTS, values.moment(**held))
    assert " suppressed (cap)  Ordered" in _line(topics.MOMENTS, values.moment(**{**held, "limit": None}))


@pytest.mark.parametrize(
    ("topic", "value"), [(topics.STAGES, values.stage), (topics.SEGMENTS, values.segment), (topics.MOMENTS, values.moment)]
)
def test_a_retraction_is_marked(topic: str, value: object) -> None:
    assert callable(value)
    assert "retracted" in _line(topic, value(retracts="s1"))


def test_a_profile_says_who_where_and_how_much() -> None:
    assert _line(topics.PROFILES, values.profile()) == "cannannann  v3  crm_id:17850  retail: loyal  high_value  1 orders 10.50 GBP"


def test_a_redirect_says_where_to() -> None:
    assert _line(topics.PROFILES, values.profile(mergedInto=values.BOB)) == "cannannann  v3  is now cbobbobbob"


def test_an_erasure_says_what_it_deleted_and_what_came_afterwards() -> None:
    told = {"kind": "erasure", "from": [values.ANN], "into": [], "deleted": {"interactions": 1_200, "links": 3}}
    after = {"kind": "after_erasure", "from": [], "into": [], "deleted": {"interactions": 2}, "late": ["0f"]}

    assert _line(topics.IDENTITY_CHANGES, values.output(**told)) == "2011-03-01 09:00  erasure  cannannann  1,200 interactions deleted"
    line = "2011-03-01 09:00  after erasure  cannannann  2 interactions deleted, 1 interaction not kept"
    assert _line(topics.IDENTITY_CHANGES, values.output(**after)) == line


def test_a_dead_letter_says_its_reason_and_place() -> None:
    assert _line(topics.DEAD_LETTERS, values.dead(7)) == "not_json  journey.interactions.v1 0 @ 7  0 bytes  why"


def test_a_value_that_is_none_of_the_topics_is_shown_as_it_stands() -> None:
    assert _line(topics.STAGES, {"id": 1}) == '{"id":1}'
    assert _line(topics.MOMENTS, [1, 2]) == "[1,2]"


def test_a_value_that_is_no_json_is_told_by_its_size() -> None:
    assert lines.line(topics.STAGES, b"\x00\x01", b"\x92\xff").plain == "0001 2 bytes, not JSON"


def test_a_deleted_record_says_so() -> None:
    assert lines.line(topics.PROFILES, b"cann", None).plain == "cann deleted"


def test_no_control_character_reaches_the_terminal() -> None:
    told = values.moment(moment="\x1b[2Jbig", explanation={"text": "a\rb\nc\x9b1m"})
    line = _line(topics.MOMENTS, told)
    assert line.isprintable() or not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


@pytest.mark.parametrize(
    ("written", "shown"),
    [("0", "0.00"), ("1234.5", "1,234.50"), ("-0.075", "-0.075"), ("1000.005", "1,000.005"), ("7.100", "7.10"), ("77183.6", "77,183.60")],
)
def test_an_amount_is_shown_to_the_cent_and_never_cut(written: str, shown: str) -> None:
    assert lines.amount(written) == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("22.2", "22.20"),
        ("-37.3", "-37.30"),
        ("1348.58", "1,348.58"),
        ("7", "7.00"),
        ("0.005", "0.005"),
        ("1e9", "1e9"),
        ("a\tlot", "a\ufffdlot"),
    ],
)
def test_money_is_shown_with_two_decimals_at_least(sent: str, shown: str) -> None:
    assert lines.money(sent) == shown


def test_an_internal_message_says_its_kind_and_fields() -> None:
    key = bytes(range(NODE_KEY_BYTES))
    said = messages.encode(messages.Time(2, instants.parse("2011-12-10T00:00:00Z") or 0))
    touch = Touch("m1", "shop", 0, 0, "track", "Order Completed", "web", "shop", (), b"{}")
    assert lines.identity_message(messages.encode(messages.GO_ON)).plain == "time  go on with the deadlines that are due"
    event = messages.Event(key, (key,), b"\x01", instants.parse("2011-03-01T09:00:00Z") or 0, encode_touch(touch))

    assert lines.line(topics.IDENTITY, None, said).plain == "time  source 2  time 2011-12-10 00:00"
    told = lines.line(topics.IDENTITY, None, messages.encode(event)).plain
    assert (
        told
        == f"event  anchor {lines.short(customer_id(key))}  ids {lines.short(customer_id(key))}  uid 01  occurred_at 2011-03-01 09:00  touch m1"
    )
    assert "no message of the identity protocol" in lines.line(topics.IDENTITY, None, b"{}").plain


def test_a_command_and_its_receipt_say_who_and_why() -> None:
    named = [{"type": "email", "value": "ann@kairos.shop"}, {"type": "crm_id", "value": "17850"}]
    command = {"id": "one", "kind": "cannot_link", "identifiers": named, "actor": "ben", "at": "2026-03-02T09:00:00Z", "reason": "a family"}
    receipt = {"kind": "cannot_link", "from": ["cabjq2m7wxyz"], "into": ["cabjq2m7wxyz", "c7xk2m1q0zab"], "occurredAt": command["at"]}
    receipt["command"] = {name: command[name] for name in ("id", "actor", "at", "reason")}

    assert lines.command(command).plain == "2026-03-02 09:00  cannot link  email:ann@kairos.shop crm_id:17850  by ben: a family  one"
    assert lines.identity_change(receipt).plain == "2026-03-02 09:00  cannot link  cabjq2m7wx → cabjq2m7wx + c7xk2m1q0z  by ben: a family"
    assert "a later command holds" in lines.identity_change(receipt | {"holds": False}).plain
