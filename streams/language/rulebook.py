"""Every rule that is in force, compiled, and found by the event or the deadline that it needs.

The rule this module owns: an interaction meets only the rules that need its event. Names that no rule mentions share one plan.
"""

from base64 import b32encode
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import blake2b
from types import ModuleType
from typing import NamedTuple

import msgspec
from msgspec import Struct, structs

from streams.language import check
from streams.language.compile import Builder, Facts, Firing, Holds, Level, Step
from streams.language.declare import Declaration, Journey, Moment, Segment
from streams.language.events import Event
from streams.language.explain import Why, explained
from streams.language.expressions import Condition, Expression, Tree, by_itself, walk
from streams.language.numbers import lift
from streams.language.operators.crossings import Balance
from streams.language.sentences import Sentence, sentence

LANGUAGE = 3
"""The version of what the words of the language mean: a change of meaning changes every rule's version."""

Firings = Callable[[Facts], list[Firing]]


class TransitionRule(Struct, frozen=True, gc=False):
    """A way out of a stage: where to, when, and by what; which events and deadlines it needs."""

    to: str
    holds: Holds
    firings: Firings
    may: Callable[[str], bool]
    awaited: frozenset[int]


class JourneyRule(Struct, frozen=True, gc=False):
    """A journey: from each stage the transitions to try, in order."""

    name: str
    owner: str
    version: str
    transitions: dict[str, tuple[TransitionRule, ...]]

    def narrowed(self, wanted: Callable[[TransitionRule], bool]) -> "JourneyRule":
        """The same journey with only the transitions that are wanted."""
        each = {origin: tuple(rule for rule in rules if wanted(rule)) for origin, rules in self.transitions.items()}
        return structs.replace(self, transitions={origin: rules for origin, rules in each.items() if rules})


class MomentRule(Struct, frozen=True, gc=False):
    """A moment: when, how often at once, how much it weighs and why."""

    declared: Moment
    version: str
    holds: Holds
    firings: Firings
    significance: Callable[[Facts], float | None]
    because: Sentence


class SegmentRule(Struct, frozen=True, gc=False):
    """A segment: when, why one is in it or in it no more, until when time leaves it alone (by deadline `due`, whose setter is remembered in `setter`)."""

    declared: Segment
    version: str
    level: Level
    due: int
    setter: int
    reason: Sentence
    left: Sentence


class Plan(Struct, frozen=True, gc=False):
    """What an event, or a deadline, has to be shown to: slots to step, in order, then rules to judge. `waits`: whether any of it may set a
    deadline, or call one off. `only_moves`: whether it is journeys alone, which concern only who stands where they lead on from."""

    steps: tuple[tuple[int, Step], ...]
    journeys: tuple[JourneyRule, ...]
    segments: tuple[SegmentRule, ...]
    moments: tuple[MomentRule, ...]
    waits: bool
    only_moves: bool


class _Rule(NamedTuple):
    """A compiled rule, and what it waits for."""

    compiled: JourneyRule | MomentRule | SegmentRule
    meets: Callable[[str], bool]
    awaited: frozenset[int]
    watched: frozenset[str]


class Rulebook:
    """The rules in force. `version` hashes their meaning; equal rules, equal version."""

    def __init__(self, declarations: Sequence[Declaration], balances: Sequence[Balance]) -> None:
        self.declarations = tuple(declarations)
        builder = Builder()
        self.balances = {balance.name: (balance.slot(builder), balance.half_life) for balance in balances}
        rules = [_COMPILERS[declared.kind](declared, builder) for declared in self.declarations]
        self.version = digest(
            ["rulebook", LANGUAGE, [declared.tree() for declared in self.declarations], [balance.tree() for balance in balances]]
        )
        self.initial: tuple[object, ...] = tuple(slot.initial for slot in builder.slots)
        moments = [each for each in declarations if isinstance(each, Moment)]
        self.cool_downs = {each.name: each.once_per for each in moments if each.once_per is not None}
        self.caps = {each.name: each.cap for each in moments if each.cap is not None}
        self.limits = {each.name: each.limits() for each in moments}
        self.deadlines = tuple(builder.deadline_names)
        self.setters = tuple(builder.setters)
        self.names = frozenset(
            part.event_name
            for whole in (*(part for declared in self.declarations for part in declared.parts()), *balances)
            for part in walk(whole)
            if isinstance(part, Event)
        )
        self._builder, self._slots, self._rules = builder, builder.slots, rules
        self._plans = {name: self._planned(name) for name in self.names}
        self._other = self._planned("")
        self.at_deadline = tuple(self._struck(deadline) for deadline in range(len(self.setters)))

    def plan(self, event: str) -> Plan:
        """What an interaction with this event's name has to be shown to."""
        return self._plans.get(event, self._other)

    def why(self, name: str, facts: Facts) -> list[Why]:
        """Why the rules of this name hold as of the facts, or why not: of a journey one for each transition; empty where there is none."""
        whens = [part for each in self.declarations if each.name == name for part in each.parts() if isinstance(part, Condition)]
        return [explained(when, self._builder)(facts) for when in whens]

    def _planned(self, name: str) -> Plan:
        steps = ((index, slot.step) for index, slot in enumerate(self._slots) if slot.might(name))
        return _plan(steps, self._rules, lambda rule: rule.meets(name), lambda transition: transition.may(name))

    def _struck(self, deadline: int) -> Plan:
        steps = ((index, slot.step) for index, slot in enumerate(self._slots) if slot.at_deadline == deadline)
        return _plan(steps, self._rules, lambda rule: deadline in rule.awaited, lambda transition: deadline in transition.awaited)


