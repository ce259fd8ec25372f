"""Redirects of merged customers end after 30 days, and never at the cost of a customer who lives."""

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams.identity import messages
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.messages import Cannot
from streams.rows import DUE, REDIRECT, NodeKey
from tests.laws.memory import POLICY, Memory, partition_of
from tests.laws.test_order import RULES, history

JOINED = "2025-01-10T00:00:00Z"
EMAIL, PHONE, CRM = ("email", "ann@shop.co.uk"), ("phone", "+447946000100"), ("crm_id", "100300000184")


def key(kind: str, value: str) -> NodeKey:
    found = normaliser(POLICY).normalise(kind, value)
    assert isinstance(found, Identifier)
    return found.key


def seen(memory: Memory, name: str, timestamp: str, *named: tuple[str, str]) -> None:
    identifiers: dict[str, list[str]] = {}
    for kind, value in named:
        identifiers.setdefault(kind, []).append(value)
    memory.produce({"messageId": name, "event": "Page Viewed", "timestamp": timestamp, "identifiers": identifiers})
    memory.run()


def apart(memory: Memory, left: NodeKey, right: NodeKey, holds: bool, order: int) -> None:
    for end in (left, right):
        command = messages.encode(Cannot((left, right), holds, order, ()))
        memory._append(topics.IDENTITY, partition_of(end, memory.partitions), end, command, ())
    memory.run()


def told(memory: Memory, instant: str) -> None:
    memory.tell_time(instant)
    memory.run()


def newest(memory: Memory) -> dict[str, dict[str, Any] | None]:
    """The newest profile of every customer; None where it ended."""
    return {
        (record.key or b"").decode(): None if record.value is None else msgspec.json.decode(record.value)
        for record in memory.log[topics.PROFILES]
    }


def ends(memory: Memory) -> list[str]:
    return [(record.key or b"").decode() for record in memory.log[topics.PROFILES] if record.value is None]


def merged(partitions: int, seed: int = 0) -> tuple[Memory, str, str]:
    """A phone's customer that has gone to an e-mail address's."""
    memory = Memory(RULES, partitions, seed)
    seen(memory, "one", "2025-01-01T00:00:00Z", EMAIL)
    seen(memory, "two", "2025-01-02T00:00:00Z", PHONE)
    seen(memory, "both", JOINED, EMAIL, PHONE)
    into, gone = customer_id(key(*EMAIL)), customer_id(key(*PHONE))
    assert (newest(memory)[gone] or {})["mergedInto"] == into
    return memory, into, gone


@pytest.mark.parametrize("partitions", [1, 7])
def test_a_redirect_ends_after_thirty_days_and_once(partitions: int) -> None:
    memory, into, gone = merged(partitions)

    told(memory, "2025-02-08T23:59:59Z")
    assert ends(memory) == []
    told(memory, "2025-02-09T00:00:00Z")
    assert ends(memory) == [gone]
    assert newest(memory)[into] is not None
    told(memory, "2026-01-01T00:00:00Z")
    assert ends(memory) == [gone]
    assert not [row for store in memory.rows for row in store.rows if row[:1] == DUE.tag and row[9:10] == REDIRECT]


def test_a_redirect_ends_by_the_live_clock_too() -> None:
    memory, _, gone = merged(3)
    memory.replayed = False

    memory.now = instants.parse("2025-02-08T23:59:59Z") or 0
    memory.tick()
    assert ends(memory) == []
    memory.now += 2 * instants.MINUTE
    memory.tick()
    assert ends(memory) == [gone]


@pytest.mark.parametrize("partitions", [1, 7])
def test_who_lives_again_keeps_its_profile(partitions: int) -> None:
    memory, _, gone = merged(partitions)

    apart(memory, key(*EMAIL), key(*PHONE), True, 1)
    told(memory, "2025-06-01T00:00:00Z")

    assert ends(memory) == []
    assert (newest(memory)[gone] or {}).get("version")
    assert (newest(memory)[gone] or {}).get("mergedInto") is None


def test_who_merges_again_redirects_for_another_thirty_days() -> None:
    memory, _, gone = merged(4)

    apart(memory, key(*EMAIL), key(*PHONE), True, 1)
    seen(memory, "later", "2025-02-01T00:00:00Z", PHONE)
    apart(memory, key(*EMAIL), key(*PHONE), False, 2)
    told(memory, "2025-03-02T23:00:00Z")
    assert ends(memory) == []
    told(memory, "2025-03-03T00:00:00Z")
    assert ends(memory) == [gone]


@pytest.mark.parametrize("seed", range(12))
def test_a_redirect_moves_with_those_it_leads_to(seed: int) -> None:
    partitions = 2 + seed
    memory, into, gone = merged(partitions, seed)
    seen(memory, "known", "2025-01-20T00:00:00Z", CRM)
    seen(memory, "moved", "2025-01-21T00:00:00Z", CRM, EMAIL)
    assert (newest(memory)[into] or {})["mergedInto"] == customer_id(key(*CRM))

    told(memory, "2025-02-10T00:00:00Z")
    assert ends(memory) == [gone]
    apart(memory, key(*CRM), key(*EMAIL), True, 1)
    told(memory, "2025-06-10T00:00:00Z")
    assert ends(memory) == [gone]
    assert (newest(memory)[into] or {}).get("mergedInto") is None


@pytest.mark.parametrize("seed", range(40))
def test_in_the_end_every_customer_lives_or_has_ended(seed: int) -> None:
    chance = random.Random(seed)
    events = history(seed)
    chance.shuffle(events)
    memory = Memory(RULES, chance.choice([1, 2, 8]), seed, crash=chance.choice([0.0, 0.3]), batch=chance.choice([1, 5, 40]))
    for event in events:
        memory.produce(event)
        if chance.random() < 0.1:
            memory.tell_time(instants.text(instants.parse("2011-01-01T00:00:00Z") or 0))
        memory.step()
    memory.run()
    told(memory, "2012-09-01T00:00:00Z")

    profiles = newest(memory)
    assert all(profile is None or profile.get("mergedInto") is None for profile in profiles.values())
    held = {customer_id(row[2:]) for store in memory.rows for row in store.rows if row[:2] == b"fp"}
    assert {name for name, profile in profiles.items() if profile is not None} == held
