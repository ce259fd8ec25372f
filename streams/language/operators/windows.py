"""Counts, sums and means, over all time or within a window.

Windows are left-open: within d, seen from an instant, is what occurred after that instant less d, so what ages out at the very instant of an
interaction is out before it. With `.before` the present interaction is not in it.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from schemas import money
from streams.instants import span
from streams.language.compile import LEAVINGS_MAX, Builder, Exact, Facts, Firing, Holds, Leaving, Leavings, Measure, Ratio
from streams.language.events import Event, Field
from streams.language.expressions import Condition, Expression, Might, Tree
from streams.language.numbers import Number


def _span(within: int | None) -> list[Any]:
    return [] if within is None else [within]


def _words(within: int | None) -> str:
    return "" if within is None else f" within {span(within)}"


class Count(Number):
    """How many there were; at most the window's length ago where there is one. `earlier`: without the present interaction."""

    def __init__(self, counted: Condition, within: int | None = None, earlier: bool = False) -> None:
        super().__init__()
        self.pattern = counted.pattern() if isinstance(counted, Event) else counted
        self.earlier = earlier or (isinstance(counted, Event) and counted.earlier)
        self.within = within

    def tree(self) -> Tree:
        return ["count", ["before", self.pattern.tree()] if self.earlier else self.pattern.tree(), *_span(self.within)]

    def parts(self) -> Sequence[Expression]:
        return (self.pattern,)

    def words(self) -> str:
        return f"number of {'earlier ' if self.earlier else ''}{self.pattern.words()}{_words(self.within)}"

    def slot(self, builder: Builder) -> int:
        """Where it is remembered: over all time an int, within a window [instant, id] ascending."""
        pattern, within = self.pattern, self.within
        meets = pattern.compile(builder)
        if within is None:
            return builder.remember(f"count {pattern.key}", 0, pattern.may, lambda held, facts: held + 1 if meets(facts) else held)

        def step(held: Any, facts: Facts) -> object:
            if not meets(facts):
                return held
            assert facts.touch is not None
            return [*held[_aged(held, facts.now - within) :], [facts.now, facts.name]]

        return builder.remember(f"count {within} {pattern.key}", [], pattern.may, step)

    def compile(self, builder: Builder) -> Measure:
        plain = self.plain(builder)
        return lambda facts: (plain(facts), 1)

    def plain(self, builder: Builder) -> Callable[[Facts], int]:
        slot, within, earlier = self.slot(builder), self.within, self.earlier
        if within is None:
            if earlier:
                return lambda facts: int(facts.earlier(slot))
            return lambda facts: int(facts.memory[slot])

        def number(facts: Facts) -> int:
            held = facts.earlier(slot) if earlier else facts.memory[slot]
            return len(held) - _aged(held, facts.now - within)

        return number

    def held(self, builder: Builder) -> Callable[[Facts], list[str]]:
        """A closure that gives the ids of those in the window."""
        slot, within = self.slot(builder), self.within
        assert within is not None
        return lambda facts: [by for _, by in facts.memory[slot][_aged(facts.memory[slot], facts.now - within) :]]

    def leavings(self, builder: Builder) -> Leavings:
        slot, within = self.slot(builder), self.within
        if within is None:
            return lambda facts: []

        def leavings(facts: Facts) -> list[Leaving]:
            held = facts.memory[slot]
            first = _aged(held, facts.now - within)
            return [(at + within, by, 1) for at, by in held[first : first + LEAVINGS_MAX]]

        return leavings

    def may_rise(self, builder: Builder) -> Holds:
        return lambda facts: False


