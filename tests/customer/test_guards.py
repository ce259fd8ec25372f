"""Verdicts: judged once, by releases, and with their triggers wherever those go."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas import topics
from schemas.moment import REASONS
from streams import instants
from streams.customer import emissions, guards
from streams.customer.emissions import Emission, Kept, Pool, Said
from streams.customer.guards import Court
from streams.instants import DAY, HOUR, Instant
from streams.journeys import brand
from streams.language import Cap, rulebook
from tests.laws.memory import Clock, Memory

BEGIN = instants.parse("2025-12-01T09:00:00Z") or 0
RULES = rulebook(brand)
COURT = Court(Clock(BEGIN + DAY, False), 0, {"cart": 3 * DAY})
CAPPED = Court(Clock(BEGIN + DAY, False), 0, {}, {"cart": Cap(2, 10 * DAY)})
CART = Emission("moment", "one", "cart", "v", "", BEGIN, BEGIN, "a", None, ("a",), False, expires_at=BEGIN + 9 * DAY)


def added(message_id: str, at: Instant, **who: str) -> dict[str, Any]:
    return {"messageId": message_id, "event": "Product Added", "timestamp": instants.text(at), **who}


def moments(memory: Memory) -> list[tuple[str, int, str, str | None]]:
    """Of every moment that was said: by which interaction, its revision, its status, the reason."""
    said = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.MOMENTS]]
    return [(one["evidence"][0], one["revision"], one["status"], one["reason"]) for one in said]


def tell(memory: Memory, *events: dict[str, Any], until: Instant) -> None:
    for event in events:
        memory.produce(event)
    memory.tell_time(instants.text(until))
    memory.run()


def judge(kept: Kept, said: list[Emission], court: Court = COURT) -> tuple[list[str | None], Kept]:
    """All that a refold says, amended and judged: the verdicts on what is published, and what is kept."""
    amended = emissions.amend(kept, said, complete=True)
    records, kept = guards.passed(amended.records, amended.kept, court, {})
    return [record.verdict for record in records if not record.retracted], emissions.decode(emissions.encode(kept))


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_moment_that_comes_too_soon_is_published_as_suppressed(partitions: int) -> None:
    memory = Memory(RULES, partitions)

    for number, hours in enumerate((0, 30, 60, 72)):
        at = BEGIN + hours * HOUR
        tell(memory, added(f"m{number}", at, userId="ann"), until=at + 4 * HOUR)

    assert moments(memory) == [
        ("m0", 1, "fired", None),
        ("m1", 1, "suppressed", "cool_down"),
        ("m2", 1, "suppressed", "cool_down"),
        ("m3", 1, "fired", None),
    ], "three days after the one that was released"
    assert memory.tally["kairos_moments", "cart_abandoned", "suppressed", "cool_down"] == 2


def test_live_a_cool_down_counts_from_the_release_by_the_wall_clock() -> None:
    memory = Memory(RULES, 1, replayed=False, now=BEGIN)
    for number, hours in enumerate((0, 66, 80)):  # The first should have come six hours before the tick that says it.
        memory.now = BEGIN + hours * HOUR
        memory.produce(added(f"m{number}", memory.now, userId="ann"))
        memory.run()
        memory.now += (10 if number == 0 else 4) * HOUR
        memory.tick()

    assert moments(memory) == [("m0", 1, "fired", None), ("m1", 1, "suppressed", "cool_down"), ("m2", 1, "fired", None)]


@pytest.mark.parametrize("partitions", [1, 5])
def test_a_merge_keeps_the_cool_down_of_either(partitions: int) -> None:
    memory = Memory(RULES, partitions)
    tell(memory, added("a", BEGIN, userId="ann"), until=BEGIN + 5 * HOUR)
    tell(memory, added("b", BEGIN + DAY, anonymousId="device"), until=BEGIN + DAY + 5 * HOUR)
    assert moments(memory) == [("a", 1, "fired", None), ("b", 1, "fired", None)]

    tell(memory, added("c", BEGIN + 3 * DAY, userId="ann", anonymousId="device"), until=BEGIN + 4 * DAY)

    assert moments(memory)[2:] == [("c", 1, "suppressed", "cool_down")], "three days after ann's, two after the device's"


def test_a_split_leaves_both_with_the_cool_down() -> None:
    _, kept = judge(Kept(), [CART])

    pooled = emissions.amend_pool(Pool([kept], [b"ann"], [b"ann", b"ben"], True), [[CART], []])

    for person in pooled.kept:
        verdicts, _ = judge(person, [*([CART] if "one" in person.live else []), replace(CART, id="two", message_id="b")])
        assert verdicts == ["cool_down"]


def test_of_two_who_say_the_same_after_a_split_none_judges_it_again() -> None:
    _, kept = judge(Kept(), [CART])

    pooled = emissions.amend_pool(Pool([kept], [b"ann"], [b"ann", b"ben"], True), [[CART], [CART]])

    assert [(person, said.revision) for person, said in pooled.records] == [(1, 2)], "in the other's name"
    assert [judge(person, [replace(CART, significance=2.0)])[0] for person in pooled.kept] == [[None], [None]]


def test_what_is_folded_again_is_not_fired_again() -> None:
    memory = Memory(RULES, 1)
    tell(memory, added("a", BEGIN, userId="ann"), until=BEGIN + 10 * DAY)

    tell(memory, {**added("late", BEGIN - HOUR, userId="ann"), "event": "Page Viewed"}, until=BEGIN + 11 * DAY)

    assert memory.tally["kairos_customers_folded", "refold"] == 1
    assert moments(memory) == [("a", 1, "fired", None)]


def test_what_says_something_else_keeps_its_verdict_however_late() -> None:
    memory = Memory(RULES, 1)
    tell(memory, added("a", BEGIN, userId="ann"), until=BEGIN + 10 * DAY)

    tell(memory, added("late", BEGIN - HOUR, userId="ann"), until=BEGIN + 11 * DAY)

    assert moments(memory) == [("a", 1, "fired", None), ("a", 2, "fired", None)]


def test_a_retraction_refunds_no_release_and_takes_back_no_verdict() -> None:
    fired, kept = judge(Kept(), [CART])
    _, kept = judge(kept, [])
    assert kept.live == {}

    other, _ = judge(kept, [replace(CART, id="two", message_id="b")])
    again, _ = judge(kept, [CART], COURT._replace(clock=Clock(BEGIN + 20 * DAY, False)))

    assert (fired, other, again) == ([None], ["cool_down"], [None])


def test_only_what_was_released_counts() -> None:
    late = COURT._replace(clock=Clock(BEGIN + 10 * DAY, False))
    expired, kept = judge(Kept(), [CART], late)

    fired, _ = judge(kept, [CART, replace(CART, id="two", expires_at=BEGIN + 11 * DAY)], late)

    assert (expired, fired) == (["expired"], [None])


def test_beyond_its_cap_a_moment_is_held_back_until_the_first_is_long_enough_ago() -> None:
    verdicts, kept = [], Kept()
    for number, days in enumerate((0, 1, 4, 10, 11)):
        said = replace(CART, id=f"id{number}", occurred_at=BEGIN + days * DAY, expires_at=BEGIN + 99 * DAY)
        court = CAPPED._replace(clock=Clock(BEGIN + days * DAY, False))
        records, kept = guards.passed([Said(said, 1, False)], kept, court, {})
        verdicts += [record.verdict for record in records]

    assert verdicts == [None, None, "cap", None, None], "at the instant at which the first is ten days ago, the third may come"
    assert len(kept.released["cart"]) == 2, "no more is remembered than the cap needs"


def test_a_retraction_refunds_none_of_a_cap() -> None:
    said = [replace(CART, id=f"id{number}") for number in range(3)]
    fired, kept = judge(Kept(), said[:2], CAPPED)
    _, kept = judge(kept, [], CAPPED)

    assert fired == [None, None]
    assert judge(kept, [said[2]], CAPPED)[0] == ["cap"]


def test_a_merge_counts_the_releases_to_either_and_those_that_both_remember_once() -> None:
    said = [replace(CART, id=f"id{number}") for number in range(4)]
    wide = CAPPED._replace(caps={"cart": Cap(3, 10 * DAY)})
    _, before = judge(Kept(), said[:1], wide)
    pooled = emissions.amend_pool(Pool([before], [b"ann"], [b"ann", b"ben"], True), [said[:1], said[:1]])
    _, ann = judge(pooled.kept[0], said[:2], wide)

    (one,) = emissions.amend_pool(Pool([ann, pooled.kept[1]], [b"ann", b"ben"], [b"ann"], False), [said[:2]]).kept
    third, one = judge(one, said[:3], wide)

    assert third == [None], "the first, which both remember, and the second are two"
    assert judge(one, said, wide)[0] == ["cap"]


@pytest.mark.parametrize("partitions", [1, 5])
def test_a_merge_keeps_the_cap_of_either(partitions: int) -> None:
    memory = Memory(RULES, partitions)
    for number, days in enumerate((0, 4)):
        at = BEGIN + days * DAY
        tell(memory, added(f"a{number}", at, userId="ann"), until=at + 5 * HOUR)
    tell(memory, added("b", BEGIN + 8 * DAY, anonymousId="device"), until=BEGIN + 9 * DAY)
    assert [status for _, _, status, _ in moments(memory)] == ["fired"] * 3

    tell(memory, added("c", BEGIN + 12 * DAY, userId="ann", anonymousId="device"), until=BEGIN + 13 * DAY)
    tell(memory, added("d", BEGIN + 31 * DAY, userId="ann"), until=BEGIN + 32 * DAY)

    assert moments(memory)[3:] == [("c", 1, "suppressed", "cap"), ("d", 1, "fired", None)]
    limits = [msgspec.json.decode(record.value or b"").get("limit") for record in memory.log[topics.MOMENTS]]
    assert limits == [None, None, None, "at most 3 within 30 days", None]


def test_a_retraction_says_whether_what_it_takes_back_had_been_released() -> None:
    memory = Memory(RULES, 1)
    for number in range(2):
        tell(memory, added(f"m{number}", BEGIN + number * DAY, userId="ann"), until=BEGIN + number * DAY + 5 * HOUR)

    for number in range(2):
        ordered = {**added(f"o{number}", BEGIN + number * DAY + HOUR, userId="ann"), "event": "Order Completed"}
        tell(memory, {**ordered, "properties": {"revenue": 40, "currency": "GBP"}}, until=BEGIN + 3 * DAY)

    assert moments(memory) == [
        ("m0", 1, "fired", None),
        ("m1", 1, "suppressed", "cool_down"),
        ("m0", 2, "retracted", None),
        ("m1", 2, "retracted", "cool_down"),
    ]


def test_what_a_rule_holds_back_by_is_said_in_words() -> None:
    memory = Memory(RULES, 1)
    for number in range(2):
        tell(memory, added(f"m{number}", BEGIN + number * DAY, userId="ann"), until=BEGIN + number * DAY + 5 * HOUR)

    (value,) = [value for value in map(msgspec.json.decode, [record.value for record in memory.log[topics.MOMENTS]]) if value["reason"]]

    assert (value["reason"], value["limit"]) == ("cool_down", "not within 3 days of the last")


def test_every_reason_has_its_guard() -> None:
    assert list(guards.GUARDS) == list(REASONS)
