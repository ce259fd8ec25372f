"""The laws of the sweep: once it is done people are what the new policy would have made of them from the first interaction on, whoever dies on the way."""

from random import Random

import pytest
from msgspec import structs

from streams.identity.compare import under
from streams.identity.component import COMPONENT, NODE
from streams.identity.policy import Policy, PolicyError, version
from streams.identity.sweep import PARTITION, SWEPT, Swept
from streams.instants import DAY, MINUTE
from streams.rows import NodeKey
from tests.laws.driver import DictRows, People, World, event
from tests.laws.history import SHIPPED, History, assert_same, expected, generate, play

KINDS = ("contested", "frozen", "strength", "limit", "window", "shared by fewer", "shared by more", "crowd", "lifetime")


def changed(policy: Policy, chance: Random) -> Policy:
    """A policy that differs in one respect or in several."""
    for what in chance.sample(KINDS, chance.choice([1, 1, 2, 4])):
        policy = _changed(policy, what, chance)
    return policy


def _changed(policy: Policy, what: str, chance: Random) -> Policy:
    if what == "contested":
        return structs.replace(policy, contested=chance.choice(["latest", "first", "none"]))
    if what == "frozen":
        return structs.replace(policy, component_members_max=chance.choice([3, 8, 1000]))
    number = chance.choice([1, 2])
    to = {
        "strength": lambda kind: {"strength": "weak"} if kind.name == "phone" else {"strength": "strong"} if kind.name == "crm_id" else {},
        "limit": lambda kind: {"limit": number} if kind.limit else {},
        "window": lambda kind: {"window_days": 7} if kind.limit else {},
        "shared by fewer": lambda kind: {"generic_above": number},
        "shared by more": lambda kind: {"generic_above": 4 + number},
        "crowd": lambda kind: {"neighbours_max": 2 + number},
        "lifetime": lambda kind: {"expires_hours": 5} if kind.name == "device_id" else {},
    }[what]
    return structs.replace(policy, types=tuple([structs.replace(kind, **to(kind)) for kind in policy.types]))


def swept(world: World, chance: Random, news: History | None = None) -> World:
    """Ticks, in any order and beside whatever else is to be done, until all is resolved under the policy in force."""
    waiting = [] if news is None else list(news.events)
    for _ in range(10_000):
        if waiting and chance.random() < 0.3:
            world.produce(waiting.pop())
        if chance.random() < 0.4:
            world.tick(chance.randrange(world.partitions))
        if not world.step() and not waiting and world.swept():
            return world
    raise AssertionError("the sweep does not end")


def forecast(world: World, old: Policy, new: Policy) -> dict[NodeKey, NodeKey]:
    """Whose each fragment would be."""
    rows = [DictRows(world.store[place], {}, place, world.partitions) for place in range(world.partitions)]
    people = under(
        lambda: (row for one in rows for _, row in one.scan(COMPONENT, b"", b"\xff" * 17)),
        lambda: (row for one in rows for row in one.scan(NODE, b"", b"\xff" * 17)),
        old,
        new,
    )
    return {fragment: person.canonical for person in people for fragment in person.fragments}


def _world(history: History, seed: int, **how: float) -> World:
    return play(World([1, 3, 5][seed % 3], history.policy, seed, **how), history, seed)


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.sweep.LOOKED_MAX", 4)
    monkeypatch.setattr("streams.identity.sweep.CHANGED_MAX", 2)
    monkeypatch.setattr("streams.identity.commands.MET_MAX", 2)


@pytest.mark.parametrize("block", range(6))
def test_after_a_sweep_people_are_those_of_the_new_policy_as_the_forecast_said(block: int) -> None:
    others = 0
    for seed in range(block * 25, block * 25 + 25):
        chance = Random(f"sweep {seed}")
        history = generate(60_000 + seed)
        new = changed(history.policy, chance)
        world = _world(history, seed, crashes=0.2, duplicates=0.1)
        before, said = world.result(), forecast(world, history.policy, new)
        world.switch(new)

        found = swept(world, chance).result()

        wanted = expected(history._replace(policy=new))
        assert_same(found, wanted)
        assert said == {fragment: wanted.person[fragment] for fragment in said}, seed
        assert set(said.values()) == set(found.touches)
        others += before.touches != found.touches
    assert others > 4


