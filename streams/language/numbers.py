"""Numbers in a rule, and what they are compared with. The rule this module owns: exact, never a float, and no division before it must be."""

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from schemas import money
from streams.language.compile import LEAVINGS_MAX, Builder, Change, Exact, Facts, Holds, Leavings, Level, Measure, Ratio
from streams.language.expressions import Condition, Expression, Tree


class Number(Expression):
    """A number as of the interaction or the deadline at hand; exact."""

    is_money = False

    def compile(self, builder: Builder) -> Measure:
        """A closure that gives the number, or None where there is none."""
        raise NotImplementedError

    def own_currency(self) -> str | None:
        """The one currency that it is in; None: that of the interaction at hand."""
        return next((own for part in self.parts() if isinstance(part, Number) and (own := part.own_currency()) is not None), None)

    def plain(self, builder: Builder) -> Callable[[Facts], Exact | None] | None:
        """The same without a denominator, where it never has one."""
        return None

    def leavings(self, builder: Builder) -> Leavings | None:
        """What leaves its windows next, and by how much it falls with that; None where that cannot be told."""
        return None

    def may_rise(self, builder: Builder) -> Holds:
        """Whether anything that leaves its windows makes it rise."""
        return lambda facts: True

    def __ge__(self, other: "Number | int | Decimal") -> Condition:
        return self.compared(">=", other)

    def __gt__(self, other: "Number | int | Decimal") -> Condition:
        return self.compared(">", other)

    def __le__(self, other: "Number | int | Decimal") -> Condition:
        return self.compared("<=", other)

    def __lt__(self, other: "Number | int | Decimal") -> Condition:
        return self.compared("<", other)

    def equals(self, other: "Number | int | Decimal") -> Condition:
        """Whether both are the same number (`==` is left to Python)."""
        return self.compared("==", other)

    def compared(self, sign: str, other: "Number | int | Decimal") -> Condition:
        """The comparison; numbers with a meaning of their own may have another."""
        return Compare(sign, self, lift(other))

    def __radd__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("+", lift(other), self)

    def __add__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("+", self, lift(other))

    def __sub__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("-", self, lift(other))

    def __mul__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("*", self, lift(other))

    def __rmul__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("*", lift(other), self)

    def __truediv__(self, other: "Number | int | Decimal") -> "Number":
        return Arithmetic("/", self, lift(other))


def lift(value: "Number | int | Decimal | float") -> Number:
    """A number as part of a tree; a float is taken in, for check.py to refuse with its line."""
    return value if isinstance(value, Number) else Constant(value)


class Constant(Number):
    """A number that the author wrote."""

    def __init__(self, value: "int | Decimal | float") -> None:
        super().__init__()
        self.value = value
        self.exact = Decimal(str(value))

    def tree(self) -> Tree:
        return ["number", money.text(self.exact)]

    def words(self) -> str:
        return f"{self.exact:,f}"

    def compile(self, builder: Builder) -> Measure:
        ratio = (self.exact, 1)
        return lambda facts: ratio

    def plain(self, builder: Builder) -> Callable[[Facts], Exact | None]:
        exact: Exact = int(self.exact) if self.exact == int(self.exact) else self.exact
        return lambda facts: exact

    def leavings(self, builder: Builder) -> Leavings:
        return lambda facts: []

    def may_rise(self, builder: Builder) -> Holds:
        return lambda facts: False


class Compare(Condition):
    """One number against another; false where either is none."""

    OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
        ">=": operator.ge,
        ">": operator.gt,
        "<=": operator.le,
        "<": operator.lt,
        "==": operator.eq,
    }

    def __init__(self, sign: str, left: Number, right: Number) -> None:
        super().__init__()
        self.sign, self.left, self.right = sign, left, right

    def tree(self) -> Tree:
        return [self.sign, self.left.tree(), self.right.tree()]

    def parts(self) -> Sequence[Expression]:
        return (self.left, self.right)

    def words(self) -> str:
        return f"{self.left.words()} {self.sign} {self.right.words()}"

    def compile(self, builder: Builder) -> Holds:
        compare, one, other = self.OPERATORS[self.sign], self.left.plain(builder), self.right.plain(builder)
        if one is None or other is None:
            return _compared(compare, self.left.compile(builder), self.right.compile(builder))

        def holds(facts: Facts) -> bool:
            left, right = one(facts), other(facts)
            return left is not None and right is not None and compare(left, right)

        return holds

    def level(self, builder: Builder) -> Level:
        left, right = self.left.plain(builder), self.right.plain(builder)
        leaving, fixed = self.left.leavings(builder), self.right.leavings(builder)
        if left is None or right is None or leaving is None or fixed is None or not isinstance(self.right, Constant):
            return super().level(builder)
        compare, may_rise = self.OPERATORS[self.sign], self.left.may_rise(builder) if self.sign in (">=", ">") else None

        def level(facts: Facts) -> tuple[bool, Change | None]:
            number, limit = left(facts), right(facts)
            if number is None or limit is None:
                return False, None
            present = compare(number, limit)
            if may_rise is not None and not present and not may_rise(facts):
                return present, None
            found = leaving(facts)
            for place, (instant, by, fall) in enumerate(found):
                number = money.add(number, _minus(fall))
                if place + 1 < len(found) and found[place + 1][0] == instant:
                    continue
                if compare(number, limit) != present:
                    return present, (instant, by)
            return present, found[-1][:2] if len(found) >= LEAVINGS_MAX else None

        return level


