"""The law of the last resort: a component that has become too large takes in nobody; nothing is lost, nothing waits, and no row grows any further."""

from collections.abc import Sequence
from itertools import count, pairwise
from random import Random
from zlib import crc32

import pytest
from msgspec import structs

from streams.engine.settings import MEBIBYTE
from streams.identity.changes import fingerprint
from streams.identity.component import COMPONENT, Component, pair
from streams.identity.messages import Bind, Crowded, Event, Union
from streams.identity.policy import COMPONENT_SIZE_MAX
from streams.identity.resolve import resolve
from streams.instants import HOUR, MINUTE, Instant
from streams.rows import NodeKey, decode_touch, encode_touch
from tests.laws.driver import World, event
from tests.laws.history import SHIPPED, History, as_plain, assert_same, expected, generate
from tests.laws.test_crowds import COOKIE, DEVICE, EMAIL, KINDNESS, PHONE, key
from tests.oracles import identity as oracle

SIZE_MAX = 60
POLICY = structs.replace(SHIPPED, component_size_max=SIZE_MAX)
ROW_BYTES_MAX = 4 * MEBIBYTE - 1024
CHAIN = 400
PLAIN = as_plain(SHIPPED)


def chain(length: int) -> list[Event]:
    """So many identifiers of two types in a row, each seen with the one before and the one after, and every third once more alone."""
    links = [key((EMAIL, PHONE)[number % 2], number) for number in range(length)]
    events = [event(both, number * MINUTE, f"link{number}") for number, both in enumerate(pairwise(links))]
    return events + [event([links[number]], number * MINUTE, f"again{number}") for number in range(0, length, 3)]


def components(world: World) -> list[Component]:
    return [COMPONENT.decode(row) for store in world.store for name, row in store.items() if name[:1] == COMPONENT.tag]


def live(world: World, events: Sequence[Event], seed: int) -> World:
    chance = Random(seed)
    stream = list(events)
    if seed % 2:
        chance.shuffle(stream)
    for one in stream:
        world.produce(one)
        for _ in range(chance.randint(0, 4)):
            world.step()
    world.run_until_idle()
    return world


@pytest.mark.parametrize("seed", range(10))
def test_a_chain_without_end_loses_nobody_and_no_component_grows_with_it(seed: int) -> None:
    events = chain(CHAIN)
    kindness = {name: value for name, value in KINDNESS[seed % len(KINDNESS)].items() if name != "duplicates"}
    world = live(World((1, 3, 8)[seed % 3], POLICY, seed, **kindness), events, seed)  # type: ignore[arg-type]  # a table of options

    held = sorted(name for names in world.result().touches.values() for name in names)
    assert held == sorted(one.uid for one in events)
    assert max(len(one.edges) + len(one.members) for one in components(world)) <= 2 * SIZE_MAX + 2
    full = [one for one in components(world) if one.full]
    assert full and [conflict.rule for conflict in world.conflicts].count("component_full") == len(full)


@pytest.mark.parametrize("neighbours_max", [2, 100])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_larger_than_the_bound_is_full_however_it_came_to_be(seed: int, neighbours_max: int) -> None:
    kinds = tuple(structs.replace(kind, neighbours_max=neighbours_max) for kind in SHIPPED.types)
    policy = structs.replace(SHIPPED, component_size_max=10, types=kinds)
    history = generate(seed, events_max=40, policy=policy)

    world = live(World((1, 3, 8)[seed % 3], policy, seed), history.events, seed)

    found = components(world)
    assert [one.full for one in found] == [one.full or _size(one) > 10 for one in found]


def _size(component: Component) -> int:
    return sum(map(len, (component.members, component.edges, component.crowded, component.generic)))


def test_a_full_component_is_never_found_in_a_history_that_it_holds() -> None:
    history = History(structs.replace(POLICY, component_size_max=2 * CHAIN), chain(CHAIN - 1), [])

    world = live(World(3, history.policy, 1), history.events, 1)

    assert not world.is_full
    assert_same(world.result(), expected(history))


@pytest.mark.parametrize("seed", range(10))
def test_who_never_met_a_full_component_is_who_the_oracle_says(seed: int) -> None:
    others = generate(seed, events_max=40, policy=POLICY)
    history = History(POLICY, others.events, [])
    world = live(World(3, POLICY, seed), [*chain(CHAIN), *history.events], seed)

    found, wanted = world.result(), expected(history)

    assert world.is_full
    assert {name: found.touches.get(name) for name in wanted.touches} == wanted.touches
    assert all(found.person.get(one, one) == canonical for one, canonical in wanted.person.items())


