"""The tree that a rule is: events, conditions, numbers.

The rule this module owns: an expression says what it means as plain data (`tree`), and equal data mean the same; its hash is a rule's version.
An operator of its own kind is a class in `operators/`, which keeps its meaning, its ties and its explanation together.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, reduce
from typing import Any, NamedTuple, NoReturn

import msgspec

from streams.language.compile import Builder, Change, Facts, Firing, Holds, Level

Tree = list[Any]
"""An expression as plain data: its kind, then what it consists of."""


class Place(NamedTuple):
    """Where in a file something was said."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place() -> Place:
    """Where the author's file, the first outside this package, is being read."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("streams.language"):
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


class Expression:
    """Any part of a rule."""

    def __init__(self) -> None:
        self.place = place()

    def tree(self) -> Tree:
        """What it means, as plain data."""
        raise NotImplementedError

    def parts(self) -> Sequence["Expression"]:
        """What it consists of."""
        return ()

    def words(self) -> str:
        """What it means, for a reader."""
        raise NotImplementedError

    @cached_property
    def key(self) -> str:
        """Its tree as text: equal for equal meanings."""
        return msgspec.json.encode(self.tree()).decode()

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{place()}: a rule is not true or false while it is written: say & for `and`, | for `or`, ~ for `not`")


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all that it consists of."""
    yield expression
    for part in expression.parts():
        yield from walk(part)


Might = tuple[bool, bool]
"""Given an interaction with some event's name: whether it may hold, whether it may not."""
EITHER: Might = (True, True)


class Condition(Expression):
    """What holds or does not. It *occurs* where it holds at an instant only (an event, a deadline); else it is a level, which lasts."""

    occurs = False

    def __and__(self, other: "Condition") -> "Condition":
        return And((*_flat(self, And), *_flat(other, And)))

    def __or__(self, other: "Condition") -> "Condition":
        return Or((*_flat(self, Or), *_flat(other, Or)))

    def __invert__(self) -> "Condition":
        return Not(self)

    def compile(self, builder: Builder) -> Holds:
        """A closure that tells whether it holds."""
        raise NotImplementedError

    def might(self, name: str) -> Might:
        """Whether an interaction with this event's name may make it hold, or not."""
        return EITHER

    def may(self, name: str) -> bool:
        """Whether an interaction with this event's name may make it hold."""
        return self.might(name)[0]

    def level(self, builder: Builder) -> Level:
        """A closure that tells whether it holds and when time alone may next change that; never, where it says nothing else."""
        holds = self.compile(builder)
        return lambda facts: (holds(facts), None)

    def firings(self, builder: Builder) -> Callable[[Facts], list[Firing]] | None:
        """The times it occurs at once, each with its cause and evidence; None: once, by the interaction or the deadline itself."""
        for part in self.parts():
            if isinstance(part, Condition) and (found := part.firings(builder)) is not None:
                return found
        return None


def _flat(condition: Condition, kind: type["And | Or"]) -> tuple[Condition, ...]:
    return condition.conditions if isinstance(condition, kind) else (condition,)


class And(Condition):
    """All of them."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        super().__init__()
        self.conditions = conditions
        self.occurs = any(condition.occurs for condition in conditions)

    def tree(self) -> Tree:
        return ["and", *(condition.tree() for condition in self.conditions)]

    def parts(self) -> Sequence[Expression]:
        return self.conditions

    def words(self) -> str:
        return " and ".join(condition.words() for condition in self.conditions)

    def compile(self, builder: Builder) -> Holds:
        return reduce(_both, [condition.compile(builder) for condition in self.conditions])

    def might(self, name: str) -> Might:
        each = [condition.might(name) for condition in self.conditions]
        return all(may for may, _ in each), any(may_not for _, may_not in each)

    def level(self, builder: Builder) -> Level:
        return _joined([condition.level(builder) for condition in self.conditions], all_must=True)


class Or(Condition):
    """Any of them."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        super().__init__()
        self.conditions = conditions
        self.occurs = any(condition.occurs for condition in conditions)

    def tree(self) -> Tree:
        return ["or", *(condition.tree() for condition in self.conditions)]

    def parts(self) -> Sequence[Expression]:
        return self.conditions

    def words(self) -> str:
        return "(" + " or ".join(condition.words() for condition in self.conditions) + ")"

    def compile(self, builder: Builder) -> Holds:
        return reduce(_either, [condition.compile(builder) for condition in self.conditions])

    def might(self, name: str) -> Might:
        each = [condition.might(name) for condition in self.conditions]
        return any(may for may, _ in each), all(may_not for _, may_not in each)

    def level(self, builder: Builder) -> Level:
        return _joined([condition.level(builder) for condition in self.conditions], all_must=False)

    def firings(self, builder: Builder) -> Callable[[Facts], list[Firing]] | None:
        each = [(condition.compile(builder), condition.firings(builder)) for condition in self.conditions]
        if not any(firings for _, firings in each):
            return None

        def first(facts: Facts) -> list[Firing]:
            own = next((firings for holds, firings in each if holds(facts)), None)
            return [by_itself(facts)] if own is None else own(facts)

        return first


class Not(Condition):
    """An interaction that is not such; of a level: that it does not hold."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.condition = condition
        self.occurs = condition.occurs

    def tree(self) -> Tree:
        return ["not", self.condition.tree()]

    def parts(self) -> Sequence[Expression]:
        return (self.condition,)

    def words(self) -> str:
        return f"not {self.condition.words()}"

    def compile(self, builder: Builder) -> Holds:
        holds = self.condition.compile(builder)
        if self.occurs:
            return lambda facts: facts.touch is not None and not holds(facts)
        return lambda facts: not holds(facts)

    def might(self, name: str) -> Might:
        may, may_not = self.condition.might(name)
        return may_not, may

    def level(self, builder: Builder) -> Level:
        level = self.condition.level(builder)

        def opposite(facts: Facts) -> tuple[bool, Change | None]:
            holds, change = level(facts)
            return not holds, change

        return opposite

    def firings(self, builder: Builder) -> None:
        return None


def by_itself(facts: Facts) -> Firing:
    """What occurs once, by the interaction at hand."""
    itself = (facts.name,)
    return Firing(itself, itself)


def _both(first: Holds, second: Holds) -> Holds:
    return lambda facts: first(facts) and second(facts)


def _either(first: Holds, second: Holds) -> Holds:
    return lambda facts: first(facts) or second(facts)


def _joined(levels: list[Level], all_must: bool) -> Level:
    """A conjunction (`all_must`) or a disjunction turns by any part that holds it up, or once all that hinder it have turned."""

    def joined(facts: Facts) -> tuple[bool, Change | None]:
        each = [level(facts) for level in levels]
        hindering = [change for holds, change in each if holds != all_must]
        if not hindering:
            return all_must, min((change for _, change in each if change is not None), default=None)
        return not all_must, None if None in hindering else max(change for change in hindering if change is not None)

    return joined
