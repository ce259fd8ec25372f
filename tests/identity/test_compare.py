"""What a diff of policies says of the evidence is what the new policy would have led to from the first interaction on."""

from collections.abc import Iterable
from random import Random

import pytest
from msgspec import structs

from streams.identity.compare import Difference, Merge, Renamed, Split, difference, under
from streams.identity.component import COMPONENT, NODE, Component, Node, witness
from streams.identity.policy import Policy, PolicyError
from streams.rows import NodeKey, Person
from tests.laws.driver import DictRows, World, event
from tests.laws.history import SHIPPED, History, generate, play

CHANGES = ("generic", "contested", "limit", "strength", "frozen")


def _changed(policy: Policy, chance: Random) -> Policy:
    """A policy that differs in one respect."""
    what = chance.choice(CHANGES)
    if what == "contested":
        return structs.replace(policy, contested=chance.choice(["latest", "first", "none"]))
    if what == "frozen":
        return structs.replace(policy, component_members_max=chance.choice([3, 8, 1000]))
    if what == "strength":
        types = (structs.replace(kind, strength="weak") if kind.name == "phone" else kind for kind in policy.types)
    elif what == "limit":
        types = (structs.replace(kind, limit=chance.choice([1, 2, 20])) if kind.limit else kind for kind in policy.types)
    else:
        types = (structs.replace(kind, generic_above=chance.choice([1, 2, 6])) for kind in policy.types)
    return structs.replace(policy, types=tuple(types))


def _components(world: World) -> Iterable[Component]:
    for partition in range(world.partitions):
        rows = DictRows(world.store[partition], {}, partition, world.partitions)
        yield from (row for _, row in rows.scan(COMPONENT, b"", b"\xff" * 17))


def _nodes(world: World) -> Iterable[tuple[NodeKey, Node]]:
    for partition in range(world.partitions):
        yield from DictRows(world.store[partition], {}, partition, world.partitions).scan(NODE, b"", b"\xff" * 17)


def _customers(people: Iterable[Person]) -> dict[NodeKey, NodeKey]:
    found: dict[NodeKey, NodeKey] = {}
    for person in people:
        for fragment in person.fragments:
            assert fragment not in found, "a fragment of two customers"
            found[fragment] = person.canonical
    return found


def _under(world: World, old: Policy, new: Policy) -> dict[NodeKey, NodeKey]:
    return _customers(under(lambda: _components(world), lambda: _nodes(world), old, new))


@pytest.mark.parametrize("block", range(6))
def test_the_evidence_under_a_new_policy_is_as_if_it_had_been_in_force_from_the_beginning(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        chance = Random(seed)
        history = generate(50_000 + seed)
        new = _changed(history.policy, chance)
        old = play(World(chance.choice([1, 3]), history.policy, seed), history, seed)
        begun = play(World(1, new, seed), History(new, history.events, history.commands), seed)

        found = _under(old, history.policy, new)

        wanted = begun.result()
        assert found == {fragment: wanted.person[fragment] for fragment in found}
        assert set(found.values()) == set(wanted.touches)


def test_the_histories_are_of_policies_that_change_people() -> None:
    changed = set()
    for seed in range(150):
        chance = Random(seed)
        history = generate(50_000 + seed)
        new = _changed(history.policy, chance)
        world = play(World(1, history.policy, seed), history, seed)
        if _under(world, history.policy, new) != _under(world, history.policy, history.policy):
            changed.add(seed)

    assert len(changed) > 30


def test_who_merges_splits_changes_id_and_stays_is_told() -> None:
    before = {1: "a", 2: "b", 3: "c", 4: "c", 5: "d", 6: "e", 7: "gone"}
    after = {1: "ab", 2: "ab", 3: "c", 4: "c2", 5: "d", 6: "f", 8: "new"}

    assert difference(before, after) == Difference(6, 6, 1, (Merge(("a", "b"), "ab"),), (Split("c", ("c", "c2")),), (Renamed("e", "f"),))
    assert difference(before, before) == Difference(6, 6, 6, (), (), ())


def test_a_policy_that_makes_other_keys_is_refused_with_the_field() -> None:
    fewer = structs.replace(SHIPPED, types=SHIPPED.types[:-1])

    with pytest.raises(PolicyError, match=r"^types: "):
        list(under(list, list, SHIPPED, fewer))


def test_what_somebody_marked_as_shared_stays_so_under_any_policy() -> None:
    user, phone, cookie = bytes([0] * 16), bytes([4] * 16), bytes([6] * 16)
    component = Component({user, phone, cookie})
    for other in (phone, cookie):
        witness(component, (user, other), 5)
    component.generic.add(phone)

    said = Node(generic=True, order=1 << 50)

    (kept,) = under(lambda: [component], lambda: [(phone, said)], SHIPPED, structs.replace(SHIPPED, contested="first"))

    assert kept.members == (user, cookie)
    assert component.generic == {phone}


def test_what_is_no_longer_shared_by_too_many_links_components_that_it_never_joined() -> None:
    crm, phone = [bytes([1, number]) + bytes(14) for number in range(4)], bytes([4] * 16)
    lone = [event([number, phone], place, f"m{place}") for place, number in enumerate(crm)] + [event([phone], 9, "alone")]
    loose = structs.replace(SHIPPED, types=tuple(structs.replace(kind, generic_above=9) for kind in SHIPPED.types))
    many = structs.replace(loose, types=tuple(structs.replace(kind, limit=9) if kind.name == "crm_id" else kind for kind in loose.types))
    world = World(2, SHIPPED, 1)
    for one in lone:
        world.produce(one)
        world.run_until_idle()

    assert len({key for component in _components(world) for key in component.members if key in crm}) == 4
    assert len(set(_under(world, SHIPPED, SHIPPED).values())) == 5
    assert set(_under(world, SHIPPED, many).values()) == {crm[0]}
