"""What a replay is to read, and with what it is to be compared: one vector of offsets, noted before anything runs.

The rule this module owns: a plan is a value. What it names is frozen: who runs it later, or again, reads the same and compares with the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from schemas import topics
from streams import app, instants
from streams.broker import admin
from streams.identity.policy import Policy
from streams.identity.policy import version as policy_version
from streams.language.expressions import Tree
from streams.language.rulebook import Rulebook, digest
from streams.replay.repair import Repair
from streams.replay.shadow import FED, Shadow

PEOPLE = (topics.PROFILES, topics.STAGES, topics.SEGMENTS, topics.MOMENTS)
"""What is compared, beside the changelog."""
Range = tuple[int, int]
"""From this offset to before that one."""
Ends = Mapping[tuple[str, int], int]
Verdict = Literal["fed", "outside", "unreadable"]
"""What is meant is fed; of what cannot be read nobody can tell."""
V = TypeVar("V")
_MILLISECOND = 1_000
OPEN_SECONDS_MAX = 15.0
"""A worker's open transaction is aborted within so long, unless the settings say otherwise."""


class Scope(Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """Which interactions are replayed; instants in microseconds UTC, from the first to before the second. All that is said has to hold.

    Commands about who is who are replayed whenever they came: who is whose depends on all of them.
    """

    occurred_from: int | None = None
    occurred_to: int | None = None
    arrived_from: int | None = None
    arrived_to: int | None = None
    offsets: dict[int, Range] = {}
    """By partition; where any is named, the others are left out."""
    sources: tuple[str, ...] = ()
    only_dead_letters: bool = False

    def has(self, partition: int, offset: int, arrived_ms: int) -> bool:
        """Whether a record that lay there, and came then, is meant as far as its place can tell."""
        begin, end = self.offsets.get(partition, (0, 0)) if self.offsets else (0, offset + 1)
        arrived = arrived_ms * _MILLISECOND
        soon_enough = self.arrived_to is None or arrived < self.arrived_to
        return begin <= offset < end and soon_enough and (self.arrived_from is None or arrived >= self.arrived_from)

    def looks_inside(self) -> bool:
        """Whether it takes more than a record's place to say."""
        return bool(self.sources) or self.occurred_from is not None or self.occurred_to is not None

    def verdict(self, value: bytes | None) -> Verdict:
        """Whether a record is meant, by what it says: what occurred when, and which system reports it."""
        if not self.looks_inside():
            return "fed"
        try:
            said = _GLANCE(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return "unreadable"
        written = said.timestamp if said.timestamp is not None else said.original_timestamp
        occurred_at = None if written is None else instants.read(written)
        if self.sources and ((said.source and said.source.system) or "unknown") not in self.sources:
            return "outside"
        if self.occurred_from is None and self.occurred_to is None:
            return "fed"
        if occurred_at is None:
            return "unreadable"
        after = self.occurred_from is None or occurred_at >= self.occurred_from
        return "fed" if after and (self.occurred_to is None or occurred_at < self.occurred_to) else "outside"


class _Source(Struct):
    system: str | None = None


class _Glance(Struct, rename="camel"):
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None
    source: _Source | None = None


_GLANCE = msgspec.json.Decoder(_Glance).decode


class Versions(Struct, kw_only=True, frozen=True, rename="camel"):
    """What an application says by: its journeys as the setting names them, the version of each rule with all that it looks at, that of its policy."""

    journeys: tuple[str, ...]
    rules: dict[str, str]
    policy: str


class Plan(Struct, kw_only=True, frozen=True, rename="camel"):
    """A replay, before it runs. `clock` is the one that the live application goes by; `until` how far time goes (microseconds UTC, None: as far as
    the records say); `in_flight`: records that the live workers had still to do when the outputs' ends were noted."""

    name: str
    app_id: str
    cluster: str
    partitions: int
    clock: Literal["live", "replay"]
    scope: Scope
    repairs: dict[str, Repair]
    inputs: dict[str, list[Range]]
    """By live topic, partition by partition: what is fed."""
    letters: list[Range]
    """Likewise of the dead letters, where any are mended."""
    outputs: dict[str, list[int]]
    """By live topic, partition by partition: the ends up to which it is compared, the changelog's too."""
    until: int | None
    live: Versions
    shadow: Versions
    policy: str | None
    """The file of the shadow's policy, where it is another."""
    in_flight: int

    @property
    def own(self) -> Shadow:
        """The names of the shadow."""
        return Shadow(self.name, self.app_id)

    def offsets(self) -> int:
        """How many offsets are to be fed, holes included."""
        return sum(end - begin for ranges in self.inputs.values() for begin, end in ranges)

    def compared(self) -> dict[tuple[str, int], int]:
        """The frozen vector: the end of each partition of what it is compared with."""
        return {(topic, partition): end for topic, ends in self.outputs.items() for partition, end in enumerate(ends)}


class OutsideTheTopic(ValueError):
    """A scope names a partition that the topic does not have."""


def inputs(bootstrap: str, scope: Scope) -> dict[str, list[Range]]:
    """The ranges of the live topics that a scope means, as they are now: committed records that there still are."""
    begins, ends = admin.begin_offsets(bootstrap, FED), admin.end_offsets(bootstrap, FED)
    first, last = dict(begins), dict(ends)
    if scope.arrived_from is not None:
        first.update(_since(bootstrap, scope.arrived_from, ends))
    if scope.arrived_to is not None:
        last.update(_since(bootstrap, scope.arrived_to, ends))
    if scope.offsets:
        _narrow(scope.offsets, first, last)
    if scope.only_dead_letters:
        last.update({place: first[place] for place in ends if place[0] == topics.INTERACTIONS})
    ranges = {place: (max(first[place], begins[place]), min(last[place], ends[place])) for place in ends}
    return {topic: [(begin, max(begin, end)) for begin, end in of_topic(ranges, topic)] for topic in FED}


def outputs(bootstrap: str, changelog: str) -> dict[str, list[int]]:
    """The ends of what a replay is compared with: of the changelog as it is now, of all else so that whatever led to a row of it is there. Where a
    transaction stays open for long, as they are then."""
    rows = admin.end_offsets(bootstrap, [changelog])
    written = admin.end_offsets(bootstrap, PEOPLE, committed=False)
    ends, deadline = admin.end_offsets(bootstrap, PEOPLE), time.monotonic() + OPEN_SECONDS_MAX
    while any(ends[place] < end for place, end in written.items()) and time.monotonic() < deadline:
        time.sleep(0.05)
        ends = admin.end_offsets(bootstrap, PEOPLE)
    return {**{name: of_topic(ends, name) for name in PEOPLE}, changelog: of_topic(rows, changelog)}


def letters(bootstrap: str) -> list[Range]:
    """All dead letters that there are."""
    begins, ends = admin.begin_offsets(bootstrap, [topics.DEAD_LETTERS]), admin.end_offsets(bootstrap, [topics.DEAD_LETTERS])
    return of_topic({place: (begins[place], end) for place, end in ends.items()}, topics.DEAD_LETTERS)


def of_topic(by_place: Mapping[tuple[str, int], V], topic: str) -> list[V]:
    """A topic's values, partition by partition."""
    return [value for (name, _), value in sorted(by_place.items()) if name == topic]


def versions(journeys: tuple[str, ...], policy: Policy) -> Versions:
    """What an application with these journeys and this policy says by; streams.app.UnknownJourney where there are no such journeys."""
    return Versions(journeys=journeys, rules=rule_versions(app.rules_of(journeys)), policy=policy_version(policy))


def rule_versions(rulebook: Rulebook) -> dict[str, str]:
    """Of each rule, as `moment big_order`, a hash of its meaning and of that of the journeys and segments it looks at, however far."""
    trees = {f"{declared.kind} {declared.name}": declared.tree() for declared in rulebook.declarations}
    looked_at = {name: {other for other in _named(tree) if other in trees and other != name} for name, tree in trees.items()}
    found = {}
    for name in trees:
        reached, coming = {name}, [name]
        while coming:
            new = looked_at[coming.pop()] - reached
            reached |= new
            coming += new
        found[name] = digest([trees[name], *[trees[other] for other in sorted(reached - {name})]])
    return found


def changed(live: Versions, shadow: Versions) -> set[str]:
    """The rules that mean something else, or that only one of the two has."""
    return {name for name in live.rules.keys() | shadow.rules.keys() if live.rules.get(name) != shadow.rules.get(name)}


_LOOKS = {"stage": "journey", "becomes": "journey", "segment": "segment"}
"""How a tree says that it looks at another rule: the first word of a node, and the kind of rule that the second names."""


def _named(tree: Tree) -> Iterable[str]:
    if len(tree) > 1 and isinstance(tree[0], str) and tree[0] in _LOOKS and isinstance(tree[1], str):
        yield f"{_LOOKS[tree[0]]} {tree[1]}"
    for part in tree:
        if isinstance(part, list | tuple):
            yield from _named(list(part))


def _since(bootstrap: str, instant: int, ends: Ends) -> dict[tuple[str, int], int]:
    """Where each partition of the interactions stood at an instant."""
    found = admin.offsets_since(bootstrap, [topics.INTERACTIONS], -(-instant // _MILLISECOND))
    return {place: ends[place] if offset is None else offset for place, offset in found.items()}


def _narrow(wanted: Mapping[int, Range], first: dict[tuple[str, int], int], last: dict[tuple[str, int], int]) -> None:
    """Leave of the interactions these ranges, in place."""
    places = {partition: (topic, partition) for topic, partition in first if topic == topics.INTERACTIONS}
    unknown: Sequence[int] = sorted(wanted.keys() - places.keys())
    if unknown:
        raise OutsideTheTopic(f"{topics.INTERACTIONS} has no partition {', '.join(map(str, unknown))}: there are 0 to {len(places) - 1}")
    for partition, place in places.items():
        begin, end = wanted.get(partition, (0, 0))
        first[place], last[place] = max(first[place], begin), min(last[place], end)
