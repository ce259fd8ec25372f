"""Mistakes in rules, found when they are loaded: where, what, and what may have been meant.

The rule this module owns: CHECKS is every one of them, each a function of what is declared; all mistakes are told at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import NamedTuple

from schemas.interaction import EVENTS
from streams.language.compile import Builder
from streams.language.declare import CAP_MAX, START, Becomes, Declaration, InSegment, Journey, Moment, Segment, StageIs
from streams.language.events import Event
from streams.language.expressions import Expression, Place, walk
from streams.language.numbers import Compare, Constant
from streams.language.operators.crossings import Balance, Rises
from streams.language.operators.windows import Sum
from streams.language.sentences import SIGNIFICANCE, blanks, resolve


class Mistake(NamedTuple):
    """What is wrong with a rule, where it was written, and what may have been meant."""

    place: Place
    what: str
    suggestion: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + ("" if self.suggestion is None else f" Did you mean {self.suggestion!r}?")


class RulesRefused(Exception):
    """Rules that cannot stand, with every mistake in them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class Declared(NamedTuple):
    """All that is declared, and where."""

    declarations: Sequence[Declaration]
    balances: Sequence[Balance]
    modules: Sequence[ModuleType]
    known_events: frozenset[str]

    def whole(self) -> Iterator[Expression]:
        """Every expression that a declaration consists of, with all its parts."""
        for expression in (*(part for declared in self.declarations for part in declared.parts()), *self.balances):
            yield from walk(expression)

    def of(self, kind: type[Declaration]) -> dict[str, Declaration]:
        """The declarations of a kind, by name."""
        return {declared.name: declared for declared in self.declarations if isinstance(declared, kind)}


def refuse(
    declarations: Sequence[Declaration], balances: Sequence[Balance], modules: Sequence[ModuleType], known_events: Iterable[str]
) -> None:
    """RulesRefused where a declaration holds a mistake."""
    declared = Declared(declarations, balances, modules, frozenset(EVENTS) | frozenset(known_events))
    mistakes = [mistake for check in CHECKS for mistake in check(declared)]
    if mistakes:
        raise RulesRefused(sorted(set(mistakes), key=lambda mistake: (str(mistake.place.file), mistake.place.line, mistake.what)))


def _near(name: str, names: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, sorted(names), n=1, cutoff=0.6)), None)


def names_are_given_once(declared: Declared) -> Iterator[Mistake]:
    """Two rules of one kind, or two balances, share no name."""
    seen: dict[tuple[str, str], Place] = {}
    named = [(each.kind, each.name, each.place) for each in declared.declarations]
    for kind, name, place in (*named, *(("balance", each.name, each.place) for each in declared.balances)):
        if (kind, name) in seen:
            yield Mistake(place, f"The {kind} {name!r} was declared before, at {seen[kind, name]}.")
        seen[kind, name] = place


def stages_exist(declared: Declared) -> Iterator[Mistake]:
    """A stage that is left, or asked about, can be entered; a journey or a segment that is asked about is declared."""
    journeys = {name: found for name, found in declared.of(Journey).items() if isinstance(found, Journey)}
    for journey in journeys.values():
        stages = journey.stages() | {START}
        for origins, _, _ in journey.transitions:
            for origin in origins:
                if origin not in stages:
                    yield Mistake(journey.place, f"No transition of {journey.name!r} enters the stage {origin!r}.", _near(origin, stages))
    for asked in declared.whole():
        if isinstance(asked, StageIs | Becomes):
            found = journeys.get(asked.journey)
            if found is None:
                yield Mistake(asked.place, f"There is no journey {asked.journey!r}.", _near(asked.journey, journeys))
                continue
            for stage in asked.stages:
                if stage not in found.stages() | {START}:
                    yield Mistake(asked.place, f"The journey {asked.journey!r} has no stage {stage!r}.", _near(stage, found.stages()))
        elif isinstance(asked, InSegment) and asked.segment not in declared.of(Segment):
            yield Mistake(asked.place, f"There is no segment {asked.segment!r}.", _near(asked.segment, declared.of(Segment)))


def events_are_known(declared: Declared) -> Iterator[Mistake]:
    """An event that is not known, but nearly, is a slip; one that is like no other is the author's own."""
    for part in declared.whole():
        if isinstance(part, Event) and part.event_name not in declared.known_events:
            near = next(iter(get_close_matches(part.event_name, sorted(declared.known_events), n=1, cutoff=0.85)), None)
            if near is not None:
                yield Mistake(part.place, f"No known event is called {part.event_name!r}.", near)


