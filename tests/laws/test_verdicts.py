"""Verdicts stand outside the order law: whatever is suppressed, triggers and states are the same, and each id is judged once."""

import random
from collections import defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams.journeys import brand
from streams.language import Rulebook, rulebook
from tests.language.rules import rules
from tests.laws.memory import Memory
from tests.laws.test_order import START, UNTIL, same

RULES = rulebook(brand)
CAPPED = rules('m = Moment("often", BUSINESS_MOMENT, event("Product Added"), because="", expires=days(99), cap=at_most(2, within=days(5)))')
SEEDS = 60


def carts(seed: int) -> list[dict[str, Any]]:
    """A few people who leave one cart after the other within days, whose devices and numbers meet."""
    chance = random.Random(seed)
    events = []
    for number in range(chance.randint(8, 40)):
        event: dict[str, Any] = {
            "messageId": f"m{number}",
            "event": chance.choices(["Product Added", "Order Completed", "Case Opened", "Page Viewed"], [7, 1, 2, 1])[0],
            "timestamp": instants.text(START + chance.randrange(30 * 24) * instants.HOUR),
            "properties": {"revenue": 10, "currency": "GBP", "kind": "failure"},
        }
        if chance.random() < 0.7:
            event["anonymousId"] = f"device-{chance.randrange(4)}"
        if chance.random() < 0.4 or "anonymousId" not in event:
            event["userId"] = f"user-{chance.randrange(3)}"
        events.append(event)
    return sorted(events, key=lambda event: str(event["timestamp"]))


def told(
    events: list[dict[str, Any]],
    partitions: int,
    seed: int,
    *,
    steps: bool,
    batch: int = 20,
    crash: float = 0.0,
    rulebook: Rulebook = RULES,
) -> Memory:
    """A Kairos that all of them came to; with `steps` time moves in between."""
    chance = random.Random(seed)
    memory = Memory(rulebook, partitions, seed, batch=batch, crash=crash)
    for event in events:
        memory.produce(event)
        if steps and chance.random() < 0.3:
            memory.tell_time(event["timestamp"])
            memory.run()
    memory.tell_time(UNTIL)
    memory.run()
    return memory


def verdicts(memory: Memory) -> dict[str, set[tuple[str, str | None]]]:
    """Of each moment's id the verdicts that were published."""
    found: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for record in memory.log[topics.MOMENTS]:
        value = msgspec.json.decode(record.value or b"")
        if value["status"] != "retracted":
            assert (value["reason"] is None) == (value["status"] == "fired")
            found[value["id"]].add((value["status"], value["reason"]))
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_verdicts_change_nothing_that_stands_and_are_judged_once(seed: int) -> None:
    chance = random.Random(seed)
    events = carts(seed)
    plain = told(events, 1, seed, steps=False)

    shuffled = [*events, *(event for event in events if chance.random() < 0.2)]
    chance.shuffle(shuffled)
    late = told(shuffled, chance.choice([1, 3, 8]), seed, steps=True, batch=chance.choice([1, 5, 40]), crash=chance.choice([0.0, 0.3]))

    same(plain, late)
    for memory in (plain, late):
        assert all(len(judged) == 1 for judged in verdicts(memory).values())


def test_the_histories_suppress_expire_and_fire_otherwise_in_another_order() -> None:
    statuses: dict[str, int] = defaultdict(int)
    differ = 0
    for seed in range(SEEDS):
        events = carts(seed)
        in_order = verdicts(told(events, 2, seed, steps=True))
        backwards = verdicts(told(events[::-1], 2, seed, steps=True))
        differ += any(in_order.get(name, judged) != judged for name, judged in backwards.items())
        for judged in (*in_order.values(), *backwards.values()):
            for status, _ in judged:
                statuses[status] += 1

    assert differ > 10
    assert all(statuses[status] > 20 for status in ("fired", "suppressed", "expired")), dict(statuses)


@pytest.mark.parametrize("seed", range(20))
def test_of_one_name_releases_to_a_customer_are_a_cool_down_apart(seed: int) -> None:
    events = [{**event, "userId": "ann"} for event in carts(seed)]

    memory = told(events, 2, seed, steps=True)

    fired = []
    for record in memory.log[topics.MOMENTS]:
        value = msgspec.json.decode(record.value or b"")
        if (value["moment"], value["status"], value["revision"]) == ("cart_abandoned", "fired", 1):
            fired.append(instants.parse(value["occurredAt"]) or 0)
    assert all(later - earlier >= RULES.cool_downs["cart_abandoned"] for earlier, later in pairwise(fired))


@pytest.mark.parametrize("seed", range(30))
def test_no_time_of_a_caps_length_sees_more_releases_than_it_allows(seed: int) -> None:
    events = [{**event, "userId": "ann"} for event in carts(seed)]
    cap = CAPPED.caps["often"]

    memory = told(events, 2, seed, steps=True, rulebook=CAPPED)

    at: dict[str | None, list[int]] = defaultdict(list)
    for record in memory.log[topics.MOMENTS]:
        value = msgspec.json.decode(record.value or b"")
        if value["revision"] == 1:
            at[value["reason"]].append(instants.parse(value["occurredAt"]) or 0)
    fired = sorted(at.pop(None))
    assert at.keys() == {"cap"}
    assert all(later - earlier >= cap.within for earlier, later in zip(fired, fired[cap.number :], strict=False))
    assert all(sum(one - other < cap.within for other in fired) >= cap.number for one in at["cap"]), "none is held back that need not be"
