"""A world at rest beside what it ought to be: its rows read back, and the oracle's answer about the same history.

The rule this module owns: what is wanted comes from `tests/oracles` and from what was sent; of the product it takes the marks of erasures alone,
since whom an erasure meets depends on when it comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from streams.identity.component import COMPONENT, Component, settled
from streams.identity.past import Mark
from streams.identity.resolve import resolve
from streams.instants import SECOND
from streams.intake.commands import order
from streams.rows import TIMELINE, NodeKey, Person, decode_touch
from tests.laws.history import as_plain
from tests.laws.memory import RECEIVED, Memory
from tests.oracles import identity as oracle
from tests.simulation import said
from tests.simulation.history import ALONE, UNTIL, Identifier, Ordered, Scenario, Seen, wire
from tests.simulation.rules import RULES
from tests.simulation.said import Heard
from tests.simulation.world import World

Pair = tuple[NodeKey, NodeKey, bool | str, int]
SAYS: dict[str, bool | str] = {"cannot_link": True, "allow_link": False, "link": "bound"}
"""What a command about two identifiers says to the oracle: apart, not apart, bound."""
Event = tuple[tuple[NodeKey, ...], int, str]
"""What the oracle reads of an interaction: keys, when it occurred, message id."""


class People(NamedTuple):
    """Who is who: canonical key by key, message ids by canonical key."""

    person: dict[NodeKey, NodeKey]
    touches: dict[NodeKey, set[str]]


class Rest:
    """Everything that a law may ask about a run that has come to rest."""

    def __init__(self, scenario: Scenario, world: World, marks: dict[NodeKey, Mark] | None = None) -> None:
        self.scenario = scenario
        self.world = world
        self.plain = scenario.plain
        self.marks = marks_of(world) if marks is None else marks
        """The identifiers that were erased, as they stood before the end of time, at which they lapse."""

    # What was sent.

    @cached_property
    def names(self) -> dict[NodeKey, Identifier]:
        """All identifiers of the history by key."""
        named = {one for entry in self.scenario.entries if isinstance(entry, Seen | Ordered) for one in entry.identifiers}
        return {self.key(one): one for one in sorted(named)}

    def key(self, identifier: Identifier) -> NodeKey:
        """An identifier's key, by the oracle."""
        return bytes(oracle.key_of(self.plain, *identifier))

    def named(self, key: NodeKey) -> str:
        """An identifier as a story names it."""
        kind, value = self.names.get(key, ("?", key.hex()))
        return f"{kind}:{value}"

    @cached_property
    def seen(self) -> list[Seen]:
        """The interactions that tell of somebody, each once, in the order in which they were first sent."""
        return list({entry.id: entry for entry in self.scenario.entries if isinstance(entry, Seen) and entry.identifiers}.values())

    @cached_property
    def commands(self) -> list[Ordered]:
        """The commands, each once."""
        return list({entry.id: entry for entry in self.scenario.entries if isinstance(entry, Ordered)}.values())

    def event(self, seen: Seen) -> Event:
        """An interaction as the oracle reads it."""
        return tuple(sorted({self.key(one) for one in seen.identifiers})), seen.at, seen.id

    # What is void.

    @cached_property
    def components(self) -> list[tuple[int, NodeKey, Component]]:
        """Partition, root and evidence of every component."""
        return components(self.world)

    def is_void(self, event: Event) -> bool:
        """Whether an erasure has taken this interaction."""
        keys, at, _ = event
        marks = self.marks
        return any(key in marks and at <= marks[key].until and (marks[key].own or key == keys[0]) for key in keys)

    @cached_property
    def void(self) -> list[Seen]:
        """The interactions that erasures have taken."""
        return [one for one in self.seen if self.is_void(self.event(one))]

    @cached_property
    def kept(self) -> list[Seen]:
        """All others."""
        gone = {one.id for one in self.void}
        return [one for one in self.seen if one.id not in gone]

    @cached_property
    def shared(self) -> set[NodeKey]:
        """The identifiers that are shared by too many, or of which a command says so."""
        return self._shared(self.plain)

    def _shared(self, plain: dict[str, Any]) -> set[NodeKey]:
        ranked = [row for _, row in sorted(plain["types"].items(), key=lambda item: (item[1]["priority"], item[0]))]
        met: dict[NodeKey, set[NodeKey]] = defaultdict(set)
        for one in self.seen:
            anchor, *others = self.event(one)[0]
            if ranked[anchor[0]]["strength"] == "unique":
                for other in others:
                    met[other].add(anchor)
        return {key for key, unique in met.items() if len(unique) > ranked[key[0]]["generic_above"]} - self.unmarked | self.marked

    @cached_property
    def marked(self) -> set[NodeKey]:
        """The identifiers of which the newest command says that they are shared."""
        return self._newest("mark_generic")

    @cached_property
    def unmarked(self) -> set[NodeKey]:
        """The identifiers of which the newest command says that they are not."""
        return self._newest("unmark")

    def _newest(self, kind: str) -> set[NodeKey]:
        said = sorted((one for one in self.commands if one.kind in ALONE), key=lambda one: order(one.at, one.id))
        newest = {self.key(one.identifiers[0]): one.kind for one in said}
        return {key for key, last in newest.items() if last == kind}

    @property
    def is_bound(self) -> bool:
        """Whether a command makes two one person's, over any limit."""
        return any(one.kind == "link" for one in self.commands)

    @property
    def is_said(self) -> bool:
        """Whether the laws say who is who: of an identifier that is shared by too many, or crowded, and was erased as somebody's own they do not, nor
        where a component is full."""
        return not self.is_full and self.is_known_who_was_erased

    @property
    def is_known_who_was_erased(self) -> bool:
        """Whether nothing that is shared by too many, or crowded, was erased as somebody's own."""
        crowded = {key for key, _ in self.crowds}
        shared = self.shared if not self.scenario.settings.switch else self.shared | self._shared(as_plain(self.scenario.first))
        return not any(self.marks[key].own for key in (shared | crowded) & self.marks.keys())

    @cached_property
    def is_full(self) -> bool:
        """Whether a component became so large that it took in nobody any more."""
        return any(component.full for _, _, component in self.components)

    @cached_property
    def crowds(self) -> set[tuple[NodeKey, int]]:
        """Who was seen with too many of which type, by the oracle; erasures lower no count."""
        return oracle.crowded(self.plain, [self.event(one)[0] for one in self.seen])

    @property
    def is_calm(self) -> bool:
        """Whether a calm world, which hears nothing of what is void, knows the same crowds, and nobody in it was too large before a crowd was known."""
        if self.crowds != oracle.crowded(self.plain, [self.event(one)[0] for one in self.kept]):
            return False
        return not any(component.full for _, _, component in components(self.calm))

    @property
    def is_whole(self) -> bool:
        """Whether timelines hold all that was taken in: else what is older lives on in totals, and what comes later than that is refused."""
        return self.scenario.settings.interactions_max >= 1_000_000

    # What is wanted.

    @cached_property
    def apart(self) -> list[Pair]:
        """The commands about two, as the oracle reads them, but those that an erasure outdates."""
        found = []
        for one in self.commands:
            if one.kind in SAYS:
                keys = [self.key(each) for each in one.identifiers]
                if not self.is_outdated(one):
                    found.append((keys[0], keys[1], SAYS[one.kind], order(one.at, one.id)))
        return found

    def is_outdated(self, command: Ordered) -> bool:
        """Whether one of those that a command names was erased after it was given."""
        place = order(command.at, command.id)
        return any(key in self.marks and self.marks[key].order > place for key in map(self.key, command.identifiers))

    @cached_property
    def met(self) -> set[NodeKey]:
        """The identifiers of all that is not void."""
        return {self.key(identifier) for one in self.kept for identifier in one.identifiers}

    @cached_property
    def wanted(self) -> People:
        """The oracle's answer."""
        return self.oracle([self.event(one) for one in self.kept], self.apart)

    def oracle(self, events: Sequence[Event], apart: Sequence[Pair]) -> People:
        """The oracle's answer about these events and commands."""
        person, touches = oracle.people(self.plain, events, apart, [self.event(one) for one in self.void], self.marked, self.unmarked)
        return People(person, touches)

    # What is there.

    @cached_property
    def found(self) -> People:
        """The world's answer: of every root's evidence, and of the timelines."""
        person: dict[NodeKey, NodeKey] = {}
        touches: dict[NodeKey, set[str]] = {}
        for partition, _, one in self.people:
            for member in one.members:
                assert self.is_full or member not in person, f"{self.named(member)} is in two people"
                person[member] = one.canonical
            if one.fragments:
                touches[one.canonical] = {name for fragment in one.fragments for name in self.timeline(partition, fragment)}
        return People(person, touches)

    @cached_property
    def heard(self) -> Heard:
        """What the world said, but what a batch said that never came to its end."""
        return said.heard(self.world.log, self.world.unfinished)

    @cached_property
    def doubtful(self) -> set[str]:
        """Without transactions: the outputs and profiles of which a batch spoke that was done again."""
        return said.subjects([*self.world.repeated, *self.world.unfinished])

    @cached_property
    def people(self) -> list[tuple[int, NodeKey, Person]]:
        """Partition, root and person of everybody: the customers as their rows have them, and of those without an interaction what their evidence says."""
        policy = self.scenario.policy
        found = []
        for partition, root, component in self.components:
            found += [(partition, root, one) for one in settled(component)]
            found += [(partition, root, one) for one in resolve(component, policy).people if not one.fragments]
        return found

    def timeline(self, partition: int, fragment: NodeKey) -> list[str]:
        """The message ids of the interactions in a fragment."""
        first = TIMELINE.tag + fragment
        store = self.world.rows[partition]
        return [decode_touch(store.rows[key]).id for key in store.keys if key.startswith(first)]

    def rows(self, tag: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Partition, key and value of all rows of a kind."""
        for partition, store in enumerate(self.world.rows):
            for key in store.keys:
                if key[:1] == tag:
                    yield partition, key[1:], store.rows[key]

    @cached_property
    def calm(self) -> Memory:
        """The same on one partition, in its own order, without a fault: what is not void, then the commands, then the end of time.

        What is void says one thing still: which identifiers are shared by too many.
        """
        return self.calmly(
            self.kept, [*(one for one in self.commands if one.kind in SAYS and not self.is_outdated(one)), *self.told_shared]
        )

    @property
    def told_shared(self) -> list[Ordered]:
        """A command for each identifier that is shared by too many, or of which one says that it is not."""
        at = RECEIVED * 1000 - SECOND
        told = [(key, "mark_generic") for key in sorted(self.shared)] + [(key, "unmark") for key in sorted(self.unmarked)]
        return [Ordered(f"shared-{number}", kind, (self.names[key],), at) for number, (key, kind) in enumerate(told)]  # type: ignore[arg-type]  # two of the kinds

    def after_allowing(self, pairs: Sequence[Sequence[NodeKey]]) -> Rest:
        """The same world after commands that let these pairs be together again."""
        given = max([one.at for one in self.commands]) + 1
        more = [
            Ordered(f"allowed-{number}", "allow_link", tuple([self.names[key] for key in pair]), given) for number, pair in enumerate(pairs)
        ]
        for one in more:
            self.world.feed(one)
        self.world.rest()
        return Rest(self.scenario._replace(entries=(*self.scenario.entries, *more)), self.world, self.marks)

    def calmly(self, seen: Sequence[Seen], commands: Sequence[Ordered]) -> Memory:
        """A Kairos that all of them came to in the order given."""
        memory = Memory(RULES, 1, policy=self.scenario.policy, replayed=self.scenario.settings.replayed)
        for one in seen:
            memory.produce(wire(one))
        for command in commands:
            memory.command(wire(command))
        if memory.replayed:
            memory.tell_time(UNTIL)
        memory.run()
        if not memory.replayed:
            memory.tick()
            memory.run()
        return memory


def components(world: Memory) -> list[tuple[int, NodeKey, Component]]:
    """Partition, root and evidence of every component of a world at rest."""
    found = []
    for partition, store in enumerate(world.rows):
        rows = sorted((key, row) for key, row in store.rows.items() if key[:1] == COMPONENT.tag)
        found += [(partition, key[1:], COMPONENT.decode(row)) for key, row in rows]
    return found


def marks_of(world: World) -> dict[NodeKey, Mark]:
    """The identifiers that were erased, as the evidence of a world at rest says."""
    found: dict[NodeKey, Mark] = {}
    for _, _, component in components(world):
        found.update(component.past.erased if component.past is not None else {})
    return found
