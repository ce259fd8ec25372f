"""What is exported of customers once all has settled: the same for any order of arrival, any partitions, any batches."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.profile import Profile
from streams import instants
from streams.customer import settled
from streams.customer.state import decode_row
from streams.identity.identifiers import customer_id
from streams.journeys import brand, retail
from streams.language import rulebook
from streams.rows import FOLD
from tests.laws.memory import Memory
from tests.laws.test_order import UNTIL, history

RULES = rulebook(retail, brand)
OF_PUBLICATION = {"version", "customerVersion", "revision", "updatedAt", "decidedAt", "receivedAt"}
"""Outside the law."""


def told(events: list[dict[str, Any]], partitions: int, seed: int, batch: int, pauses: bool) -> Memory:
    """All of them in the order given, then the end of time; with pauses, time moves as far as their order lets it."""
    memory = Memory(RULES, partitions, seed, batch=batch)
    for place, event in enumerate(events):
        memory.produce(event)
        if pauses and place % 5 == 0:
            memory.run()
            memory.tell_time(min([str(later["timestamp"]) for later in events[place + 1 :]], default=UNTIL))
    memory.tell_time(UNTIL)
    memory.run()
    return memory


def exported(memory: Memory) -> dict[str, dict[str, Any]]:
    """The settled profile of every customer, without what tells of its publication."""
    newest: dict[str, bytes | None] = {}
    for record in memory.log[topics.PROFILES]:
        newest[(record.key or b"").decode()] = record.value
    rows = {
        customer_id(key[2:]): decode_row(row) for store in memory.rows for key, row in store.rows.items() if key.startswith(FOLD.tag + b"p")
    }
    found = {}
    for name, row in rows.items():
        published = msgspec.json.decode(newest[name] or b"", type=Profile)
        value = msgspec.to_builtins(settled.profile(published, row, instants.parse(UNTIL), RULES))
        found[name] = {field: part for field, part in value.items() if field not in OF_PUBLICATION}
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_settled_profile_is_a_function_of_the_interactions(seed: int) -> None:
    chance = random.Random(seed)
    events = sorted(history(seed), key=lambda event: str(event["timestamp"]))
    for event in events:
        if event["event"] == "Page Viewed":
            event["event"] = chance.choice(["Page Viewed", "Survey Answered", "Delivery Failed", "Product Added"])
            event["properties"]["score"] = chance.choice([2, 10])
    plain = exported(told(events, 1, seed, batch=20, pauses=True))

    shuffled = [*events, *(event for event in events if chance.random() < 0.1)]
    chance.shuffle(shuffled)
    other = exported(told(shuffled, chance.choice([2, 8]), seed, batch=chance.choice([1, 40]), pauses=chance.random() < 0.5))

    assert plain == other


def test_the_law_is_of_accounts_that_decay_and_of_deadlines() -> None:
    found = [one for seed in range(20) for one in exported(told(history(seed), 1, seed, batch=20, pauses=False)).values()]

    assert {one["cause"]["kind"] for one in found} == {"event", "deadline"}
    assert {one["asOf"] for one in found} == {UNTIL}
    assert all(one["evidence"] and one["changed"] == [] for one in found)
    assert any(one["emotion"] for one in found)
