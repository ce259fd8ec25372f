"""The law of the whole: any order of arrival, any partitioning, duplicates and crashes give the same customers and say the same of them.

Histories are generated: identifiers that merge, split and are contested, orders and cancellations, times that tie. The answer to compare with is
the same history in its own order, on one partition, without a fault.
"""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams import rows as kinds
from streams.customer import digest
from streams.customer.state import decode_row
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import FOLD, TIMELINE
from tests.laws.memory import Memory

RULES = rulebook(retail)
SEEDS = 150
UNTIL = "2012-06-01T00:00:00Z"
START = instants.parse("2011-01-01T00:00:00Z") or 0
TYPES = (("userId", 2), ("anonymousId", 5), ("email", 4), ("phone", 3), ("loyalty_id", 2))
VERDICTS = {
    "status", "reason", "limit", "decidedAt", "receivedAt", "customerVersion", "revision", "customerId", "subject", "replayed", "outcomeToken",
}  # fmt: skip
"""Outside the law; whose it is, is within, once redirects are followed."""


def history(seed: int) -> list[dict[str, Any]]:
    """Interactions of a few people whose identifiers meet in all sorts of ways; each with a message id, several at one instant."""
    chance = random.Random(seed)
    pool = [(kind, _value(kind, number)) for kind, most in TYPES for number in range(chance.randint(1, most))]
    events = []
    for number in range(chance.randint(5, 60)):
        seen = chance.sample(pool, min(len(pool), chance.choices([1, 2, 3], [5, 4, 1])[0]))
        event: dict[str, Any] = {
            "messageId": f"m{number}",
            "event": chance.choices(["Order Completed", "Order Cancelled", "Page Viewed"], [6, 2, 2])[0],
            "timestamp": instants.text(START + chance.randrange(500) * instants.DAY + chance.choice([0, 0, 1]) * instants.HOUR),
            "properties": {"revenue": chance.choice([10, 250.5, 1000, 3000.125]), "currency": "GBP"},
            "identifiers": {},
        }
        for kind, value in seen:
            if kind in ("userId", "anonymousId"):
                event[kind] = value
            else:
                event["identifiers"].setdefault(kind, []).append(value)
        events.append(event)
    return events


def _value(kind: str, number: int) -> str:
    return {"email": f"person{number}@shop.co.uk", "phone": f"+4479460001{number:02d}"}.get(kind, f"{kind}-{number}")


def told(events: list[dict[str, Any]], partitions: int, seed: int, *, crash: float = 0.0, batch: int = 20) -> Memory:
    """A Kairos that all of them came to, and then the end of time."""
    memory = Memory(RULES, partitions, seed, crash=crash, batch=batch)
    for event in events:
        memory.produce(event)
    memory.tell_time(UNTIL)
    memory.run()
    return memory


def standing(memory: Memory) -> dict[str, dict[str, Any]]:
    """Emitted less retracted: of each id the greatest revision that is no retraction, without its verdict."""
    newest: dict[str, tuple[int, dict[str, Any]]] = {}
    seen: set[tuple[str, int]] = set()
    for topic in (topics.STAGES, topics.SEGMENTS, topics.MOMENTS):
        for record in memory.log[topic]:
            value = msgspec.json.decode(record.value or b"")
            name, revision = value["id"], value["revision"]
            assert (name, revision) not in seen, "a revision is said once"
            seen.add((name, revision))
            newest[name] = max(newest.get(name, (0, {})), (revision, value), key=lambda pair: pair[0])
    whose = redirects(memory)
    return {
        name: {field: part for field, part in value.items() if field not in VERDICTS} | {"whose": whose(value["customerId"])}
        for name, (_, value) in newest.items()
        if "retracts" not in value or value["retracts"] is None
    }


def redirects(memory: Memory) -> Callable[[str], str]:
    """Who somebody is by the last that a subscriber heard, who follows redirects also after they have ended."""
    into: dict[str, str | None] = {}
    for record in memory.log[topics.PROFILES]:
        if record.value is not None:
            value = msgspec.json.decode(record.value)
            into[value["customerId"]] = value.get("mergedInto")

    def whose(name: str) -> str:
        for _ in range(len(into)):
            name = into.get(name) or name
        return name

    return whose


def customers(memory: Memory) -> dict[bytes, bytes]:
    """The canonical bytes of every customer's state, by subject."""
    found = {}
    for store in memory.rows:
        for key, row in store.rows.items():
            if key.startswith(FOLD.tag):
                assert key not in found, "a customer lies in one partition"
                found[key] = digest.canonical(decode_row(row).state)
    return found


def living(memory: Memory) -> set[str]:
    """The customers that a subscriber knows who takes the greatest version and resolves redirects; a profile that ends was a redirect."""
    newest: dict[str, dict[str, Any]] = {}
    versions: dict[str, int] = {}
    for record in memory.log[topics.PROFILES]:
        if record.value is None:
            assert record.key is not None
            assert newest.pop(record.key.decode()).get("mergedInto") is not None, "only a redirect ends by itself"
            continue
        value = msgspec.json.decode(record.value)
        assert versions.get(value["customerId"], 0) < value["version"], "versions go up"
        versions[value["customerId"]] = value["version"]
        newest[value["customerId"]] = value
    redirects = {name: value["mergedInto"] for name, value in newest.items() if value.get("mergedInto") is not None}
    alive = newest.keys() - redirects.keys()
    for name in redirects:
        for _ in range(len(redirects) + 1):
            name = redirects.get(name, name)
        assert name in alive, "a redirect ends at a living customer"
    return set(alive)


def same(left: Memory, right: Memory) -> None:
    """Both hold the same customers, and say the same of them."""
    assert customers(left) == customers(right)
    assert standing(left) == standing(right)
    assert living(left) == living(right)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_order_partitions_duplicates_and_crashes_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    plain = told(events, 1, seed)

    shuffled = [*events, *(event for event in events if chance.random() < 0.2)]
    chance.shuffle(shuffled)
    other = told(shuffled, chance.choice([2, 3, 8]), seed, crash=chance.choice([0.0, 0.3]), batch=chance.choice([1, 5, 40]))

    same(plain, other)
    assert sum(key.startswith(TIMELINE.tag) for store in other.rows for key in store.rows) == len(events)


@pytest.mark.parametrize("seed", range(60))
def test_time_that_moves_in_between_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    plain = told(events, 1, seed)

    other = Memory(RULES, chance.choice([1, 3]), seed, batch=chance.choice([1, 10]))
    for event in sorted(events, key=lambda event: str(event["timestamp"])):
        if chance.random() < 0.5:
            other.tell_time(event["timestamp"])
        if chance.random() < 0.3:
            other.run()
        other.produce(event)
    other.tell_time(UNTIL)
    other.run()

    same(plain, other)


@pytest.mark.parametrize("seed", range(30))
def test_checkpoints_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = history(seed)
    plain = told(events, 1, seed)

    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 3)
    random.Random(seed).shuffle(events)
    other = told(events, 2, seed, batch=1)

    same(plain, other)


def test_the_histories_merge_split_and_cross_partitions() -> None:
    tally: dict[tuple[str, ...], int] = {}
    for seed in range(40):
        for name, number in told(history(seed), 8, seed, batch=2).tally.items():
            tally[name] = tally.get(name, 0) + number

    for name in ("kairos_customers_merged", "kairos_customers_split", "kairos_deadlines_drained"):
        assert tally.get((name,), 0) > 10, name
    assert tally["kairos_identity_absorbed", "remote"] > 20
    assert tally["kairos_identity_absorbed", "local"] > 20
