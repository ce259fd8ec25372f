"""What an interaction becomes: its touch, its anchor, the counts."""

import pytest

from streams import rows
from streams.boundary import Decision
from streams.identity.identifiers import Identifier, normaliser
from streams.intake import steps
from tests.intake.given import LIVE, NOW, PARTITIONS, POLICY, REPLAY, Record, decide, event_of, sent, touch
from tests.intake.kinds import bytes_of

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def key_of(kind: str, value: str) -> bytes:
    read = normaliser(POLICY).normalise(kind, value)
    assert isinstance(read, Identifier)
    return read.key


def test_interaction_goes_to_the_least_of_its_identifiers() -> None:
    outgoing = sent(userId=None, anonymousId="a-1", traits={"email": "Ann@Shop.co.uk"}, identifiers={"crm_id": [17850]})
    event = event_of(outgoing)

    assert outgoing.key == event.anchor == key_of("crm_id", "17850")
    assert event.ids == (key_of("crm_id", "17850"), key_of("email", "ann@shop.co.uk"), key_of("anonymous_id", "a-1"))
    assert event.occurred_at == NOW


def test_uid_tells_interactions_by_source_and_message_id() -> None:
    uids = {event_of(sent(messageId=said, source={"system": system})).uid for said in ("a", "b") for system in ("x", "y")}

    assert len(uids) == 4
    assert event_of(sent(messageId="a", source={"system": "x"})).uid == rows.uid(POLICY.secret, "x", "a")


def test_message_id_may_be_a_number() -> None:
    assert event_of(sent(messageId=17)).uid == event_of(sent(messageId="17")).uid


def test_message_id_derives_from_where_the_record_lay() -> None:
    derived = touch(messageId=None)

    assert (derived.id, derived.id_derived) == ("journey.interactions.v1-2-77", True)
    assert (touch().id, touch().id_derived) == ("m-1", False)


def test_payload_is_what_the_producer_sent_to_the_byte() -> None:
    value = b'{ "userId": 42, "event":"Order Completed", "timestamp":1772355600, "properties":{"revenue":12.500}, "_new": [1e2] }'

    (outgoing,) = decide(Record(value)).send

    kept = rows.decode_touch(event_of(outgoing).touch).payload
    assert kept == value
    assert str((rows.payload(kept).properties or {})["revenue"]) == "12.500"


def test_touch_holds_what_the_fields_say() -> None:
    full = touch(
        channel=" Back Office",
        touchpoint="desk",
        direction="inbound",
        account={"id": 7},
        caseId=9,
        conversationId="v",
        topic="delivery",
        language="de",
        timezone="Europe/Berlin",
        department="care",
        durationSeconds=12.5,
        value={"amount": "139.10", "currency": "gbp"},
        source={"system": "crm", "party": "second", "owner": "agency"},
    )

    assert (full.type, full.event, full.channel, full.touchpoint) == ("track", "Order Completed", "back_office", "desk")
    assert (full.direction, full.account, full.case_id, full.conversation_id) == ("inbound", "7", "9", "v")
    assert (full.topic, full.language, full.timezone, full.department) == ("delivery", "de", "Europe/Berlin", "care")
    assert (full.duration_seconds, full.amount, full.currency) == (12.5, "139.1", "GBP")
    assert (full.source, full.party, full.owner) == ("crm", "second", "agency")


def test_touch_of_the_least_interaction_has_plain_defaults() -> None:
    least = touch(messageId=None)

    assert (least.source, least.party, least.owner, least.channel, least.touchpoint) == ("unknown", "first", "", "", "")
    assert least.account is least.case_id is least.language is least.amount is least.currency is least.trace_parent is None
    assert least.replayed is False


def test_a_case_has_one_id_however_it_is_padded() -> None:
    padded, plain, blank = (touch(caseId=written) for written in (" case-1 ", "case-1", "  "))

    assert padded.case_id == plain.case_id == "case-1"
    assert blank.case_id is None


def test_what_common_clients_send_is_understood() -> None:
    library = {"library": {"name": "analytics-python", "version": "2.4.0"}}
    segment = touch(
        anonymousId=None, integrations={}, context=library, timestamp="2026-03-01T08:59:59.123456+00:00", writeKey="k", version=2
    )
    node = touch(_metadata={"nodeVersion": "22"}, context=library, integrations={"All": True}, timestamp="2026-03-01T08:59:59.123Z")
    rudder = touch(
        type="identify",
        event=None,
        channel="server",
        originalTimestamp="2026-03-01T08:59:58Z",
        sentAt="2026-03-01T09:00:00Z",
        context={"traits": {"email": "ann@shop.co.uk", "address": {"city": "Leeds"}}},
        userProperties=None,
    )

    assert (segment.occurred_at, node.occurred_at) == (NOW - 876_544, NOW - 877_000)
    assert (rudder.occurred_at, rudder.identifiers) == (NOW - 2_000_000, (("user_id", "42"), ("email", "ann@shop.co.uk")))


