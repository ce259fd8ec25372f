"""The laws of erasure over generated histories: what is void is gone for good, whenever it comes, and everybody else is as if it had never been."""

from collections import defaultdict
from random import Random
from typing import NamedTuple

import pytest
from msgspec import structs

from streams.identity.messages import Event
from streams.identity.past import Mark
from streams.instants import DAY, HOUR
from streams.rows import NodeKey, decode_touch, encode_touch
from tests.laws.driver import People, World, event
from tests.laws.history import SHIPPED, Command, History, as_plain
from tests.oracles import identity as oracle

KINDNESS: tuple[dict[str, float], ...] = (
    {},
    {"crashes": 0.2},
    {"crashes": 0.3, "short_circuit": False},
    {"duplicates": 0.2, "slow_channels": 0.6},
    {"crashes": 0.2, "duplicates": 0.3, "short_circuit": False, "batch_records_max": 60},
)
ORDER = 100
"""Erasures are commanded after all else."""


class Erasure(NamedTuple):
    identifier: NodeKey
    at: int
    order: int


class Told(NamedTuple):
    """A history whose touches carry their identifiers in the clear, and these by key."""

    history: History
    texts: dict[NodeKey, str]
    span: int


def generate(seed: int, events_max: int = 40) -> Told:
    chance = Random(seed)
    policy = structs.replace(SHIPPED, contested=chance.choice(["latest", "first", "none"]))
    plain = as_plain(policy)
    most = chance.choice([2, 4, 8])
    named = {}
    for kind in policy.types:
        for number in range(chance.randint(1, most)):
            text = f"the {kind.name} numbered {number} <"
            named[oracle.key_of(plain, kind.name, text)] = (kind.name, text)
    span = chance.choice([50 * HOUR, 100 * DAY])
    events = [_event(chance, named, chance.randrange(span), f"m{number}") for number in range(chance.randint(1, events_max))]
    commands = [Command(*chance.sample(sorted(named), 2), True, order) for order in range(chance.choice([0, 0, 2]))]
    return Told(History(policy, events, commands), {key: text for key, (_, text) in named.items()}, span)


def _event(chance: Random, named: dict[NodeKey, tuple[str, str]], occurred_at: int, name: str) -> Event:
    ids = chance.sample(sorted(named), min(len(named), chance.choices([1, 2, 3, 4], [3, 5, 2, 1])[0]))
    bare = event(ids, occurred_at, name)
    return structs.replace(
        bare, touch=encode_touch(structs.replace(decode_touch(bare.touch), identifiers=tuple(named[key] for key in ids)))
    )


def _is_void(one: Event, marks: dict[NodeKey, Mark]) -> bool:
    return any(key in marks and one.occurred_at <= marks[key].until and (marks[key].own or key == min(one.ids)) for key in one.ids)


def expected(history: History, marks: dict[NodeKey, Mark]) -> People:
    """What the oracle says of what is not void; what is shared by too many stays so."""
    void = [one for one in history.events if _is_void(one, marks)]
    plain = [[(one.ids, one.occurred_at, one.uid) for one in events] for events in ([e for e in history.events if e not in void], void)]
    commands = [one for one in history.commands if not any(key in marks and marks[key].order > one.order for key in one[:2])]
    person, touches = oracle.people(as_plain(history.policy), plain[0], commands, plain[1])
    return People(person, touches)


def _generic(history: History) -> set[NodeKey]:
    """Identifiers shared by too many: they lie apart from those who share them, so erasing one erases nothing of theirs."""
    types = sorted(history.policy.types, key=lambda kind: (kind.priority, kind.name))
    unique = defaultdict(set)
    for one in history.events:
        for other in set(one.ids) - {min(one.ids)}:
            if types[min(one.ids)[0]].strength == "unique":
                unique[other].add(min(one.ids))
    return {key for key, seen in unique.items() if len(seen) > types[key[0]].generic_above}


def assert_forgotten(world: World, told: Told, marks: dict[NodeKey, Mark]) -> None:
    """No row holds the text of what was erased as somebody's own; of what is shared only what is anchored elsewhere."""
    rows = [(key, row) for store in world.store for key, row in store.items()]
    for key, mark in marks.items():
        text = told.texts[key].encode()
        for place, row in rows:
            assert text not in row or (not mark.own and place[:1] == b"t" and place[1:17] != key), told.texts[key]