def test_what_a_full_root_sent_back_is_a_root_that_may_be_linked_with_others() -> None:
    links = [key((EMAIL, PHONE)[number % 2], number) for number in range(CHAIN)]
    world = live(World(3, POLICY, 3), chain(CHAIN), 3)
    full = {member for one in components(world) if one.full for member in one.members}
    alone = [one for one in links if one not in full and world.result().person.get(one) == one][:2]
    assert len(alone) == 2

    world.produce(event([key(DEVICE, 1), alone[0]], HOUR, "one"))
    world.produce(event([key(DEVICE, 1), alone[1]], HOUR, "other"))
    world.produce(event([*alone, key(COOKIE, 9)], HOUR, "both"))
    world.run_until_idle()

    assert world.result().person[alone[0]] == world.result().person[alone[1]]


def _largest(shape: str) -> Component:
    """A component of twice the bound, as large as one of them can become that is joined of two which are not full yet."""
    most = 2 * COMPONENT_SIZE_MAX
    links: list[tuple[NodeKey, NodeKey]]
    if shape == "a star":
        links = [(key(EMAIL, -1 - number % 80), key(COOKIE, number)) for number in range(most)]
        members = {end for both in links for end in both if end[0] == EMAIL}
    elif shape == "a chain":
        links = list(pairwise([key((EMAIL, PHONE)[number % 2], number) for number in range(most // 2)]))
        members = {end for both in links for end in both}
    else:
        many = [key((EMAIL, PHONE)[number % 2], number) for number in range(most // 8)]
        links = [(one, many[(place + step) % len(many)]) for place, one in enumerate(many) for step in range(1, 8)]
        members = set(many)
    component = Component(members, fragments=dict.fromkeys(members, HOUR * 500_000), full=True)
    for number, (left, right) in enumerate(links):
        component.edges[pair(left, right)] = (HOUR * 500_000 + number, HOUR * 500_000)
    resolved = resolve(component, SHIPPED)
    component.people = resolved.people
    component.said = {fingerprint(one) for one in resolved.refused}
    component.crowded = {member + b"\x05" for member in members}
    return component


@pytest.mark.parametrize("shape", ["a star", "a chain", "a net"])
def test_the_row_of_the_largest_component_fits_a_record(shape: str) -> None:
    component = _largest(shape)

    assert len(component.edges) + len(component.members) > 1.9 * COMPONENT_SIZE_MAX
    assert len(COMPONENT.encode(component)) < ROW_BYTES_MAX


def _in_the_clear(ids: Sequence[tuple[str, str]], occurred_at: Instant, name: str) -> Event:
    """An interaction whose touch says whom it names."""
    bare = event([bytes(oracle.key_of(PLAIN, *one)) for one in ids], occurred_at, name)
    return structs.replace(bare, touch=encode_touch(structs.replace(decode_touch(bare.touch), identifiers=tuple(ids))))


def test_a_full_component_that_names_who_was_erased_hears_of_it_though_that_one_is_in_a_full_one_as_well() -> None:
    device, theirs, hers = ("device_id", "device-1"), ("email", "a@kairos.shop"), ("email", "b@kairos.shop")
    stars = [
        _in_the_clear([hub, ("phone", f"{hub[1]} {point}")], 2 * HOUR, f"{hub} {point}") for hub in (theirs, hers) for point in range(8)
    ]
    late = _in_the_clear([theirs, device], MINUTE, "late")
    for seed in range(12):
        kindness = KINDNESS[seed % len(KINDNESS)]
        world = World((1, 3, 8)[seed % 3], structs.replace(SHIPPED, component_size_max=6), seed, **kindness)  # type: ignore[arg-type]  # a table of options
        world.erase(bytes(oracle.key_of(PLAIN, *device)), HOUR, 100)
        live(world, [_in_the_clear([hers, device], 2 * HOUR, "since")], seed)
        live(world, stars, seed)
        live(world, [late], seed)

        assert sum(one.full for one in components(world)) == 2
        assert all(late.uid not in held for held in world.result().touches.values()), seed


class _Held(World):
    """A world in which nothing comes through one channel until it is let go."""

    _waiting: list[tuple[bytes, bytes]] | None = None

    def hold(self, sender: NodeKey, receiver: NodeKey) -> None:
        self._channel = self.under_way[crc32(sender) % self.partitions, crc32(receiver) % self.partitions]
        self._waiting = []

    def step(self) -> bool:
        if self._waiting is not None:
            self._waiting += self._channel
            self._channel.clear()
        return super().step()

    def let_go(self) -> None:
        assert self._waiting
        self._channel.extend(self._waiting)
        self._waiting = None


@pytest.mark.parametrize("is_full", [True, False])
def test_who_names_an_identifier_that_is_full_before_it_heard_that_it_was_erased_hears_of_it(is_full: bool) -> None:
    device, mine, mates, theirs = ("device_id", "device-1"), ("email", "a@kairos.shop"), ("user_id", "z"), ("email", "b@kairos.shop")
    own, root = (bytes(oracle.key_of(PLAIN, *one)) for one in (device, mine))
    star = {
        hub: [_in_the_clear([hub, ("phone", f"{hub[1]} {point}")], 2 * HOUR, f"{hub} {point}") for point in range(8)]
        for hub in (mates, theirs)
    }
    late = _in_the_clear([theirs, device], MINUTE, "late")
    world = _Held(8, structs.replace(SHIPPED, component_size_max=6), 1)
    live(
        world, [*(star[theirs] if is_full else []), _in_the_clear([mine, device], MINUTE, "one"), _in_the_clear([device], MINUTE, "two")], 0
    )
    world.hold(root, own)
    world.erase(own, HOUR, 100)
    live(world, [], 0)
    live(world, [_in_the_clear([mates, mine], 2 * HOUR, "both"), *star[mates]], 0)
    live(world, [late], 0)
    world.let_go()
    world.run_until_idle()

    assert all(late.uid not in held for held in world.result().touches.values())


@pytest.mark.parametrize("is_there", [True, False])
def test_who_names_one_that_a_full_component_sends_back_hears_when_it_is_erased_afterwards(is_there: bool) -> None:
    """Whether the interaction is there when its component is refused, or still on its way when that is sent back."""
    device, mine, names = ("device_id", "device-1"), ("email", "a@kairos.shop"), ("user_id" if is_there else "loyalty_id", "z")
    own, root = (bytes(oracle.key_of(PLAIN, *one)) for one in (device, mine))
    theirs = next(
        one
        for one in ((names[0], f"{names[1]}{number}") for number in count())
        if crc32(bytes(oracle.key_of(PLAIN, *one))) % 8 == crc32(own) % 8
    )
    star = [_in_the_clear([mine, ("phone", f"07946 00010{point}")], 2 * HOUR, f"point {point}") for point in range(8)]
    late = _in_the_clear([theirs, device], MINUTE, "late")
    world = _Held(8, structs.replace(SHIPPED, component_size_max=6), 1)
    live(world, [_in_the_clear([one], MINUTE, f"{one}") for one in (device, theirs)], 0)
    world.hold(own, root)
    live(world, [_in_the_clear([mine, device], MINUTE, "hers")], 0)
    live(world, [*star, late] if is_there else [_in_the_clear([mine, theirs], MINUTE, "both"), late, *star], 0)
    world.let_go()
    world.run_until_idle()
    assert any(late.uid in held for held in world.result().touches.values())

    world.erase(own, HOUR, 100)
    world.run_until_idle()

    assert all(late.uid not in held for held in world.result().touches.values())


@pytest.mark.parametrize("told", ["link", "crowd", "interaction"])
def test_whatever_makes_it_too_large_makes_it_full(told: str) -> None:
    low, high = sorted([key(EMAIL, 1), key(EMAIL, 2)])
    message = {
        "link": Bind((low, high), 1, (), None, high),
        "crowd": Crowded(high, COOKIE, True, ()),
        "interaction": event([low, key(PHONE, 3)], MINUTE, "seen once more"),
    }[told]
    world = World(1, structs.replace(SHIPPED, component_size_max=4), 1)
    world.produce(event([low, key(PHONE, 1), key(PHONE, 2)], 0, "seen"))
    world.produce(Crowded(high, COOKIE, False, ()), low)
    world.produce(Union(low, None, None), high)
    world.run_until_idle()
    assert [(_size(one), one.full) for one in components(world)] == [(4, False)]

    world.produce(message, high)  # type: ignore[arg-type]  # a table of messages
    world.run_until_idle()

    assert [(_size(one), one.full) for one in components(world)] == [(5, True)]
