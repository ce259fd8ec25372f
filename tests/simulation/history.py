"""What happens in a run, drawn from its seed alone: interactions, commands, times; and the world that they come to.

The rule this module owns: equal seeds give equal scenarios. A scenario is plain data, so that any part of it can be left out.
"""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import structs

from streams import instants
from streams.identity.policy import COMPONENT_SIZE_MAX, Policy
from streams.instants import DAY, HOUR, SECOND
from tests.laws.history import as_plain, with_logins_of_many
from tests.laws.memory import POLICY, RECEIVED
from tests.simulation import switch

START = instants.parse("2011-01-01T00:00:00Z") or 0
UNTIL = "2016-06-01T00:00:00Z"
"""When all has been said: later than any interaction and any deadline."""

Identifier = tuple[str, str]
"""Type, and value in its one form."""
Guarantee = Literal["exactly_once", "at_least_once"]

FIELDS = {"user_id": "userId", "anonymous_id": "anonymousId", "case_id": "caseId", "session_id": "sessionId"}
"""Types that have a field of their own; all others are sent among the `identifiers`."""
TEXTS = {
    "user_id": "user-{}",
    "crm_id": "crm-{}",
    "email": "person{}@shop.co.uk",
    "loyalty_id": "card-{}",
    "phone": "+4479460001{:02d}",
    "device_id": "device-{}",
    "anonymous_id": "cookie-{}",
    "case_id": "case-{}",
    "session_id": "session-{}",
}
ALONE = ("mark_generic", "unmark")
"""Commands that name one identifier."""
JUNK = (("email", "null"), ("user_id", "undefined"), ("phone", "12"), ("anonymous_id", "00000"))


class Seen(NamedTuple):
    """An interaction as a producer sends it; `spelling` chooses how its identifiers are written, `junk` is a placeholder beside them."""

    id: str
    at: int
    event: str
    revenue: float
    identifiers: tuple[Identifier, ...]
    spelling: int = 0
    junk: Identifier | None = None


class Ordered(NamedTuple):
    """A command; `at` is when it was given."""

    id: str
    kind: Literal["cannot_link", "allow_link", "link", "mark_generic", "unmark", "erase"]
    identifiers: tuple[Identifier, ...]
    at: int


class Told(NamedTuple):
    """Time moves: under the replay clock up to an instant on every partition, live by a tick."""

    at: int


class Switched(NamedTuple):
    """A worker (by its number) ends, and begins anew under the policy that the run ends with."""

    worker: int


Entry = Seen | Ordered | Told | Switched


class Settings(NamedTuple):
    """The world of a run.

    `faults`: the share of batches at which one happens; `slow`: of the channels between partitions; `doubles`: of the messages that arrive once more,
    any time later. `pace`: how much may happen before the next is sent; `*_max`: bounds of the product, made small (0: as shipped). `switch`: what the policy
    changes to in the midst of it (switch.py).
    """

    partitions: int = 1
    workers: int = 2
    guarantee: Guarantee = "exactly_once"
    batch: int = 20
    short_circuit: bool = True
    faults: float = 0.0
    slow: float = 0.3
    pace: int = 5
    doubles: float = 0.0
    replayed: bool = True
    contested: Literal["latest", "first", "none"] = "latest"
    members_max: int = 1_000
    linked_max: int = 512
    slice_bytes_max: int = 480 * 1024
    checkpoint_every: int = 64
    cache_bytes: int = 1 << 20
    interactions_max: int = 1_000_000
    neighbours_max: int = 0
    size_max: int = COMPONENT_SIZE_MAX
    logins_of_many: int = 0
    switch: str = ""


class Scenario(NamedTuple):
    """One run: a world, and what happens in it, in the order of sending. `prefix`: so many are sent again when all is at rest."""

    seed: int
    settings: Settings
    entries: tuple[Entry, ...]
    prefix: int = 0

    @property
    def policy(self) -> Policy:
        """How identifiers are linked in this world in the end."""
        return switch.changed(self.first, self.settings.switch)

    @property
    def first(self) -> Policy:
        """How they are linked in the beginning."""
        settings = self.settings
        policy = structs.replace(
            POLICY, contested=settings.contested, component_members_max=settings.members_max, component_size_max=settings.size_max
        )
        if settings.logins_of_many:
            policy = with_logins_of_many(policy)
        if not settings.neighbours_max:
            return policy
        return structs.replace(policy, types=tuple(structs.replace(kind, neighbours_max=settings.neighbours_max) for kind in policy.types))

    @property
    def plain(self) -> dict[str, Any]:
        """The policy as the oracle reads it."""
        return as_plain(self.policy)


