"""Generated histories of identifiers: dense enough that they share, contest, exceed limits, expire and are re-used."""

from random import Random
from typing import Any, NamedTuple

from msgspec import structs

from streams.identity.messages import Event
from streams.identity.policy import Policy
from streams.instants import DAY, HOUR
from streams.journeys.identity_policy import identity_policy
from streams.rows import NodeKey
from tests.laws.driver import People, World, event
from tests.oracles import identity as oracle

SHIPPED = identity_policy(b"a secret of tests")


class Command(NamedTuple):
    """Keep two identifiers apart, or no longer."""

    left: NodeKey
    right: NodeKey
    apart: bool
    order: int


class History(NamedTuple):
    """What happened, and the policy it is judged by."""

    policy: Policy
    events: list[Event]
    commands: list[Command]


def generate(seed: int, events_max: int = 60, policy: Policy | None = None) -> History:
    """A history that depends on its seed alone; policies vary in the contested rule, in when a login is shared and, now and then, in a small cap of
    components."""
    chance = Random(seed)
    if policy is None:
        policy = structs.replace(
            _contesting(chance.choice([True, False])),
            contested=chance.choice(["latest", "first", "none"]),
            component_members_max=chance.choice([1000, 1000, 8]),
        )
        policy = with_logins_of_many(policy) if seed % 4 == 0 else policy
    plain = as_plain(policy)
    most = chance.choice([2, 4, 12])
    pool = [oracle.key_of(plain, kind.name, str(number)) for kind in policy.types for number in range(chance.randint(1, most))]
    span = chance.choice([50 * HOUR, 100 * DAY, 800 * DAY])
    events = []
    for number in range(chance.randint(1, events_max)):
        size = min(len(pool), chance.choices([1, 2, 3, 4], [3, 5, 2, 1])[0])
        events.append(event(chance.sample(pool, size), chance.randrange(span), f"m{number}"))
    if seed % 8 == 0 and events_max >= 40:
        logins, things = ([oracle.key_of(plain, kind, str(number)) for number in range(4)] for kind in ("user_id", "device_id"))
        events += [event([chance.choice(logins), chance.choice(things)], chance.randrange(span), f"b{number}") for number in range(9)]
    commands: list[Command] = []
    for order in range(chance.choice([0, 0, 1, 3, 6])):
        left, right = commands[-1][:2] if commands and chance.random() < 0.5 else chance.sample(pool, 2)
        commands.append(Command(left, right, chance.random() < 0.7, order))
    return History(policy, events, commands)


def _contesting(nobodys: bool) -> Policy:
    """The shipped policy, or one under which contested things go to somebody."""
    return (
        SHIPPED
        if nobodys
        else structs.replace(SHIPPED, types=tuple(structs.replace(kind, nobodys_if_contested=False) for kind in SHIPPED.types))
    )


def with_logins_of_many(policy: Policy) -> Policy:
    """A policy under which things that people share are seldom generic, and a login is shared that was seen on those of two others."""
    above = {"unique": 1, "strong": 2, "weak": 9}
    return structs.replace(policy, types=tuple(structs.replace(kind, generic_above=above[kind.strength]) for kind in policy.types))


def as_plain(policy: Policy) -> dict[str, Any]:
    """A policy as the oracle reads it."""
    columns = ("priority", "strength", "limit", "window", "generic_above", "expires", "nobodys_if_contested", "neighbours_max")
    return {
        "secret": policy.secret,
        "contested": policy.contested,
        "component_members_max": policy.component_members_max,
        "types": {kind.name: {column: getattr(kind, column) for column in columns} for kind in policy.types},
    }


def expected(history: History) -> People:
    """What the oracle says of a history."""
    events = [(one.ids, one.occurred_at, one.uid) for one in history.events]
    person, touches = oracle.people(as_plain(history.policy), events, history.commands)
    return People(person, touches)


def play(world: World, history: History, order_seed: int, again: float = 0.0) -> World:
    """Let a world live through a history in a random order, with a share of its events twice, until it comes to rest."""
    chance = Random(order_seed)
    stream: list[Event | Command] = [*history.events, *history.commands]
    stream += [one for one in history.events if chance.random() < again]
    chance.shuffle(stream)
    for one in stream:
        if isinstance(one, Event):
            world.produce(one)
        else:
            world.cannot(*one)
        for _ in range(chance.randint(0, 4)):
            world.step()
    world.run_until_idle()
    return world


def assert_same(found: People, wanted: People) -> None:
    """The same people hold the same touches; an identifier that nobody ever had to note is alone."""
    for key, canonical in wanted.person.items():
        assert found.person.get(key, key) == canonical
    assert set(found.person) <= set(wanted.person)
    assert found.touches == wanted.touches
