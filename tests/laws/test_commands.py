"""The laws of commands: at whatever point of the stream, in whatever order and however often they come, people are what the newest of them say."""

import random
from typing import Any

import msgspec
import pytest

from schemas import topics
from streams import instants
from streams.identity.component import COMPONENT, settled
from streams.identity.identifiers import Identifier, normaliser
from streams.rows import NodeKey, Person
from tests.laws.memory import POLICY, RECEIVED, Memory
from tests.laws.test_order import RULES, UNTIL, customers, history, living, standing

SEEDS = range(60)
TYPES = {"userId": "user_id", "anonymousId": "anonymous_id"}
Value = dict[str, Any]


def pool(events: list[Value]) -> list[tuple[str, str]]:
    """All identifiers of a history, sorted."""
    said = {(name, event[field]) for event in events for field, name in TYPES.items() if field in event}
    said |= {(kind, value) for event in events for kind, values in event["identifiers"].items() for value in values}
    return sorted(said)


def pairs(events: list[Value]) -> list[list[tuple[str, str]]]:
    """Identifiers that were seen together, the ones whose link a command can undo."""
    met = [pool([event]) for event in events]
    return [found[:2] for found in met if len(found) > 1]


def command(number: int, kind: str, identifiers: list[tuple[str, str]], at: int | None = None) -> Value:
    given = RECEIVED * 1000 - 1_000_000 + (number if at is None else at)
    named = [{"type": name, "value": value} for name, value in identifiers]
    return {"id": f"command-{number}", "kind": kind, "identifiers": named, "actor": "ann", "at": instants.text(given), "reason": "a law"}


def key(identifier: tuple[str, str]) -> NodeKey:
    found = normaliser(POLICY).normalise(*identifier)
    assert isinstance(found, Identifier)
    return found.key


def told(events: list[Value], commands: list[Value], seed: int, *, anywhere: bool) -> Memory:
    """A Kairos at rest; commands at any point, in any order and some of them twice, with crashes, or plainly after all else."""
    chance = random.Random(seed)
    memory = (
        Memory(RULES, chance.choice([1, 2, 5]), seed, crash=0.1 * anywhere, batch=chance.choice([1, 5, 40]))
        if anywhere
        else Memory(RULES, 1)
    )
    if anywhere:
        stream = [*events, *commands, *[one for one in commands if chance.random() < 0.3]]
        chance.shuffle(stream)
    else:
        stream = [*events, *commands]
    for one in stream:
        if "actor" in one:
            memory.command(one)
        else:
            memory.produce(one)
        for _ in range(chance.randint(0, 3)):
            memory.step()
    memory.tell_time(UNTIL)
    memory.run()
    return memory


def people(memory: Memory) -> list[Person]:
    """All customers."""
    rows = [row for store in memory.rows for name, row in store.rows.items() if name.startswith(COMPONENT.tag)]
    return [person for row in rows for person in settled(COMPONENT.decode(row))]


def receipts(memory: Memory) -> list[Value]:
    changes = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.IDENTITY_CHANGES]]
    return [change for change in changes if change.get("command")]


def same(left: Memory, right: Memory) -> None:
    assert customers(left) == customers(right)
    assert living(left) == living(right)
    assert standing(left) == standing(right)


def some(seed: int, events: list[Value]) -> list[Value]:
    """Commands about this history, several about the same, two of them at one instant."""
    chance = random.Random(seed)
    found = pairs(events)
    commands = []
    for number in range(chance.randint(1, 6)):
        kind = chance.choices(["cannot_link", "allow_link", "mark_generic"], [4, 3, 1])[0]
        named = chance.sample(pool(events), 1) if kind == "mark_generic" else chance.choice(found[:3])
        commands.append(command(number, kind, named, number // 2))
    return commands


@pytest.mark.parametrize("seed", SEEDS)
def test_commands_mean_the_same_whenever_they_come_and_however_often(seed: int) -> None:
    events = history(seed)
    commands = some(seed, events) if pairs(events) else []

    same(told(events, commands, seed, anywhere=True), told(events, commands, seed, anywhere=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cannot_link_parts_and_allowing_it_restores(seed: int) -> None:
    events = history(seed)
    found = pairs(events)[:2]
    apart = [command(number, "cannot_link", both) for number, both in enumerate(found)]
    again = [command(number + 10, "allow_link", both) for number, both in enumerate(found)]

    parted = told(events, apart, seed, anywhere=True)
    for left, right in found:
        assert not any({key(left), key(right)} <= set(person.members) for person in people(parted)), "one customer with both"
    same(told(events, [*apart, *again], seed, anywhere=True), told(events, [], seed, anywhere=False))
    for one in again:
        parted.command(one)
    parted.run()
    same(parted, told(events, [], seed, anywhere=False))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_command_is_answered_and_says_whom_it_parted(seed: int) -> None:
    events = history(seed)
    commands = some(seed, events) if pairs(events) else []
    memory = told(events, commands, seed, anywhere=True)
    answered = receipts(memory)

    assert {one["command"]["id"] for one in answered} == {one["id"] for one in commands}
    by_id = {one["id"]: one for one in commands}
    for one in answered:
        asked = by_id[one["command"]["id"]]
        assert one["kind"] == asked["kind"]
        assert one["command"] == {name: asked[name] for name in ("id", "actor", "at", "reason")}
        values = [value for _, value in pool(events)]
        assert not any(value in msgspec.json.encode(one).decode() for value in values), "an identifier in the clear"
        if one["holds"] and one["kind"] == "allow_link":
            assert len(one["into"]) <= max(1, len(one["from"]))


@pytest.mark.parametrize("seed", range(20))
def test_an_erasure_by_command_says_who_asked_for_it(seed: int) -> None:
    events = history(seed)
    one = random.Random(seed).choice(pool(events))
    memory = told(events, [command(1, "erase", [one])], seed, anywhere=True)
    (receipt,) = receipts(memory)

    assert (receipt["kind"], receipt["command"]["actor"], receipt["command"]["reason"]) == ("erasure", "ann", "a law")
    assert not any(one[1].encode() in state for state in customers(memory).values())


def test_the_laws_are_of_commands_that_part_people() -> None:
    parted = 0
    for seed in SEEDS:
        events = history(seed)
        memory = told(events, [command(number, "cannot_link", both) for number, both in enumerate(pairs(events)[:2])], seed, anywhere=False)
        parted += sum(len(one["into"]) > len(one["from"]) for one in receipts(memory))

    assert parted > len(SEEDS) // 3
