"""The laws of commands: at whatever point of the stream, in whatever order and however often they come, people are what the newest of them say."""

import random
from itertools import combinations
from typing import Any

import msgspec
import pytest
from msgspec import structs

from schemas import topics
from streams import instants
from streams.identity.component import COMPONENT, Component, settled
from streams.identity.identifiers import Identifier, normaliser
from streams.identity.resolve import resolve
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
    return [person for component in components(memory) for person in settled(component)]


def components(memory: Memory) -> list[Component]:
    """All evidence."""
    return [COMPONENT.decode(row) for store in memory.rows for name, row in store.rows.items() if name.startswith(COMPONENT.tag)]


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
        kind = chance.choices(["link", "cannot_link", "allow_link", "mark_generic", "unmark", "export"], [3, 4, 3, 2, 2, 1])[0]
        named = chance.sample(pool(events), 1) if kind in ("mark_generic", "unmark", "export") else chance.choice(found[:3])
        commands.append(command(number, kind, named, number // 2))
    return commands


@pytest.mark.parametrize("seed", SEEDS)
def test_commands_mean_the_same_whenever_they_come_and_however_often(seed: int) -> None:
    events = history(seed)
    commands = some(seed, events) if pairs(events) else []

    same(told(events, commands, seed, anywhere=True), told(events, commands, seed, anywhere=False))


@pytest.mark.parametrize("seed", range(30))
def test_who_is_parted_is_as_if_there_had_never_been_a_link(seed: int) -> None:
    """People, timelines, states and what stands of the outputs, of who were one customer for a while and of who never were."""
    events = history(seed)
    parted = told(events, [], seed, anywhere=False)
    found = [both for both in pairs(events) if any(set(map(key, both)) <= set(person.members) for person in people(parted))][:2]
    assert found, "nobody is parted"
    apart = [command(number, "cannot_link", both) for number, both in enumerate(found)]
    never = told([], apart, seed, anywhere=False)

    for one in apart:
        parted.command(one)
    parted.run()
    for event in events:
        never.produce(event)
        never.run()
        assert not any(set(map(key, both)) <= set(person.members) for both in found for person in people(never))
    never.tell_time(UNTIL)
    never.run()

    same(parted, never)


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


def strangers(seed: int, events: list[Value]) -> list[list[tuple[str, str]]]:
    """Two pairs of identifiers that are different customers' without a command."""
    chance = random.Random(seed)
    alone = people(told(events, [], seed, anywhere=False))
    holder = {member: person.canonical for person in alone for member in person.members}
    known = [one for one in pool(events) if key(one) in holder]
    apart = [[one, other] for one, other in combinations(known, 2) if holder[key(one)] != holder[key(other)]]
    return chance.sample(apart, min(2, len(apart)))


@pytest.mark.parametrize("seed", range(30))
def test_a_link_joins_and_what_ends_it_gives_what_was_before(seed: int) -> None:
    events = history(seed)
    found = strangers(seed, events)
    joined = [command(number, "link", both) for number, both in enumerate(found)]
    ended = [command(number + 10, "allow_link", both) for number, both in enumerate(found)]
    parted = [command(number + 10, "cannot_link", both) for number, both in enumerate(found)]

    together = told(events, joined, seed, anywhere=True)
    same(together, told(events, joined, seed, anywhere=False))
    shared = {end for row in components(together) for end in row.generic}
    for one, other in found:
        if shared.isdisjoint((key(one), key(other))):
            assert any({key(one), key(other)} <= set(person.members) for person in people(together)), "two customers"
    for end, before in ((ended, []), (parted, parted)):
        same(told(events, [*joined, *end], seed, anywhere=True), told(events, before, seed, anywhere=False))
    for one in ended:
        together.command(one)
    together.run()
    same(together, told(events, [], seed, anywhere=False))


@pytest.mark.parametrize("seed", range(15))
def test_a_link_holds_for_whom_nobody_has_seen_yet_in_any_order(seed: int) -> None:
    events = history(seed)
    chance = random.Random(seed)
    unseen = chance.sample(
        [("email", "nobody@shop.co.uk"), ("case_id", "case-unseen"), ("phone", "+447946000999"), ("user_id", "unseen")], 3
    )
    linked = [[chance.choice(pool(events)), unseen[0]], unseen[1:]]
    commands = [command(number, "link", both) for number, both in enumerate(linked)]

    found = [told(events, commands, seed + turn, anywhere=True) for turn in range(3)]

    plain = told(events, commands, seed, anywhere=False)
    shared = {end for row in components(plain) for end in row.generic}
    for memory in (plain, *found):
        who = {
            member: person.canonical for row in components(memory) for person in resolve(row, POLICY).people for member in person.members
        }
        for one, other in linked:
            assert shared.intersection((key(one), key(other))) or who[key(one)] == who[key(other)] <= min(key(one), key(other))
        same(memory, plain)
    later = {"messageId": "later", "event": "Seen", "identifiers": {unseen[0][0]: [unseen[0][1]]}, "timestamp": "2012-06-01T09:00:00Z"}
    same(told([*events, later], commands, seed, anywhere=True), told([*events, later], commands, seed, anywhere=False))


def test_a_link_overrules_the_limit_of_one_login_and_a_later_part_of_it_does_not_disturb_others() -> None:
    told_of = [{"user_id": "ann"}, {"user_id": "ann-again", "email": "ann@brand.co"}, {"user_id": "ann", "phone": "+442079460001"}]
    events = [
        {"messageId": f"m{number}", "event": "Seen", "identifiers": said, "timestamp": f"2025-01-0{number + 1}T09:00:00Z"}
        for number, said in enumerate(told_of)
    ]
    link = command(1, "link", [("user_id", "ann"), ("user_id", "ann-again")])

    (one,) = people(told(events, [link], 1, anywhere=False))
    (receipt,) = receipts(told(events, [link], 1, anywhere=False))

    assert len(one.members) == 4
    assert (receipt["kind"], receipt["holds"], len(receipt["from"]), len(receipt["into"])) == ("link", True, 2, 1)


@pytest.mark.parametrize("seed", range(30))
def test_an_unmark_gives_back_what_a_mark_took(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.commands.MET_MAX", 1 + seed % 3)
    chance = random.Random(seed)
    events = history(seed)
    before = told(events, [], seed, anywhere=False)
    shared = {end for row in components(before) for end in row.generic}
    named = [one for one in chance.sample(pool(events), min(3, len(pool(events)))) if key(one) not in shared]
    marked = [command(number, "mark_generic", [one]) for number, one in enumerate(named)]
    again = [command(number + 10, "unmark", [one]) for number, one in enumerate(named)]

    taken = told(events, marked, seed, anywhere=True)

    assert not any(len(person.members) > 1 and {key(one) for one in named} & set(person.members) for person in people(taken))
    same(told(events, [*marked, *again], seed, anywhere=True), before)
    for one in again:
        taken.command(one)
    taken.run()
    same(taken, before)


def test_what_was_counted_as_shared_links_again_as_if_it_never_had_been(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.commands.MET_MAX", 2)
    events = [
        {
            "messageId": f"m{number}",
            "event": "Seen",
            "identifiers": {"email": "all@brand.co", "crm_id" if number % 2 else "user_id": f"{number}"},
            "timestamp": f"2025-01-{number + 1:02d}T09:00:00Z",
        }
        for number in range(12)
    ]
    unmark = command(1, "unmark", [("email", "all@brand.co")])
    loose = structs.replace(POLICY, types=tuple(structs.replace(kind, generic_above=100) for kind in POLICY.types))

    counted = told(events, [], 1, anywhere=False)
    never = Memory(RULES, 1, policy=loose)
    for one in events:
        never.produce(one)
    never.run()

    assert len(people(counted)) == 13 - 1
    assert any(len(person.members) > 1 for person in people(never))
    for seed in range(10):
        assert set(people(told(events, [unmark], seed, anywhere=True))) == set(people(never))


@pytest.mark.parametrize("seed", range(20))
def test_an_export_is_answered_and_changes_nothing(seed: int) -> None:
    events = history(seed)
    one = random.Random(seed).choice(pool(events))
    memory = told(events, [command(1, "export", [one])], seed, anywhere=True)
    told_as = receipts(memory)

    assert {receipt["command"]["id"] for receipt in told_as} == {"command-1"}
    assert all((one["kind"], one["command"]["actor"], one["from"]) == ("export", "ann", one["into"]) for one in told_as)
    same(memory, told(events, [], seed, anywhere=False))


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
        if one["holds"] and one["kind"] == "allow_link" and not any(other["kind"] == "link" for other in commands):
            assert len(one["into"]) <= max(1, len(one["from"]))


@pytest.mark.parametrize("partitions", [1, 8])
def test_a_value_that_links_nobody_any_more_says_whom_it_parted_and_then_whom_it_joined(partitions: int) -> None:
    memory = Memory(RULES, partitions)
    seen = {"event": "Page Viewed", "timestamp": instants.text(RECEIVED * 1000 - 9)}
    phone = {"phone": "+447946000101"}
    memory.produce({**seen, "messageId": "m1", "userId": "bob", "identifiers": phone})
    memory.produce({**seen, "messageId": "m2", "identifiers": {"email": "bob@shop.co.uk", **phone}})
    memory.run()
    for number, kind in enumerate(["mark_generic", "unmark"]):
        memory.command(command(number, kind, list(phone.items())))
        memory.run()

    marked, unmarked = receipts(memory)
    assert len(marked["from"]) == 1 and len(marked["into"]) == 2
    assert (unmarked["from"], unmarked["into"]) == (marked["into"], marked["from"])


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
