"""The laws of crowds: a value that very many were seen with links none of them, in whatever order they come, and no row grows with their number."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from random import Random

import pytest
from msgspec import structs

from streams.identity.component import COMPONENT, NODE
from streams.identity.messages import Event
from streams.identity.past import Mark
from streams.identity.policy import NEIGHBOURS_MAX, Policy, ranked
from streams.instants import MINUTE
from streams.journeys import brand
from streams.language import rulebook
from streams.rows import NodeKey
from tests.laws import test_commands, test_erasure, test_order
from tests.laws.driver import World, event
from tests.laws.history import SHIPPED, History, assert_same, expected, generate, play
from tests.laws.memory import POLICY, Memory

USER, CRM, EMAIL, LOYALTY, PHONE, DEVICE, COOKIE = range(7)
ROW_BYTES_MAX = 64 * 1024
KINDNESS: Sequence[dict[str, float]] = (
    {},
    {"crashes": 0.2},
    {"crashes": 0.3, "short_circuit": False},
    {"duplicates": 0.2, "slow_channels": 0.6},
    {"crashes": 0.2, "duplicates": 0.3, "short_circuit": False, "batch_records_max": 60},
)


def narrow(policy: Policy, neighbours_max: int) -> Policy:
    return structs.replace(policy, types=tuple(structs.replace(kind, neighbours_max=neighbours_max) for kind in policy.types))


def key(code: int, number: int) -> NodeKey:
    return bytes([code]) + Random(number * 16 + code).randbytes(15)


@pytest.mark.parametrize("block", range(8))
def test_people_equal_the_oracle_where_hardly_anything_may_have_neighbours(block: int) -> None:
    for seed in range(block * 20, block * 20 + 20):
        drawn = generate(seed, events_max=40)
        history = drawn._replace(policy=narrow(drawn.policy, 1 + seed % 3))
        world = World(Random(seed).choice([1, 2, 3, 5, 8]), history.policy, seed * 7 + 1, **KINDNESS[seed % len(KINDNESS)])  # type: ignore[arg-type]  # a table of options

        assert_same(play(world, history, seed + 1, again=0.2).result(), expected(history))

        told = [conflict.id for conflict in world.conflicts]
        assert len(told) == len(set(told)), "a conflict told twice"


def _star(hub: NodeKey, code: int, points: int) -> list[Event]:
    """One value seen with many of a type, of whom every third comes back alone, and every seventh logs in."""
    events = []
    for number in range(points):
        point = key(code, number)
        events.append(event([hub, point], number * MINUTE, f"m{number}"))
        if number % 3 == 0:
            events.append(event([point], (number + 1) * MINUTE, f"again{number}"))
        if number % 7 == 0:
            events.append(event([key(USER, number), point], (number + 2) * MINUTE, f"login{number}"))
    return events


STARS = {
    "a device and its cookies": (key(DEVICE, 1), COOKIE),
    "a cookie and its devices": (key(COOKIE, 1), DEVICE),
    "a cookie and its addresses": (key(COOKIE, 1), EMAIL),
    "a login and its cookies": (key(USER, -1), COOKIE),
    "a phone and its cookies": (key(PHONE, 1), COOKIE),
}


@pytest.mark.parametrize("seed", range(20))
def test_commands_mean_the_same_among_crowds_whenever_they_come(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.laws.test_commands.Memory", partial(Memory, policy=narrow(POLICY, 1 + seed % 2)))
    events = test_order.history(seed)
    commands = test_commands.some(seed, events) if test_commands.pairs(events) else []

    found = [test_commands.told(events, commands, seed, anywhere=anywhere) for anywhere in (True, False)]

    test_commands.same(*found)


def _crowded(history: History) -> set[NodeKey]:
    """Who is crowded with any type; erasing such a value erases nothing of those who share it."""
    types = ranked(history.policy.types)
    beside = defaultdict(set)
    for one in history.events:
        for other in set(one.ids) - {min(one.ids)}:
            beside[min(one.ids), other[0]].add(other)
            beside[other, min(one.ids)[0]].add(min(one.ids))
    return {key for (key, code), met in beside.items() if len(met) > types[code].neighbours_max}


def test_what_was_erased_is_gone_from_crowds_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = test_erasure.generate

    def narrowed(seed: int) -> test_erasure.Told:
        told = drawn(seed)
        return told._replace(history=told.history._replace(policy=narrow(told.history.policy, 1 + seed % 3)))

    def marks(world: World) -> dict[NodeKey, Mark]:
        found: dict[NodeKey, Mark] = {}
        for key, row in [(key, row) for store in world.store for key, row in store.items()]:
            past = COMPONENT.decode(row).past if key[:1] == COMPONENT.tag else None
            for identifier, mark in () if past is None else past.erased.items():
                assert found.setdefault(identifier, mark) == mark
        return found

    monkeypatch.setattr("tests.laws.test_erasure.generate", narrowed)
    monkeypatch.setattr("tests.laws.driver.World.marks", marks)
    judged = 0
    for seed in range(160):
        lived = test_erasure.live(seed, when=Random(seed).choice([0.0, 0.3, 0.7, 1.0]), again=0.5)
        if lived is None or any(lived[2][key].own for key in _crowded(lived[0].history) & set(lived[2])):
            continue
        told, world, known = lived
        found, wanted = world.result(), test_erasure.expected(told.history, known)
        assert found.touches == wanted.touches
        assert all(found.person.get(key, key) == canonical for key, canonical in wanted.person.items())
        test_erasure.assert_forgotten(world, told, known)
        judged += 1
    assert judged > 100


@pytest.mark.parametrize("star", STARS)
def test_a_star_is_the_same_people_in_every_order_and_no_row_grows_with_it(star: str) -> None:
    hub, code = STARS[star]
    history = History(SHIPPED, _star(hub, code, 3 * NEIGHBOURS_MAX), [])
    wanted = expected(history)
    for seed, partitions in enumerate((1, 4, 3)):
        events = list(history.events)
        Random(seed).shuffle(events)
        world = World(partitions, SHIPPED, seed, batch_records_max=200)
        for one in events if seed else history.events:
            world.produce(one)
        world.run_until_idle()

        assert_same(world.result(), wanted)
        assert max(len(row) for store in world.store for row in store.values()) < ROW_BYTES_MAX
        assert ("kairos_identity_conflicts", "crowded") in world.tally


def test_a_device_seen_with_ever_new_cookies_costs_no_batch_more_than_the_first_ones() -> None:
    memory = Memory(rulebook(brand), 3, 1, batch=200)
    events = 400
    for number in range(events):
        cookies = [f"cookie-{number * 62 + place}" for place in range(62)]
        memory.produce(
            {
                "messageId": f"m{number}",
                "event": "Page Viewed",
                "timestamp": "2025-11-01T00:00:00Z",
                "identifiers": {"device_id": ["unknown-device"], "anonymous_id": cookies},
            }
        )
    memory.run()

    rows = [(row_key, row) for _, row_key, row in memory.changelog if row is not None]
    assert max(len(row) for row_key, row in rows if row_key[:1] == COMPONENT.tag) < ROW_BYTES_MAX
    assert max(len(row) for row_key, row in rows if row_key[:1] == NODE.tag) < ROW_BYTES_MAX
    assert max(len(COMPONENT.decode(row).edges) for row_key, row in rows if row_key[:1] == COMPONENT.tag) <= NEIGHBOURS_MAX + 62
    assert memory.tally["kairos_interactions_applied",] == events