def scenario(seed: int, guarantee: Guarantee | None = None) -> Scenario:
    """What a seed stands for; the guarantee is its own unless one is asked for."""
    chance = Random(f"scenario {seed}")
    own: Guarantee = "at_least_once" if chance.random() < 0.3 else "exactly_once"
    settings = Settings(
        partitions=chance.choice([1, 2, 3, 5, 8, 16, 16, 16]),
        workers=chance.choice([2, 3]),
        guarantee=guarantee or own,
        batch=chance.choice([1, 5, 20, 60]),
        short_circuit=chance.random() < 0.75,
        faults=chance.choice([0.0, 0.1, 0.25, 0.4]),
        slow=chance.choice([0.0, 0.4, 0.6, 0.8]),
        pace=chance.choice([1, 2, 5]),
        replayed=chance.random() < 0.75,
        contested=chance.choice(["latest", "first", "none"]),
        members_max=chance.choice([1_000, 1_000, 1_000, 8]),
        linked_max=chance.choice([512, 512, 1]),
        slice_bytes_max=chance.choice([480 * 1024, 480 * 1024, 700]),
        checkpoint_every=chance.choice([64, 64, 3]),
        cache_bytes=chance.choice([0, 4_000, 1 << 20]),
        interactions_max=chance.choices([1_000_000, 6], [12, 1])[0],
        doubles=chance.choices([0.0, 0.2], [5, 1])[0],
        **_narrow(Random(f"narrow {seed}")),
    )
    switching = Random(f"switch {seed}")
    settings = settings._replace(switch=switch.drawn(switching, settings.neighbours_max > 0))
    entries = _entries(chance, settings)
    prefix = chance.choice([0, 0, len(entries) // 2])
    if settings.switch:
        for number, place in enumerate(switch.places(switching, len(entries), settings.workers)):
            entries.insert(place, Switched(number))
    return Scenario(seed, settings, tuple(entries), prefix)


def _narrow(chance: Random) -> dict[str, int]:
    """How few may be seen with an identifier until they are a crowd, how large a component becomes, and whether a login is soon one of many, where
    that is not as shipped."""
    return {
        "neighbours_max": chance.choices([0, 1, 2, 3], [6, 1, 1, 1])[0],
        "size_max": chance.choices([COMPONENT_SIZE_MAX, 4, 10, 25], [12, 1, 1, 1])[0],
        "logins_of_many": chance.choices([0, 1], [5, 1])[0],
    }


def _entries(chance: Random, settings: Settings) -> list[Entry]:
    pool = _pool(chance)
    style = chance.choices([_meetings, _ladders, _collections], [3, 6, 2])[0]
    style = _borrowings if settings.logins_of_many else style
    seen = style(chance, pool)
    entries: list[Entry] = list(seen)
    more: list[Entry] = [one for one in seen if chance.random() < 0.2]
    more += _commands(chance, seen, settings)
    more += [Told(START + chance.randrange(900) * DAY) for _ in range(chance.choice([0, 0, 2]))]
    if style is _meetings:
        chance.shuffle(entries)
    for one in more:
        entries.insert(chance.randint(0, len(entries)), one)
    return entries


def _pool(chance: Random) -> list[Identifier]:
    """The identifiers of a few people, each type by itself often or hardly ever seen."""
    most = chance.choice([2, 3, 6])
    pool = [
        (kind, text.format(number)) for kind, text in TEXTS.items() for number in range(chance.randint(0, most) or chance.randint(0, 1))
    ]
    return pool if len(pool) > 1 else [("user_id", "user-0"), ("email", "person0@shop.co.uk")]


def _meetings(chance: Random, pool: Sequence[Identifier]) -> list[Seen]:
    """Interactions with any identifiers, in any order."""
    named = []
    for _ in range(chance.randint(2, chance.choice([6, 20, 60]))):
        named.append(chance.sample(pool, min(len(pool), chance.choices([1, 2, 3, 4], [3, 5, 2, 1])[0])))
    return _interactions(chance, named)


def _ladders(chance: Random, pool: Sequence[Identifier]) -> list[Seen]:
    """People of whom first each identifier is seen alone, then each with the one that ranks above it, from below, from above or in any order: chains
    of pointers as long as can be, with interactions that climb while they grow."""
    named: list[list[Identifier]] = []
    for _ in range(chance.randint(1, 3)):
        rungs = sorted(chance.sample(pool, min(len(pool), chance.randint(3, 12))), key=pool.index, reverse=True)
        alone = [[one] for one in rungs]
        chance.shuffle(alone)
        named += alone
        steps = [[lower, upper] for lower, upper in pairwise(rungs)]
        order = chance.choice(["from below", "from above", "any"])
        if order == "any":
            chance.shuffle(steps)
        for step in steps[::-1] if order == "from above" else steps:
            named.append(step)
            for _ in range(chance.randint(0, 3)):
                named.append([chance.choice([*step, chance.choice(rungs)])])
        named += [chance.sample(rungs, chance.randint(1, 2)) for _ in range(chance.randint(0, 6))]
    return _interactions(chance, named)


def _collections(chance: Random, pool: Sequence[Identifier]) -> list[Seen]:
    """People who are seen with more and more values of one type, beyond any limit."""
    named: list[list[Identifier]] = []
    for number in range(chance.randint(1, 2)):
        kind = chance.choice(["email", "phone", "loyalty_id", "device_id", "anonymous_id"])
        for value in chance.sample(range(12), 10):
            named.append([("crm_id", f"crm-{number}"), (kind, TEXTS[kind].format(value))])
    chance.shuffle(named)
    return _interactions(chance, [*named, *([one] for one in chance.sample(pool, min(len(pool), 5)))], spans=(100 * DAY, 800 * DAY))


def _borrowings(chance: Random, pool: Sequence[Identifier]) -> list[Seen]:
    """People who log in on each other's things, and are seen otherwise now and then."""
    named = []
    for _ in range(chance.randint(4, 16)):
        thing = chance.choice(["device_id", "anonymous_id"])
        named.append([("user_id", f"user-{chance.randrange(4)}"), (thing, TEXTS[thing].format(chance.randrange(3)))])
    named += [chance.sample(pool, min(len(pool), chance.randint(1, 2))) for _ in range(chance.randint(0, 8))]
    return _interactions(chance, named)


def _interactions(
    chance: Random, named: Sequence[Sequence[Identifier]], spans: Sequence[int] = (50 * HOUR, 100 * DAY, 800 * DAY)
) -> list[Seen]:
    span = chance.choice(spans)
    found = []
    for number, identifiers in enumerate(named):
        at = START + chance.randrange(span // HOUR) * HOUR + chance.choice([0, 0, 1]) * 7 * SECOND
        event = chance.choices(["Order Completed", "Order Cancelled", "Page Viewed"], [6, 2, 2])[0]
        revenue = chance.choice([10, 250.5, 1000, 3000.125])
        junk = chance.choice(JUNK) if chance.random() < 0.1 else None
        found.append(Seen(f"m{number}", at, event, revenue, _singly(identifiers), chance.randrange(3), junk))
    return found


def _singly(identifiers: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """Each once, and of a type that has a field of its own the first alone."""
    kept: dict[Identifier, None] = {}
    for kind, value in identifiers:
        if kind not in FIELDS or not any(kind == other for other, _ in kept):
            kept[kind, value] = None
    return tuple(sorted(kept))


def _commands(chance: Random, seen: Sequence[Seen], settings: Settings) -> list[Ordered]:
    """Commands about identifiers that occur, mostly such as were seen together, several about the same ones, some at one instant, some twice."""
    named = sorted({one for each in seen for one in each.identifiers})
    together = [each.identifiers for each in seen if len(each.identifiers) > 1]
    found: list[Ordered] = []
    given = RECEIVED * 1000 - 3600 * SECOND
    for number in range(chance.choice([0, 0, 1, 3, 6])):
        if len(named) < 2:
            break
        both = tuple(chance.sample(chance.choice(together) if together and chance.random() < 0.7 else named, 2))
        last = found[-1] if found else None
        if last is not None and len(last.identifiers) == 2 and chance.random() < 0.5:
            both = last.identifiers
        kind = chance.choices(["cannot_link", "allow_link", "link", "mark_generic", "unmark"], [5, 3, 2, 1, 1])[0]
        found.append(Ordered(f"command-{number}", kind, both[:1] if kind in ALONE else both, given + number // 2))
    for number in range(chance.choice([0, 0, 0, 1, 2]) if settings.interactions_max > 6 else 0):
        at = (
            given + 100 + number if not settings.replayed else chance.choice([given + 100 + number, START + chance.randint(500, 900) * DAY])
        )
        found.append(Ordered(f"erasure-{number}", "erase", (chance.choice(named),), at))
    return [*found, *(one for one in found if chance.random() < 0.3)]


def wire(entry: Seen | Ordered) -> dict[str, Any]:
    """An entry as it is sent."""
    if isinstance(entry, Ordered):
        named = [{"type": kind, "value": value} for kind, value in entry.identifiers]
        at = instants.text(entry.at)
        return {"id": entry.id, "kind": entry.kind, "identifiers": named, "actor": "ann", "at": at, "reason": "a simulation"}
    said: dict[str, Any] = {"messageId": entry.id, "event": entry.event, "timestamp": instants.text(entry.at)}
    said["properties"] = {"revenue": entry.revenue, "currency": "GBP"}
    others: dict[str, list[str]] = {}
    for kind, value in (*entry.identifiers, *([entry.junk] if entry.junk else [])):
        text = spelled(kind, value, entry.spelling)
        if kind in FIELDS and FIELDS[kind] not in said:
            said[FIELDS[kind]] = text
        else:
            others.setdefault(kind, []).append(text)
    return {**said, "identifiers": others} if others else said


def spelled(kind: str, value: str, spelling: int) -> str:
    """A value as one of many forms write it; all mean the same."""
    if not spelling:
        return value
    if kind == "email":
        return value.upper() if spelling == 1 else f"  {value} "
    if kind == "phone" and value.startswith("+44"):
        return f"0{value[3:7]} {value[7:]}" if spelling == 1 else f"{value[:3]} {value[3:]}"
    return f" {value}"


def encode(scenario: Scenario) -> bytes:
    """A scenario's bytes: equal scenarios, equal bytes."""
    return msgspec.json.encode(scenario)
