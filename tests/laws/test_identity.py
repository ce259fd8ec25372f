"""The laws of identity over generated histories, with the product's own handlers, against an oracle that shares no code."""

from collections.abc import Sequence
from itertools import permutations
from random import Random

import pytest
from msgspec import structs

from streams.identity.component import Component, copy, join, pair
from streams.identity.policy import ranked
from streams.identity.resolve import resolve
from streams.rows import NodeKey
from tests.laws.driver import World, event
from tests.laws.history import SHIPPED, History, assert_same, expected, generate, play

KINDNESS: Sequence[dict[str, float]] = (
    {},
    {"crashes": 0.2},
    {"crashes": 0.3, "short_circuit": False},
    {"duplicates": 0.2, "slow_channels": 0.6},
    {"crashes": 0.2, "duplicates": 0.3, "short_circuit": False, "batch_records_max": 60},
)


def _adversary(seed: int, events_max: int) -> None:
    history = generate(seed, events_max)
    partitions = Random(seed).choice([1, 2, 3, 5, 8])
    world = World(partitions, history.policy, seed * 7 + 1, **KINDNESS[seed % len(KINDNESS)])  # type: ignore[arg-type]  # a table of options

    found = play(world, history, seed + 1, again=0.2).result()

    assert_same(found, expected(history))
    _assert_each_touch_once(history, found.touches)
    _assert_nobody_over_a_limit(history, found.person)
    _assert_redirects_end_at_the_living(world, set(found.touches))
    told = [conflict.id for conflict in world.conflicts]
    assert len(told) == len(set(told)), "a conflict told twice"


@pytest.mark.parametrize("block", range(12))
def test_people_equal_the_oracle_whatever_the_order_the_crashes_and_the_duplicates(block: int) -> None:
    for seed in range(block * 20, block * 20 + 20):
        _adversary(seed, events_max=40)


@pytest.mark.faults
@pytest.mark.parametrize("block", range(20))
def test_people_equal_the_oracle_in_long_trials(block: int) -> None:
    for seed in range(100_000 + block * 100, 100_000 + block * 100 + 100):
        _adversary(seed, events_max=120)


def _assert_each_touch_once(history: History, touches: dict[NodeKey, set[bytes]]) -> None:
    held = [uid for uids in touches.values() for uid in uids]
    assert sorted(held) == sorted({one.uid for one in history.events})


def _assert_nobody_over_a_limit(history: History, person: dict[NodeKey, NodeKey]) -> None:
    types = ranked(history.policy.types)
    members: dict[NodeKey, list[NodeKey]] = {}
    for key, canonical in person.items():
        members.setdefault(canonical, []).append(key)
    for keys in members.values():
        for code, kind in enumerate(types):
            if kind.strength == "unique" and kind.limit is not None:
                assert sum(key[0] == code for key in keys) <= kind.limit
    last = {pair(one.left, one.right): one for one in history.commands}
    for command in last.values():
        if command.apart:
            assert person[command.left] != person[command.right]


def _assert_redirects_end_at_the_living(world: World, living: set[NodeKey]) -> None:
    for gone in world.redirects:
        seen = {gone}
        to = world.redirects[gone]
        while to in world.redirects:
            assert to not in seen, "redirects in a circle"
            seen.add(to)
            to = world.redirects[to]
        assert to in living


@pytest.mark.parametrize("seed", range(8))
def test_every_order_of_a_small_history_gives_the_same_people(seed: int) -> None:
    history = generate(seed, events_max=4)
    wanted = expected(history)
    for number, order in enumerate(permutations(history.events)):
        world = World(1 + number % 3, history.policy, seed)
        for one in order:
            world.produce(one)
            world.run_until_idle()
        for command in history.commands:
            world.cannot(*command)
        world.run_until_idle()
        assert_same(world.result(), wanted)


@pytest.mark.parametrize("seed", range(6))
def test_partitions_and_short_circuits_never_change_people(seed: int) -> None:
    history = generate(1_000 + seed)
    wanted = expected(history)
    for partitions in (1, 2, 4, 16, 64):
        for short_circuit in (True, False):
            world = World(partitions, history.policy, seed, short_circuit=short_circuit)
            assert_same(play(world, history, seed).result(), wanted)


