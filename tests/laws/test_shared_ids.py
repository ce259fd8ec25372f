"""One message id, several customers: an id is its sender's, and what two customers did is two interactions, whatever they are called."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from tests.laws.memory import Memory
from tests.laws.test_order import history, same, standing, told


def order(user: str, message: str = "m1", at: str = "2011-03-01T09:00:00Z", **more: Any) -> dict[str, Any]:
    """An order of somebody."""
    return {"messageId": message, "event": "Order Completed", "timestamp": at, "userId": user, "properties": {"revenue": 40}, **more}


def first_orders(memory: Memory) -> list[dict[str, Any]]:
    """The stage changes to first_order."""
    said = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.STAGES]]
    return [value for value in said if value["to"] == "first_order"]


@pytest.mark.parametrize("partitions", [1, 8])
def test_two_customers_with_one_message_id_share_no_output(partitions: int) -> None:
    memory = told([order("ann"), order("bob")], partitions, 0)

    ann, bob = first_orders(memory)
    assert ann["id"] != bob["id"] and ann["customerId"] != bob["customerId"]
    assert ann["evidence"] == bob["evidence"] == ["m1"]


def test_when_they_are_one_the_interaction_counts_once_and_the_other_output_is_taken_back() -> None:
    memory = told([order("ann", identifiers={"loyalty_id": "7"}), order("", anonymousId="device")], 1, 0)
    memory.produce(order("ann", "m2", "2011-03-02T09:00:00Z", anonymousId="device"))
    memory.run()

    said = first_orders(memory)
    assert len({value["id"] for value in said if not value.get("retracts")}) == 2
    assert sum(bool(value.get("retracts")) for value in said) == 1
    assert [value["to"] for value in standing(memory).values() if value.get("journey")].count("first_order") == 1


@pytest.mark.parametrize("seed", range(40))
def test_order_and_partitions_change_nothing_where_ids_come_again(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    for number, event in enumerate(events):
        event["messageId"] = f"m{number // 3}"
    plain = told(events, 1, seed)

    shuffled = [*events, *(event for event in events if chance.random() < 0.2)]
    chance.shuffle(shuffled)
    other = told(shuffled, chance.choice([2, 8]), seed, batch=chance.choice([1, 5, 40]))

    same(plain, other)