def money_is_exact(declared: Declared) -> Iterator[Mistake]:
    """A number with a point is written as a Decimal: a float is not what it looks like."""
    for part in declared.whole():
        if isinstance(part, Constant) and isinstance(part.value, float):
            yield Mistake(part.place, f"{part.value!r} is a float, which money must never be.", f'Decimal("{part.value}")')
        if isinstance(part, Compare) and isinstance(part.right, Constant) and isinstance(part.left, Constant):
            yield Mistake(part.place, "Two constants are compared.")


def levels_and_occurrences(declared: Declared) -> Iterator[Mistake]:
    """A transition and a moment come by something that occurs; a segment holds by something that lasts, in a currency of its own."""
    for each in declared.declarations:
        if isinstance(each, Segment):
            if each.when.occurs:
                yield Mistake(each.place, f"The segment {each.name!r} needs a level, which lasts, and has an event or a deadline.")
            for part in walk(each.when):
                if isinstance(part, Sum) and part.is_money and part.own_currency() is None:
                    yield Mistake(part.place, "A segment adds money of any currency.", '.in_currency("...")')
        whens = [when for _, _, when in each.transitions] if isinstance(each, Journey) else [each.when] if isinstance(each, Moment) else []
        for when in whens:
            if not when.occurs:
                yield Mistake(when.place, f"{each.name!r} needs an event or a deadline, and has a level, which lasts.", "rises(...)")


def levels_rise_by_what_is_remembered(declared: Declared) -> Iterator[Mistake]:
    """What rises is a level of numbers; a stage is entered, which has a word of its own."""
    for part in declared.whole():
        if isinstance(part, Rises) and part.risen.occurs:
            yield Mistake(part.place, "What rises is a level, which lasts, and not an event or a deadline.")
        if isinstance(part, Rises) and any(isinstance(inner, StageIs | InSegment) for inner in walk(part.risen)):
            yield Mistake(part.place, "A stage or a segment does not rise.", 'stage("...").becomes("...")')


def sentences_can_be_said(declared: Declared) -> Iterator[Mistake]:
    """Every blank of a sentence names a number of the author's file."""
    for each in declared.declarations:
        templates = [each.because] if isinstance(each, Moment) else [each.reason, each.left] if isinstance(each, Segment) else []
        try:
            found = [words for template in templates for words in blanks(template)]
        except ValueError as wrong:
            yield Mistake(each.place, f"The sentence of {each.name!r} cannot be read: {wrong}.")
            continue
        for words in found:
            if words == SIGNIFICANCE and isinstance(each, Moment):
                continue
            try:
                resolve(words, each.names).compile(Builder())
            except NameError as unknown:
                yield Mistake(
                    each.place, f"The sentence of {each.name!r} says {{{words}}}: {unknown}.", _near(str(unknown.name), each.names)
                )
            except (SyntaxError, TypeError, AttributeError) as wrong:
                yield Mistake(each.place, f"The sentence of {each.name!r} says {{{words}}}, which is no number of the language: {wrong}.")


def everything_is_used(declared: Declared) -> Iterator[Mistake]:
    """What a file names, a rule of it uses."""
    used = {id(part) for part in declared.whole()} | {id(balance) for balance in declared.balances}
    meant = {part.key for part in declared.whole()}
    for module in declared.modules:
        said = " ".join(each.because if isinstance(each, Moment) else "" for each in declared.declarations if each.names is vars(module))
        for name, value in vars(module).items():
            if not isinstance(value, Expression) or id(value) in used or name in said or value.place.file != module.__file__:
                continue
            own = value.pattern() if isinstance(value, Event) else value
            if own.key not in meant:
                yield Mistake(value.place, f"{name!r} is used by no rule.")


def durations_are_ahead(declared: Declared) -> Iterator[Mistake]:
    """A moment can be acted on for some time, it is capped within some and its evidence is of some, and a balance halves in some."""
    for each in declared.declarations:
        if isinstance(each, Moment) and each.expires <= 0:
            yield Mistake(each.place, f"The moment {each.name!r} has expired when it comes.")
        if isinstance(each, Moment) and each.cap is not None and not (1 <= each.cap.number <= CAP_MAX and each.cap.within > 0):
            yield Mistake(each.place, f"The cap of {each.name!r} is no number from 1 to {CAP_MAX} within some time.")
        if isinstance(each, Moment) and each.evidence is not None and each.evidence.within is None:
            yield Mistake(each.evidence.place, f"The evidence of {each.name!r} has no window.", "within=days(...)")
    for balance in declared.balances:
        if balance.half_life <= 0:
            yield Mistake(balance.place, f"The balance {balance.name!r} has a half-life of nothing.")


CHECKS: tuple[Callable[[Declared], Iterator[Mistake]], ...] = (
    names_are_given_once,
    stages_exist,
    events_are_known,
    money_is_exact,
    levels_and_occurrences,
    levels_rise_by_what_is_remembered,
    sentences_can_be_said,
    everything_is_used,
    durations_are_ahead,
)
"""Every check."""