def _assert_redirects_end(world: World, living: set[NodeKey]) -> None:
    for gone in world.redirects:
        to, steps = gone, 0
        while to in world.redirects and steps <= len(world.redirects):
            to, steps = world.redirects[to], steps + 1
        assert to in living | world.erased


def live(seed: int, when: float, again: float) -> tuple[Told, World, dict[NodeKey, Mark]] | None:
    """A world in which somebody is erased while a share of the history is still to come; None where nothing is said about shared identifiers."""
    told = generate(seed)
    history, chance = told.history, Random(seed + 1)
    world = World(Random(seed).choice([1, 2, 3, 5]), history.policy, seed * 7 + 1, **KINDNESS[seed % len(KINDNESS)])  # type: ignore[arg-type]  # a table of options
    stream: list[Event | Command] = [*history.events, *history.commands]
    chance.shuffle(stream)
    before = round(len(stream) * when)
    _produce(world, chance, stream[:before])
    for number in range(chance.choice([1, 1, 2])):
        one = Erasure(chance.choice(sorted(told.texts)), told.span, ORDER + number)
        for _ in range(chance.choice([1, 1, 3])):
            world.erase(*one)
    _produce(world, chance, stream[before:])
    _produce(world, chance, [one for one in stream if chance.random() < again])
    world.run_until_idle()
    marks = world.marks()
    return None if any(marks[key].own for key in _generic(history) & set(marks)) else (told, world, marks)


def _produce(world: World, chance: Random, stream: list[Event | Command]) -> None:
    for one in stream:
        if isinstance(one, Event):
            world.produce(one)
        else:
            world.cannot(*one)
        for _ in range(chance.randint(0, 4)):
            world.step()


@pytest.mark.parametrize("block", range(12))
def test_what_is_void_is_gone_whenever_it_comes_and_all_others_are_as_without_it(block: int) -> None:
    judged = 0
    for seed in range(block * 20, block * 20 + 20):
        lived = live(seed, when=Random(seed).choice([0.0, 0.3, 0.7, 1.0]), again=0.5)
        if lived is not None:
            told, world, marks = lived
            found = world.result()
            wanted = expected(told.history, marks)
            assert found.touches == wanted.touches
            for key, canonical in wanted.person.items():
                assert found.person.get(key, key) == canonical
            assert_forgotten(world, told, marks)
            _assert_redirects_end(world, set(found.touches))
            judged += 1
    assert judged > 5


@pytest.mark.parametrize("block", range(6))
def test_who_begins_again_is_new_and_no_command_that_comes_twice_ends_that(block: int) -> None:
    begun = 0
    for seed in range(1_000 + block * 20, 1_000 + block * 20 + 20):
        lived = live(seed, when=1.0, again=0.3)
        if lived is None:
            continue
        told, world, marks = lived
        history, chance = told.history, Random(seed)
        versions = dict(world.versions)
        named = {key: (_kind(history, key), text) for key, text in told.texts.items()}
        least = max([mark.until for mark in marks.values()], default=told.span) + 1
        fresh = [_event(chance, named, least + chance.randrange(DAY), f"fresh{number}") for number in range(chance.randint(1, 12))]
        again: list[Event | Command] = [*fresh, *[one for one in history.events if chance.random() < 0.3]]
        chance.shuffle(again)
        _produce(world, chance, again)
        for key in sorted(marks):
            world.erase(key, told.span, ORDER)
        world.run_until_idle()

        after = history._replace(events=[*history.events, *fresh])
        if _generic(after) & set(marks):
            continue
        assert world.marks() == marks
        wanted, found = expected(after, marks), world.result()
        assert found.touches == wanted.touches
        assert all(found.person.get(key, key) == canonical for key, canonical in wanted.person.items())
        for canonical in wanted.touches:
            assert world.versions[canonical] >= versions.get(canonical, 0)
            begun += canonical in marks
    assert begun > 5


def _kind(history: History, key: NodeKey) -> str:
    return sorted(history.policy.types, key=lambda kind: (kind.priority, kind.name))[key[0]].name
