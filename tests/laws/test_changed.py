"""What a profile says has changed is what differs from the one before: compared field by field, as a subscriber could."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from tests.laws.memory import Memory
from tests.laws.test_commands import command, pairs, pool
from tests.laws.test_order import RULES, UNTIL, history

NAMED = ("identifiers", "traits", "journeys", "moments", "channels", "reach", "totals", "freshness")
LISTED = ("segments", "accounts")
ALONE = ("known", "language", "timezone", "completeness", "openCases", "emotion", "irritation")


def parts(profile: dict[str, Any] | None) -> dict[str, Any]:
    """All that a profile says, by path; what says nothing is left out."""
    said: dict[str, Any] = {}
    if profile is None or profile.get("mergedInto") is not None:
        return said
    for field in NAMED:
        said |= {f"{field}.{name}": value for name, value in profile[field].items()}
    for field in LISTED:
        said |= {f"{field}.{name}": True for name in profile[field]}
    for one in profile["consent"]:
        said.setdefault(f"consent.{one['purpose']}", []).append(one)
    return said | {field: profile[field] for field in ALONE if profile[field]}


def told(seed: int) -> Memory:
    """Interactions with consent, traits and cases, commands in their midst, in batches of one to some."""
    chance = random.Random(seed)
    memory = Memory(RULES, chance.choice([1, 3]), seed, batch=chance.choice([1, 4]))
    events = history(seed)
    for number, event in enumerate(events):
        more = {
            "channel": chance.choice(["web", "email"]),
            "traits": {"city": chance.choice(["York", "Leeds"])},
            "caseId": chance.choice(["case-1", None, None]),
            "language": chance.choice(["en", "de"]),
            "account": chance.choice(["acme", None]),
            "consent": [{"purpose": "news", "channel": chance.choice(["email", "sms"]), "state": chance.choice(["granted", "denied"])}],
        }
        memory.produce(event | {name: value for name, value in more.items() if chance.random() < 0.4})
        if chance.random() < 0.2:
            kind = chance.choice(["cannot_link", "allow_link", "mark_generic", "unmark"])
            both = chance.choice(pairs(events) or [pool(events)[:2]])
            memory.command(command(number, kind, both if "link" in kind else both[:1]))
        if chance.random() < 0.5:
            memory.run()
    memory.run()
    memory.tell_time(UNTIL)
    memory.run()
    return memory


@pytest.mark.parametrize("seed", range(40))
def test_changed_is_what_differs_from_the_version_before(seed: int) -> None:
    before: dict[str, Any] = {}
    for record in told(seed).log[topics.PROFILES]:
        name = (record.key or b"").decode()
        if record.value is None:
            before.pop(name)
            continue
        profile = msgspec.json.decode(record.value)
        if profile.get("mergedInto") is None:
            then, now = parts(before.get(name)), parts(profile)
            assert set(profile["changed"]) == {path for path in then.keys() | now.keys() if then.get(path) != now.get(path)}
            assert len(profile["changed"]) == len(set(profile["changed"]))
        before[name] = profile


@pytest.mark.parametrize("seed", range(20))
def test_a_profile_counts_the_interactions_that_were_applied(seed: int) -> None:
    events = history(seed)
    memory = Memory(RULES, 2, seed)
    for event in events:
        memory.produce(event)
    memory.run()

    newest: dict[bytes, Any] = {record.key or b"": msgspec.json.decode(record.value or b"") for record in memory.log[topics.PROFILES]}
    assert not any("channel" in event for event in events)
    assert sum(profile.get("interactions", 0) for profile in newest.values()) == len(events)
