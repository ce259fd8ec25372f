"""A run in words: the world, what was sent, what happened, which laws are broken, and the command that does it again.

The rule this module owns: it only reads. Identifiers are called by their names, as no log of the product ever does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from schemas import topics
from streams import instants
from streams.identity import messages
from streams.identity.messages import (
    Absorb,
    Apply,
    Ask,
    Bind,
    Cannot,
    Closed,
    Crowded,
    Erase,
    Event,
    Forget,
    Generic,
    Gone,
    Refused,
    Return,
    SetHome,
    Sweep,
    Time,
    Union,
)
from streams.identity.policy import COMPONENT_SIZE_MAX, ranked
from streams.rows import NodeKey, decode_touch
from tests.laws.memory import POLICY
from tests.oracles import identity as oracle
from tests.simulation.cut import Cut, applied, arguments
from tests.simulation.history import Entry, Ordered, Scenario, Seen, Switched
from tests.simulation.run import Outcome, run

SHOWN_MAX = 6
COMMANDS = {
    "cannot_link": "keep apart",
    "allow_link": "allow together",
    "link": "one customer",
    "mark_generic": "shared by many",
    "unmark": "not shared",
    "erase": "erase",
}
TYPES = ranked(POLICY.types)
USUAL = {
    "neighbours_max": 0,
    "size_max": COMPONENT_SIZE_MAX,
    "linked_max": 512,
    "slice_bytes_max": 480 * 1024,
    "checkpoint_every": 64,
    "members_max": 1_000,
    "short_circuit": True,
    "switch": "",
}


class Names:
    """What keys are called in a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        named = {one for entry in scenario.entries if isinstance(entry, Seen | Ordered) for one in entry.identifiers}
        self._by_key = {bytes(oracle.key_of(scenario.plain, *one)): one[1] for one in sorted(named)}

    def __call__(self, key: NodeKey | None) -> str:
        return "nobody" if key is None else self._by_key.get(key, key.hex()[:6])

    def batch(self, topic: str, records: Sequence[Any]) -> str:
        """What a batch holds."""
        if not records:
            return "a tick"
        shown = [self._record(topic, record) for record in records[:SHOWN_MAX]]
        return "; ".join(shown) + (f"; and {len(records) - SHOWN_MAX} more" if len(records) > SHOWN_MAX else "")

    def _record(self, topic: str, record: Any) -> str:
        if topic != topics.IDENTITY:
            return "a time" if record.headers else str(record.value.split(b'"', 4)[3].decode())
        message = messages.decode(record.value)
        name = type(message).__name__.upper()
        said = {
            Event: lambda m: f"{decode_touch(m.touch).id} of {', '.join(map(self, m.ids))}",
            Apply: lambda m: f"{decode_touch(m.touch).id} of {', '.join(map(self, m.ids))}, by way of {', '.join(map(self, m.path))}",
            Union: lambda m: f"under {self(m.low)}",
            Absorb: lambda m: f"of {self(m.child)}, part {m.part + 1} of {m.parts}",
            Return: lambda m: f"from {self(m.child)}, part {m.part + 1} of {m.parts}",
            Gone: lambda m: self(m.identifier),
            Refused: lambda _: "by one that is full",
            Closed: lambda _: "to whom nobody has met",
            SetHome: lambda m: f"at {self(m.home)}",
            Crowded: lambda m: f"{self(m.identifier)} with {TYPES[m.code].name}",
            Generic: lambda m: self(m.identifier),
            Cannot: lambda m: f"{self(m.pair[0])} and {self(m.pair[1])}: {'apart' if m.apart else 'allowed'}",
            Bind: lambda m: f"{self(m.pair[0])} and {self(m.pair[1])}: one customer",
            Ask: lambda m: self(m.identifier),
            Erase: lambda m: self(m.identifier),
            Forget: lambda m: self(m.identifier),
            Sweep: lambda _: "on",
            Time: lambda m: instants.text(m.time)[:10] if m != messages.GO_ON else "go on",
        }[type(message)](message)
        return f"{name} at {self(record.key)}: {said}" if record.key else f"{name} {said}"


def entry(one: Entry, again: bool) -> str:
    """Something that was sent."""
    if isinstance(one, Seen):
        named = ", ".join(f"{kind} {value}" for kind, value in one.identifiers)
        return f"{one.id}{' again' if again else ''}: {one.event} {one.revenue:g} GBP on {instants.text(one.at)[:16]} by {named}"
    if isinstance(one, Ordered):
        named = " and ".join(f"{kind} {value}" for kind, value in one.identifiers)
        return f"{one.id}{' again' if again else ''}: {COMMANDS[one.kind]}: {named}, given {instants.text(one.at)[:19]}"
    if isinstance(one, Switched):
        return f"worker {chr(ord('A') + one.worker)} begins anew under the new policy"
    return f"time moves to {instants.text(one.at)[:10]}"


def world(scenario: Scenario) -> str:
    """The world of a scenario, in a line."""
    now = scenario.settings
    said = [
        f"{now.partitions} partitions" if now.partitions > 1 else "1 partition",
        f"{now.workers} workers",
        now.guarantee.replace("_", " "),
        f"batches of up to {now.batch}",
        f"{'replay' if now.replayed else 'live'} clock",
        f"contested: {now.contested}",
    ]
    return ", ".join([*said, *(f"{name} {getattr(now, name)}" for name, usual in USUAL.items() if getattr(now, name) != usual)])


def told(scenario: Scenario, cut: Cut, mutation: str | None = None) -> Iterator[str]:
    """The story of a cut of a seed, line by line."""
    left = applied(scenario, cut)
    outcome = run(left, cut.schedule, cut.faults, Names(left).batch)
    yield f"Seed {scenario.seed}: {world(left)}" + (f"; mutation {mutation}" if mutation else "")
    yield "Sent, in this order:"
    known: set[str] = set()
    for one in left.entries:
        name = getattr(one, "id", "")
        yield f"  {entry(one, name in known)}"
        known.add(name)
    if left.prefix:
        yield f"  and at rest the interactions among the first {left.prefix} once more"
    yield "What happens:"
    yield from (f"  {line}" for line in outcome.told)
    yield from verdict(outcome)
    yield f"Again: {command(scenario.seed, cut, mutation)}"


def verdict(outcome: Outcome) -> Iterator[str]:
    """The laws that are broken, each with its answers."""
    if not outcome.broken:
        yield "Every law holds."
    for law, answers in outcome.broken.items():
        yield f"Broken: {law}"
        yield from (f"  {answer}" for answer in answers)


def command(seed: int, cut: Cut, mutation: str | None = None) -> str:
    """The one command that does it again."""
    return f"python -m tests.simulation {arguments(seed, cut)}" + (f" --mutation {mutation}" if mutation else "")