def test_language_and_timezone_are_taken_from_the_context_where_nothing_better_is_said() -> None:
    context = {"locale": "en-GB", "timezone": "Europe/London"}

    assert (touch(context=context).language, touch(context=context).timezone) == ("en-GB", "Europe/London")
    assert touch(context=context, language="de").language == "de"
    assert touch(context={"locale": {"a": 1}}).language is None


def test_types_other_than_track_have_names_of_their_own() -> None:
    named = {kind: touch(type=kind, event=None).event for kind in ("identify", "page", "screen", "group", "alias")}

    assert named == {"identify": "Identify", "page": "Page Viewed", "screen": "Screen Viewed", "group": "Group", "alias": "Alias"}
    assert touch(type="page", event="Landing").event == "Landing"


def test_page_is_seen_on_the_web_and_screen_on_a_mobile() -> None:
    assert (touch(type="page").channel, touch(type="screen").channel) == ("web", "mobile")
    assert touch(type="page", channel="kiosk").channel == "kiosk"


def test_unknown_channel_is_accepted_and_counted_as_other() -> None:
    records = [
        Record(bytes_of({"userId": "1", "event": "x", "timestamp": 1772355600, "channel": c})) for c in ("web", "fax", "Web ", "fax")
    ]

    decision = decide(*records)

    assert [rows.decode_touch(event_of(outgoing).touch).channel for outgoing in decision.send] == ["web", "fax", "web", "fax"]
    assert decision.tally == {
        ("kairos_interactions_anchored", "web"): 2,
        ("kairos_interactions_anchored", "other"): 2,
        ("kairos_interactions_from", "other"): 4,
        ("kairos_interactions_read",): 4,
    }


def test_sources_are_counted_by_name_only_where_somebody_declared_them() -> None:
    said = {"userId": "1", "event": "x", "timestamp": 1772355600}
    records = [Record(bytes_of({**said, "source": {"system": system}})) for system in ("tills", "Ann's laptop", "tills")]

    decision = steps.decide([*records, Record(bytes_of(said)), Record(b"?")], LIVE, POLICY, PARTITIONS, frozenset(["tills"]))

    assert {
        name: count for name, count in decision.tally.items() if name[0] in ("kairos_interactions_from", "kairos_interactions_read")
    } == {
        ("kairos_interactions_from", "tills"): 2,
        ("kairos_interactions_from", "other"): 2,
        ("kairos_interactions_read",): 5,
    }


def test_junk_beside_an_identifier_is_counted_and_left_out() -> None:
    value = {"userId": "42", "anonymousId": "null", "identifiers": {"Ann's shoes": "-1"}, "event": "x", "timestamp": 1772355600}

    decision = decide(Record(bytes_of(value)))

    assert rows.decode_touch(event_of(decision.send[0]).touch).identifiers == (("user_id", "42"),)
    assert decision.tally["kairos_identifiers_blocked", "anonymous_id"] == 1
    assert decision.tally["kairos_identifiers_blocked", "other"] == 1, "no label holds what a producer wrote"


def test_identifier_of_an_unknown_type_is_kept_without_a_part_in_identity() -> None:
    event = event_of(sent(identifiers={"shoe_size": 43}))

    assert rows.decode_touch(event.touch).identifiers == (("user_id", "42"), ("shoe_size", "43"))
    assert event.ids == (key_of("user_id", "42"),)


def test_same_identifier_said_twice_is_one() -> None:
    event = event_of(sent(identifiers={"user_id": ["42", 42], "userId": "42"}))

    assert rows.decode_touch(event.touch).identifiers == (("user_id", "42"),)
    assert event.ids == (key_of("user_id", "42"),)


def test_touch_under_the_replay_clock_says_so() -> None:
    assert touch(clock=REPLAY).replayed
    assert not touch(clock=LIVE).replayed


def test_trace_context_is_carried_on() -> None:
    value = bytes_of({"userId": "1", "event": "x", "timestamp": 1772355600})

    (traced,) = decide(Record(value, (("other", b"1"), ("traceparent", TRACE)))).send
    (broken,) = decide(Record(value, (("traceparent", b"\xff\xfe"),))).send

    assert traced.headers == (("traceparent", TRACE),)
    assert rows.decode_touch(event_of(traced).touch).trace_parent == TRACE.decode()
    assert broken.headers == ()
    assert rows.decode_touch(event_of(broken).touch).trace_parent is None


def test_key_and_headers_of_a_record_decide_nothing() -> None:
    value = bytes_of({"userId": "1", "event": "x", "timestamp": 1772355600, "messageId": "m"})

    decisions = [decide(Record(value, (("x", b"\xff"),), key)) for key in (None, b"", b"\xff\0", b"k" * 1_000_000)]

    assert all(decision.send == decisions[0].send for decision in decisions)


def test_tick_without_records_decides_nothing() -> None:
    assert decide() == Decision([], {})


@pytest.mark.parametrize("revenue", [None, 0, -12.5, "12.500", "-.5", 1e29, 10**29, 1.23456789012345678e-5])
def test_amount_of_an_order_that_can_be_counted_is_taken_in(revenue: object) -> None:
    assert touch(properties={"revenue": revenue})


def test_what_counts_no_money_may_call_anything_its_revenue() -> None:
    assert touch(event="Report Read", properties={"revenue": "a lot"})
