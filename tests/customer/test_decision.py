"""A batch of the customer agent, end to end in memory: time, deadlines in slices, verdicts, what a profile shows, trace contexts."""

from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams.customer import decision, view
from streams.identity import identifiers, messages
from streams.instants import DAY, HOUR, MINUTE
from streams.journeys import brand, retail
from streams.language import Rulebook, rulebook
from tests.laws.memory import Memory

BEGIN = instants.parse("2025-12-01T00:00:00Z") or 0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def shop() -> Rulebook:
    return rulebook(retail)


def order(user: str, number: int, occurred_at: int, revenue: int = 100) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "userId": user,
        "event": "Order Completed",
        "timestamp": instants.text(occurred_at),
        "properties": {"revenue": revenue, "currency": "GBP"},
    }


def values(memory: Memory, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record.value or b"") for record in memory.log[topic]]


def test_a_tick_of_the_live_clock_lets_deadlines_fall_due(shop: Rulebook) -> None:
    memory = Memory(shop, 1, replayed=False, now=BEGIN + HOUR)
    memory.produce(order("ann", 1, BEGIN))
    memory.run()

    memory.now = BEGIN + 90 * DAY - MINUTE
    memory.tick()
    assert [value["to"] for value in values(memory, topics.STAGES)] == ["first_order"]

    memory.now = BEGIN + 90 * DAY
    memory.tick()
    assert [value["to"] for value in values(memory, topics.STAGES)] == ["first_order", "at_risk"]
    assert values(memory, topics.STAGES)[-1]["cause"] == {"kind": "deadline", "messageId": "m1", "deadline": "2026-03-01T00:00:00Z"}
    assert not values(memory, topics.STAGES)[-1]["replayed"]


def newest_profile(memory: Memory) -> dict[str, Any]:
    return max(values(memory, topics.PROFILES), key=lambda value: value["version"])


@pytest.mark.parametrize("days", [45, 90], ids=["a moment alone", "a stage"])
def test_the_profile_after_a_deadline_names_the_interaction_that_set_it(shop: Rulebook, days: int) -> None:
    memory = Memory(shop, 1)
    for number in range(5):
        memory.produce(order("ann", number, BEGIN + number))
    memory.produce({**order("ann", 7, BEGIN + HOUR), "event": "Page Viewed"})
    memory.run()
    for day in (44, days):
        memory.tell_time(instants.text(BEGIN + 4 + day * DAY))
        memory.run()

    assert newest_profile(memory)["cause"] == {"kind": "deadline", "messageId": "m4", "deadline": instants.text(BEGIN + 4 + days * DAY)}


def test_a_redirect_names_the_interaction_that_merged_the_two(shop: Rulebook) -> None:
    memory = Memory(shop, 1)
    memory.produce({**order("ann", 1, BEGIN), "userId": None, "anonymousId": "cookie"})
    memory.produce({**order("ann", 2, BEGIN + 1)})
    memory.run()
    memory.produce({**order("ann", 3, BEGIN + 2), "anonymousId": "cookie"})
    memory.run()

    (redirect,) = [value for value in values(memory, topics.PROFILES) if "mergedInto" in value]
    (merge,) = [value for value in values(memory, topics.IDENTITY_CHANGES) if value["kind"] == "merge"]

    assert redirect["cause"] == {"kind": "event", "messageId": "m3"}
    assert merge["messageId"] == "m3"


def test_a_tick_without_anything_due_says_nothing(shop: Rulebook) -> None:
    memory = Memory(shop, 2, replayed=False, now=BEGIN)

    memory.tick()
    memory.now += 1
    memory.tick()

    assert dict(memory.log) == {}


@pytest.mark.parametrize(("hours", "status"), [(47, "fired"), (49, "expired")])
def test_live_a_moment_is_judged_by_the_wall_clock(shop: Rulebook, hours: int, status: str) -> None:
    memory = Memory(shop, 1, replayed=False, now=BEGIN + 10 * DAY + hours * HOUR)
    for number in range(3):
        memory.produce(order("ann", number, BEGIN + number * DAY))
    memory.produce(order("ann", 9, BEGIN + 10 * DAY, revenue=1000))
    memory.run()

    (moment,) = values(memory, topics.MOMENTS)

    assert (moment["moment"], moment["status"]) == ("big_order", status)
    assert (moment["reason"] is None) == (status == "fired")


def test_a_moment_explains_itself_to_a_person_and_to_a_machine(shop: Rulebook) -> None:
    memory = Memory(shop, 1)
    for number, revenue in enumerate((100, 100, 98, 1000)):
        memory.produce(order("ann", number, BEGIN + number * DAY, revenue))
    memory.run()

    (moment,) = values(memory, topics.MOMENTS)

    assert moment["explanation"] == {
        "key": "big_order",
        "values": {
            "order.revenue": {"amount": "1000", "currency": "GBP"},
            "significance": 10.067114,
            "mean(earlier.revenue)": {"amount": "99.33", "currency": "GBP"},
        },
        "text": "Ordered for 1000.00 GBP, 10.1 times the usual 99.33 GBP.",
        "language": "en",
    }