def _compared(compare: Callable[[Any, Any], bool], left: Measure, right: Measure) -> Holds:
    def holds(facts: Facts) -> bool:
        one, other = left(facts), right(facts)
        if one is None or other is None:
            return False
        return compare(_times(one[0], other[1]), _times(other[0], one[1]))

    return holds


class Arithmetic(Number):
    """A sum, difference, product or quotient; a quotient by zero is none."""

    def __init__(self, sign: str, left: Number, right: Number) -> None:
        super().__init__()
        self.sign, self.left, self.right = sign, left, right
        self.is_money = (left.is_money or right.is_money) if sign != "/" else left.is_money and not right.is_money

    def tree(self) -> Tree:
        return [self.sign, self.left.tree(), self.right.tree()]

    def parts(self) -> Sequence[Expression]:
        return (self.left, self.right)

    def words(self) -> str:
        return f"{self.left.words()} {self.sign} {self.right.words()}"

    def compile(self, builder: Builder) -> Measure:
        left, right, join = self.left.compile(builder), self.right.compile(builder), _ARITHMETIC[self.sign]

        def measure(facts: Facts) -> Ratio | None:
            one, other = left(facts), right(facts)
            return None if one is None or other is None else join(one, other)

        return measure

    def plain(self, builder: Builder) -> Callable[[Facts], Exact | None] | None:
        left, right = self.left.plain(builder), self.right.plain(builder)
        if left is None or right is None or self.sign == "/":
            return None
        join = _PLAIN[self.sign]

        def plain(facts: Facts) -> Exact | None:
            one, other = left(facts), right(facts)
            return None if one is None or other is None else join(one, other)

        return plain

    def leavings(self, builder: Builder) -> Leavings | None:
        left, right = self.left.leavings(builder), self.right.leavings(builder)
        if left is None or right is None or self.sign not in ("+", "-"):
            return None
        if self.sign == "+":
            return lambda facts: sorted(left(facts) + right(facts))[:LEAVINGS_MAX]
        return lambda facts: sorted(left(facts) + [(instant, by, _minus(fall)) for instant, by, fall in right(facts)])[:LEAVINGS_MAX]

    def may_rise(self, builder: Builder) -> Holds:
        if self.sign != "+":
            return super().may_rise(builder)
        left, right = self.left.may_rise(builder), self.right.may_rise(builder)
        return lambda facts: left(facts) or right(facts)


def _times(one: Exact, other: Exact) -> Exact:
    return one if other == 1 else other if one == 1 else money.multiply(one, other)


def _minus(one: Exact) -> Exact:
    return -one if isinstance(one, int) else one.copy_negate()  # A minus sign before a decimal would round it.


def _plus(one: Ratio, other: Ratio) -> Ratio:
    if one[1] == other[1]:
        return money.add(one[0], other[0]), one[1]
    return money.add(_times(one[0], other[1]), _times(other[0], one[1])), _times(one[1], other[1])


def _over(one: Ratio, other: Ratio) -> Ratio | None:
    above, below = _times(one[0], other[1]), _times(other[0], one[1])
    if not below:
        return None
    return (above, below) if below > 0 else (_minus(above), _minus(below))


_ARITHMETIC: dict[str, Callable[[Ratio, Ratio], Ratio | None]] = {
    "+": _plus,
    "-": lambda one, other: _plus(one, (_minus(other[0]), other[1])),
    "*": lambda one, other: (_times(one[0], other[0]), _times(one[1], other[1])),
    "/": _over,
}
_PLAIN: dict[str, Callable[[Exact, Exact], Exact]] = {
    "+": lambda one, other: money.add(one, other),
    "-": lambda one, other: money.add(one, _minus(other)),
    "*": _times,
}
