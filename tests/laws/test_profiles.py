"""What the newest profiles say is a function of the interactions, as the states are: whatever came when, and whoever was taken for whom meanwhile."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from tests.laws.memory import Memory
from tests.laws.test_order import RULES, history, told

SEEDS = 60
OF_THE_MOMENT = frozenset(
    {"version", "customerVersion", "revision", "updatedAt", "decidedAt", "receivedAt", "occurredAt", "asOf", "cause", "changed", "evidence"}
)
"""These tell of the batch that a profile was published in."""


def profiles(memory: Memory) -> dict[str, dict[str, Any]]:
    """The newest of every living customer, without what tells of its publication."""
    newest: dict[str, dict[str, Any]] = {}
    for record in memory.log[topics.PROFILES]:
        if record.value is None:  # a redirect that has ended
            newest.pop((record.key or b"").decode())
            continue
        value = msgspec.json.decode(record.value)
        newest[value["customerId"]] = value
    return {
        name: {field: part for field, part in value.items() if field not in OF_THE_MOMENT}
        for name, value in newest.items()
        if value.get("mergedInto") is None
    }


@pytest.mark.parametrize("batch", [1, 20])
@pytest.mark.parametrize("reverse", [False, True])
def test_an_identifier_that_has_gone_to_another_customer_is_shown_there_alone(batch: int, reverse: bool) -> None:
    opened = {
        "messageId": "opened",
        "event": "Case Opened",
        "timestamp": "2025-02-04T21:56:04Z",
        "caseId": "case-1",
        "identifiers": {"email": "ann@shop.co.uk"},
    }
    solved = {
        "messageId": "solved",
        "event": "Case Solved",
        "timestamp": "2025-02-06T13:34:32Z",
        "caseId": "case-1",
        "identifiers": {"crm_id": "100300000184"},
    }

    memory = Memory(RULES, 1, batch=batch)
    for event in (solved, opened) if reverse else (opened, solved):
        memory.produce(event, key=b"one")
    memory.run()

    shown = [profile["identifiers"] for profile in profiles(memory).values()]
    assert sorted(shown, key=str) == [{"case_id": ["case-1"], "crm_id": ["100300000184"]}, {"email": ["ann@shop.co.uk"]}]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_order_partitions_and_duplicates_change_no_profile(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    shuffled = [*events, *(event for event in events if chance.random() < 0.2)]
    chance.shuffle(shuffled)

    assert profiles(told(shuffled, chance.choice([1, 2, 8]), seed, batch=chance.choice([1, 5, 40]))) == profiles(told(events, 1, seed))