@pytest.mark.parametrize("replayed", [True, False])
def test_deadlines_beyond_a_slice_are_drained_all_the_same(shop: Rulebook, replayed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "DUE_MAX", 7)
    memory = Memory(shop, 1, replayed=replayed, now=BEGIN + HOUR)
    for number in range(40):
        memory.produce(order(f"user-{number}", number, BEGIN + number))
    memory.run()

    if replayed:
        memory.tell_time(instants.text(BEGIN + 100 * DAY))
        memory.run()
    else:
        memory.now = BEGIN + 100 * DAY
        for _ in range(40):
            memory.tick()

    told = [messages.decode(record.value or b"") for record in memory.inputs[topics.IDENTITY, 0]]
    assert (told.count(messages.GO_ON) > 0) == replayed
    at_risk = [value for value in values(memory, topics.STAGES) if value["to"] == "at_risk"]
    assert len(at_risk) == len({value["customerId"] for value in at_risk}) == 40


def test_time_that_goes_on_while_deadlines_fall_due_makes_no_moment_expire(shop: Rulebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "DUE_MAX", 3)
    memory = Memory(shop, 1, batch=1)
    for customer in range(20):
        for number in range(5):
            memory.produce(order(f"user-{customer}", customer * 10 + number, BEGIN + number * DAY))
    memory.run()

    for days in (50, 60, 80):
        memory.tell_time(instants.text(BEGIN + days * DAY))
    memory.run()

    quiet = [value["status"] for value in values(memory, topics.MOMENTS) if value["moment"] == "loyal_gone_quiet"]
    assert quiet == ["fired"] * 20


def test_a_profile_shows_emotion_and_irritation() -> None:
    memory = Memory(rulebook(brand), 1)
    survey = {"messageId": "s", "userId": "ann", "event": "Survey Answered", "timestamp": instants.text(BEGIN), "properties": {"score": 0}}
    memory.produce(order("ann", 1, BEGIN))
    memory.produce(survey)
    memory.run()

    profile = newest_profile(memory)

    assert profile["emotion"] > 0
    assert profile["irritation"] > 0


def test_a_profile_does_not_read_a_phone_number_again(shop: Rulebook, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(shop, 1, replayed=False, now=BEGIN + HOUR)
    memory.produce({**order("ann", 1, BEGIN), "identifiers": {"phone": "020 7946 0018"}})
    memory.run()

    monkeypatch.delitem(identifiers.FORMS, "phone")
    identifiers.normaliser.cache_clear()
    view.reading.cache_clear()
    memory.produce(order("ann", 2, BEGIN + MINUTE))
    memory.run()

    assert newest_profile(memory)["totals"]["GBP"]["orders"] == 2
    assert newest_profile(memory)["identifiers"] == {"phone": ["+442079460018"], "user_id": ["ann"]}


def test_outputs_carry_the_trace_context_of_what_led_to_them(shop: Rulebook) -> None:
    memory = Memory(shop, 1)
    memory.produce(order("ann", 1, BEGIN), headers=[("traceparent", TRACE.encode())])
    memory.run()

    for topic in (topics.STAGES, topics.PROFILES):
        (record,) = memory.log[topic]
        assert dict(record.headers)["traceparent"] == TRACE.encode()


def test_two_sources_may_use_one_message_id(shop: Rulebook) -> None:
    memory = Memory(shop, 1)
    for system in ("web", "pos"):
        memory.produce({**order("ann", 1, BEGIN), "source": {"system": system}})
    memory.run()

    stages = values(memory, topics.STAGES)
    assert [value["to"] for value in stages] == ["first_order", "repeat"]
    assert stages[0]["id"] != stages[1]["id"]
    assert [value["evidence"] for value in stages] == [["m1"], ["m1"]]


def test_of_two_consents_the_one_given_last_holds(shop: Rulebook) -> None:
    memory = Memory(shop, 1)
    for number, (state, at) in enumerate([("denied", (BEGIN + HOUR) // 1000), ("granted", instants.text(BEGIN))]):
        consent = [{"purpose": "ads\nall", "state": state, "at": at}]
        memory.produce(
            {
                "messageId": f"c{number}",
                "userId": "ann",
                "event": "Consent Changed",
                "timestamp": instants.text(BEGIN + HOUR + number),
                "consent": consent,
            }
        )
    memory.run()

    profile = max(values(memory, topics.PROFILES), key=lambda value: value["version"])

    assert [(given["purpose"], given["channel"], given["state"]) for given in profile["consent"]] == [("ads\nall", "*", "denied")]
    assert profile["consent"][0]["since"] == instants.text(BEGIN + HOUR)


def test_an_entry_that_a_merge_left_behind_has_no_say_after_a_split() -> None:
    memory = Memory(rulebook(brand, retail), 1, batch=1)
    seen = [
        ("Order Completed", "2024-01-01T00:00:00Z", {"revenue": 40, "currency": "GBP"}, None),
        ("Page Viewed", "2024-01-02T00:00:00Z", {}, "u1"),
        ("Product Added", "2024-01-03T00:00:00Z", {"price": 3}, None),
        *(("Page Viewed", "2024-01-03T01:00:00Z", {}, f"u{number}") for number in range(2, 9)),
    ]
    for number, (event, at, properties, user) in enumerate(seen):
        who = {"anonymousId": "cookie-1", **({"userId": user} if user else {})}
        memory.produce({"messageId": f"m{number}", "event": event, "timestamp": at, "properties": properties, **who})
        memory.run()
    assert memory.tally["kairos_customers_merged",] and memory.tally["kairos_customers_split",]

    memory.tell_time("2025-06-01T00:00:00Z")
    memory.run()

    assert [value["to"] for value in values(memory, topics.STAGES) if value["journey"] == "retail"][-2:] == ["at_risk", "lapsed"]