@pytest.mark.parametrize("seed", range(10))
def test_replaying_a_prefix_changes_nothing(seed: int) -> None:
    history = generate(2_000 + seed)
    world = play(World(3, history.policy, seed), history, seed)
    before = world.result()
    told, changed = len(world.conflicts), len(world.changes)

    for one in history.events[: len(history.events) // 2 + 1]:
        world.produce(one)
    for command in history.commands:
        world.cannot(*command)
    world.run_until_idle()

    assert world.result() == before
    assert len(world.conflicts) == told
    assert all(change.before == change.after and not change.moved for change in world.changes[changed:])


@pytest.mark.parametrize("seed", range(10))
def test_cannot_link_and_its_removal_restore_the_people(seed: int) -> None:
    history = generate(3_000 + seed)._replace(commands=[])
    wanted = expected(history)
    keys = sorted(wanted.person)
    chance = Random(seed)
    world = play(World(4, history.policy, seed), history, seed)

    pairs = [tuple(chance.sample(keys, 2)) for _ in range(4)] if len(keys) > 1 else []
    for order, (left, right) in enumerate(pairs):
        world.cannot(left, right, True, order)
    world.run_until_idle()
    for left, right in pairs:
        assert world.result().person[left] != world.result().person[right]
    for order, (left, right) in enumerate(pairs):
        world.cannot(left, right, False, len(pairs) + order)
    world.run_until_idle()

    assert_same(world.result(), wanted)


def _evidence(seed: int) -> Component:
    """A component as one partition would hold it, from a generated history."""
    history = generate(seed, policy=SHIPPED)
    world = play(World(1, history.policy, seed), history, seed)
    whole = Component(set())
    for key, component in world.live[0].items():
        if key[:1] == b"c":
            join(whole, component)
    return whole


@pytest.mark.parametrize("seed", range(20))
def test_weak_links_have_no_say_in_the_known_people(seed: int) -> None:
    policy = SHIPPED
    types = ranked(policy.types)
    component = _evidence(4_000 + seed)
    strong = copy(component)
    strong.edges = {both: seen for both, seen in component.edges.items() if types[both[16]].strength != "weak"}

    def known(evidence: Component) -> int:
        people = resolve(evidence, policy).people
        return sum(types[person.canonical[0]].strength != "weak" for person in people)

    assert known(component) == known(strong)


@pytest.mark.parametrize("seed", range(20))
def test_a_generic_identifier_links_nobody(seed: int) -> None:
    component = _evidence(5_000 + seed)
    shared = min(component.members)
    component.generic.add(shared)

    people = resolve(component, SHIPPED).people

    assert all(person.members == (shared,) for person in people if shared in person.members)


@pytest.mark.parametrize("seed", range(20))
def test_joining_evidence_is_commutative_associative_and_idempotent(seed: int) -> None:
    one, two, three = (_evidence(6_000 + 3 * seed + number) for number in range(3))

    def joined(*parts: Component) -> Component:
        whole = copy(parts[0])
        for part in parts[1:]:
            join(whole, part)
        return structs.replace(whole, floor=0, people=())

    left = joined(joined(one, two), three)
    assert left == joined(one, joined(two, three)) == joined(three, two, one) == joined(left, two, left)


@pytest.mark.parametrize("seed", range(4))
def test_a_move_in_many_slices_loses_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.moves.SLICE_BYTES_MAX", 97)
    for number in range(5):
        history = generate(7_000 + seed * 10 + number)
        world = World(5, history.policy, seed, crashes=0.1, duplicates=0.2, batch_records_max=3, slow_channels=0.6)
        assert_same(play(world, history, seed, again=0.2).result(), expected(history))


def test_a_crash_at_every_write_changes_nothing() -> None:
    user, email, phone = (bytes([code]) + bytes([code + 1]) * 15 for code in (0, 2, 4))
    history = History(SHIPPED, [event([user, email], 5, "a"), event([email, phone], 6, "b"), event([phone], 7, "c")], [])
    wanted = expected(history)
    for seed in range(40):
        world = World(3, history.policy, seed, crashes=0.7)
        assert_same(play(world, history, seed).result(), wanted)


@pytest.mark.parametrize("seed", range(4))
def test_forgetting_which_links_were_told_is_harmless(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.protocol.LINKED_MAX", 1)
    history = generate(8_000 + seed)
    world = World(4, history.policy, seed, crashes=0.1)

    assert_same(play(world, history, seed, again=0.5).result(), expected(history))