def rulebook(*modules: ModuleType, known_events: Iterable[str] = ()) -> Rulebook:
    """Compile all that the modules declare, in the order in which they do; RulesRefused, with every mistake, where one cannot stand."""
    declarations = [value for module in modules for value in vars(module).values() if isinstance(value, Declaration)]
    balances = [value for module in modules for value in vars(module).values() if isinstance(value, Balance)]
    check.refuse(declarations, balances, modules, known_events)
    return Rulebook(declarations, balances)


def digest(tree: Tree) -> str:
    """16 characters that stand for a tree."""
    return b32encode(blake2b(msgspec.json.encode(tree), digest_size=10).digest()).decode().lower()


def _plan(
    steps: Iterable[tuple[int, Step]], rules: Sequence[_Rule], wanted: Callable[[_Rule], bool], leads: Callable[[TransitionRule], bool]
) -> Plan:
    """The rules that are wanted, and with them those that look at a journey which may then move."""
    journeys = tuple(rule.compiled.narrowed(leads) for rule in rules if isinstance(rule.compiled, JourneyRule) and wanted(rule))
    moving = {journey.name for journey in journeys}
    met = [rule.compiled for rule in rules if wanted(rule) or rule.watched & moving]
    shown = tuple(steps)
    segments = tuple(rule for rule in met if isinstance(rule, SegmentRule))
    moments = tuple(rule for rule in met if isinstance(rule, MomentRule))
    return Plan(shown, journeys, segments, moments, bool(shown or segments), not (shown or segments or moments))


def _version(declared: Declaration) -> str:
    return digest([LANGUAGE, declared.tree()])


def _firings(when: Condition, builder: Builder) -> Firings:
    """The times a condition occurs: as its operator has it, else once, by the interaction, or by the one that set the deadline."""
    own = when.firings(builder)
    setters = builder.setters

    def firings(facts: Facts) -> list[Firing]:
        if facts.touch is None:
            by = (setters[facts.fired](facts),)
            return [Firing(by, by)]
        return [by_itself(facts)] if own is None else own(facts)

    return firings


def _journey(declared: Journey, builder: Builder) -> _Rule:
    transitions: dict[str, list[TransitionRule]] = {}
    awaited: set[int] = set()
    for origins, to, when in declared.transitions:
        builder.begin()
        compiled = TransitionRule(to, when.compile(builder), _firings(when, builder), when.may, frozenset(builder.awaited))
        awaited |= builder.awaited
        for origin in origins:
            transitions.setdefault(origin, []).append(compiled)
    rule = JourneyRule(declared.name, declared.owner, _version(declared), {origin: tuple(each) for origin, each in transitions.items()})
    whens = [when for _, _, when in declared.transitions]
    return _Rule(rule, lambda name: any(when.may(name) for when in whens), frozenset(awaited), frozenset())


def _moment(declared: Moment, builder: Builder) -> _Rule:
    builder.begin()
    holds, firings = declared.when.compile(builder), _firings(declared.when, builder)
    watched, awaited = frozenset(builder.watched), frozenset(builder.awaited)
    measure = lift(declared.significance).compile(builder)

    def significance(facts: Facts) -> float | None:
        found = measure(facts)
        return None if found is None else round(float(Decimal(found[0]) / Decimal(found[1])), 6)

    shown = None if declared.evidence is None else declared.evidence.held(builder)

    def with_evidence(facts: Facts) -> list[Firing]:
        supporting = [] if shown is None else shown(facts)
        found = [(each.cause, each.evidence) for each in firings(facts)]
        return [Firing(cause, (*(one for one in supporting if one not in evidence), *evidence)) for cause, evidence in found]

    rule = MomentRule(
        declared,
        _version(declared),
        holds,
        firings if shown is None else with_evidence,
        significance,
        sentence(declared.because, declared.names, builder),
    )
    when = declared.when
    return _Rule(rule, when.may, awaited, watched if _enters(when) else frozenset())


def _enters(when: Expression) -> bool:
    """Whether it may occur by a journey's move alone."""
    return any(part.tree()[0] == "becomes" for part in walk(when))


def _segment(declared: Segment, builder: Builder) -> _Rule:
    builder.begin()
    level = declared.when.level(builder)
    moved_by = [builder.slots[slot].might for slot in builder.used]
    watched = frozenset(builder.watched)
    setter = builder.remember(f"segment {declared.name}", "", lambda name: False, lambda held, facts: held)
    due = builder.await_(f"segment {declared.name}", lambda facts: str(facts.memory[setter]))
    reason, left = (sentence(template, declared.names, builder) for template in (declared.reason, declared.left))
    rule = SegmentRule(declared, _version(declared), level, due, setter, reason, left)
    return _Rule(rule, lambda name: any(might(name) for might in moved_by), frozenset(builder.awaited), watched)


_COMPILERS: dict[str, Callable[..., _Rule]] = {"journey": _journey, "moment": _moment, "segment": _segment}