class Sum(Number):
    """The sum of a field; of money, in one currency: the field's own, or that of the interaction at hand."""

    mean = False

    def __init__(self, field: Field, within: int | None = None) -> None:
        super().__init__()
        self.field, self.within = field, within
        self.is_money = field.is_money

    def tree(self) -> Tree:
        return ["mean" if self.mean else "sum", self.field.tree(), *_span(self.within)]

    def parts(self) -> Sequence[Expression]:
        return (self.field,)

    def words(self) -> str:
        return f"{'mean' if self.mean else 'sum'} of {self.field.event.words()}'s {self.field.words()}{_words(self.within)}"

    def slot(self, builder: Builder) -> int:
        """Where it is remembered: by currency [sum, how many], and within a window a third, [instant, amount, id] ascending."""
        field, within = self.field, self.within
        pattern = field.event.pattern()
        meets, amount = pattern.compile(builder), Field(pattern, field.name).amount()

        def step(held: Any, facts: Facts) -> object:
            said = amount(facts) if meets(facts) else None
            if said is None:
                return held
            assert facts.touch is not None
            currency = facts.currency() if field.is_money else ""
            total, number, *rest = held.get(currency, _NONE)
            after = [money.text(money.add(Decimal(total), said)), number + 1]
            if within is not None:
                kept = rest[0] if rest else []
                gone = _aged(kept, facts.now - within)
                left = _less(Decimal(after[0]), kept[:gone]) if gone else Decimal(after[0])
                after = [money.text(left), after[1] - gone, [*kept[gone:], [facts.now, money.text(said), facts.name]]]
            return {**held, currency: after}

        return builder.remember(f"sum {within} {field.name} {pattern.key}", {}, pattern.may, step)

    def compile(self, builder: Builder) -> Measure:
        read, mean = self._reading(builder), self.mean

        def measure(facts: Facts) -> Ratio | None:
            total, number = read(facts)
            return (total, 1) if not mean else (total, number) if number else None

        return measure

    def plain(self, builder: Builder) -> Callable[[Facts], Exact | None] | None:
        if self.mean:
            return None
        read = self._reading(builder)
        return lambda facts: read(facts)[0]

    def _reading(self, builder: Builder) -> Callable[[Facts], tuple[Decimal, int]]:
        """A closure that gives the sum and how many it is of."""
        slot, within, earlier, fixed = self.slot(builder), self.within, self.field.event.earlier, self._currency()

        def read(facts: Facts) -> tuple[Decimal, int]:
            held = facts.earlier(slot) if earlier else facts.memory[slot]
            total, number, *rest = held.get(facts.currency() if fixed is None else fixed, _NONE)
            if within is None or not rest:
                return Decimal(total), number
            gone = _aged(rest[0], facts.now - within)
            return (_less(Decimal(total), rest[0][:gone]), number - gone) if gone else (Decimal(total), number)

        return read

    def _currency(self) -> str | None:
        """The currency it is read in; None: that of the interaction at hand."""
        return self.field.only_currency if self.is_money else ""

    def leavings(self, builder: Builder) -> Leavings | None:
        if self.mean:
            return None
        slot, within, fixed = self.slot(builder), self.within, self._currency() or ""
        if within is None:
            return lambda facts: []

        def leavings(facts: Facts) -> list[Leaving]:
            held = facts.memory[slot].get(fixed, _EMPTY)[2]
            first = _aged(held, facts.now - within)
            return [(at + within, by, Decimal(amount)) for at, amount, by in held[first : first + LEAVINGS_MAX]]

        return leavings

    def may_rise(self, builder: Builder) -> Holds:
        slot, fixed = self.slot(builder), self._currency() or ""
        if self.within is None:
            return lambda facts: False

        def holds_less_than_nothing(facts: Facts) -> bool:
            return any(entry[1][0] == "-" for entry in facts.memory[slot].get(fixed, _EMPTY)[2])

        return holds_less_than_nothing


_NONE: list[Any] = ["0", 0]
_EMPTY: list[Any] = ["0", 0, []]


class Mean(Sum):
    """The mean of a field; none where there was none."""

    mean = True


class RisesTo(Condition):
    """An interaction by which a count rises to a number; shown by all that the window then holds."""

    occurs = True

    def __init__(self, counted: Count, number: int) -> None:
        super().__init__()
        self.counted, self.number = counted, number

    def tree(self) -> Tree:
        return ["rises_to", self.counted.tree(), self.number]

    def parts(self) -> Sequence[Expression]:
        return (self.counted,)

    def words(self) -> str:
        return f"{self.counted.words()} rises to {self.number}"

    def might(self, name: str) -> Might:
        return self.counted.pattern.might(name)[0], True

    def compile(self, builder: Builder) -> Holds:
        meets, number = self.counted.pattern.compile(builder), self.number
        now, before = self.counted.plain(builder), Count(self.counted.pattern, self.counted.within, earlier=True).plain(builder)
        return lambda facts: meets(facts) and before(facts) < number <= now(facts)

    def firings(self, builder: Builder) -> Callable[[Facts], list[Firing]] | None:
        if self.counted.within is None:
            return None
        ids = self.counted.held(builder)

        def firings(facts: Facts) -> list[Firing]:
            assert facts.touch is not None
            return [Firing((facts.name,), tuple(ids(facts)))]

        return firings


def _aged(held: list[Any], horizon: int) -> int:
    """How many, from the oldest, are not after the horizon."""
    gone = 0
    for entry in held:
        if entry[0] > horizon:
            break
        gone += 1
    return gone


def _less(total: Decimal, gone: list[Any]) -> Decimal:
    for entry in gone:
        total = money.add(total, Decimal(entry[1]).copy_negate())
    return total