@pytest.mark.parametrize("block", range(3))
def test_what_comes_while_a_sweep_goes_on_is_as_if_it_had_always_been(block: int) -> None:
    for seed in range(block * 20, block * 20 + 20):
        chance = Random(f"midst {seed}")
        history = generate(61_000 + seed)
        half = len(history.events) // 2
        new = changed(history.policy, chance)
        world = _world(history._replace(events=history.events[:half]), seed, crashes=0.1)
        world.switch(new)

        swept(world, chance, history._replace(events=history.events[half:]))

        assert_same(world.result(), expected(history._replace(policy=new)))


@pytest.mark.parametrize("block", range(3))
def test_a_policy_that_changes_again_in_the_midst_of_a_sweep_starts_over(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.sweep.PATIENCE", 0)  # The last may be the one before.
    for seed in range(block * 20, block * 20 + 20):
        chance = Random(f"again {seed}")
        history = generate(62_000 + seed)
        first, last = _changed(history.policy, "shared by fewer", chance), changed(history.policy, chance)
        world = _world(history, seed)
        world.switch(first)
        for _ in range(chance.randint(1, 30)):
            world.tick(chance.randrange(world.partitions))
            world.step()
        world.switch(last)

        swept(world, chance)

        assert_same(world.result(), expected(history._replace(policy=last)))


def _row(world: World) -> Swept:
    (found,) = DictRows(world.store[0], {}, 0, 1).get(SWEPT, [PARTITION])
    assert isinstance(found, Swept)
    return found


def _many() -> History:
    return History(SHIPPED, [event([bytes([0, number]) + bytes(14)], number * DAY, f"m{number}") for number in range(60)], [])


def test_a_slice_is_bounded_and_the_next_worker_goes_on_where_the_last_commit_was() -> None:
    world = _world(_many(), 0)
    world.switch(structs.replace(SHIPPED, contested="first"))

    stood = []
    while not world.swept():
        world.tick(0)
        world.live[0].clear()  # It dies.
        stood.append(_row(world))

    assert [one.looked for one in stood] == [4 * (place + 1) for place in range(15)] + [60]
    assert all(one.turn == 1 and one.total == 60 for one in stood)


def test_idle_a_partition_goes_on_by_itself_and_says_so_once() -> None:
    world = _world(_many(), 0)
    world.switch(structs.replace(SHIPPED, contested="first"))

    world.tick(0)
    world.run_until_idle()

    assert world.swept()
    assert world.tally["kairos_identity_messages", "sweep"] == 15
    before = dict(world.store[0])
    world.tick(0)
    assert world.store[0] == before, "nothing is written once all is done"


def test_a_policy_that_comes_back_at_once_waits_and_the_next_worker_with_the_new_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = SHIPPED, structs.replace(SHIPPED, contested="first")
    world = _world(_many(), 0)
    now = [0]
    monkeypatch.setattr("tests.laws.driver.Clock.__new__", lambda kind: tuple.__new__(kind, (now[0], False)))
    looked = []
    for minute, policy in enumerate([new, old, new, old, old]):
        now[0] = minute * MINUTE
        world.switch(policy)
        world.tick(0)
        world.run_until_idle()
        looked.append(_row(world).looked)
        assert world.swept() == (policy is new)

    assert looked == [60, 0, 60, 0, 0]
    now[0] = 2 * MINUTE + 15 * MINUTE
    world.tick(0)
    world.run_until_idle()
    assert world.swept() and _row(world).policy == version(old)


def test_a_worker_whose_types_are_others_than_the_rows_ends_with_the_reason() -> None:
    world = _world(_many(), 0)
    world.switch(structs.replace(SHIPPED, types=SHIPPED.types[1:]))

    with pytest.raises(PolicyError, match=r"^types: "):
        world.tick(0)


def test_what_a_crowd_has_dropped_stays_dropped() -> None:
    phone, users = bytes([4, 9]) + bytes(14), [bytes([0, number]) + bytes(14) for number in range(5)]
    narrow = structs.replace(
        SHIPPED,
        types=tuple(structs.replace(kind, neighbours_max=3, generic_above=9, limit=None, window_days=None) for kind in SHIPPED.types),
    )
    history = History(narrow, [event([user, phone], place, f"m{place}") for place, user in enumerate(users)], [])
    world = _world(history, 0)
    before = world.result()
    world.switch(structs.replace(narrow, types=tuple(structs.replace(kind, neighbours_max=100) for kind in narrow.types)))

    found = swept(world, Random(1)).result()

    assert found == before == People({one: one for one in [*users, phone]}, found.touches)
