"""Numbers in a rule, and what they are compared with. The rule this module owns: exact, never a float, and no division before it must be."""

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from schemas import money
from streams.language.compile import Ageing, Builder, Changes, Facts, Holds, Measure, Ratio, turning
from streams.language.expressions import Condition, Expression, Tree, never


class Number(Expression):
    """A number as of the interaction or the deadline at hand; exact."""

    is_money = False

    def compile(self, builder: Builder) -> Measure:
        """A closure that gives the number, or None where there is none."""
        raise NotImplementedError

    def own_currency(self) -> str | None:
        """The one currency that it is in; None: that of the interaction at hand."""
        return next((own for part in self.parts() if isinstance(part, Number) and (own := part.own_currency()) is not None), None)

    def ageings(self, builder: Builder) -> list[Ageing]:
        """When what its windows hold will leave them."""
        return [ageing for part in self.parts() if isinstance(part, Number) for ageing in part.ageings(builder)]

    def may_grow(self, builder: Builder) -> Holds | None:
        """Whether something that leaves a window may make it greater; None: it may be anything."""
        return None

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

    def may_grow(self, builder: Builder) -> Holds:
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
        left, right, compare = self.left.compile(builder), self.right.compile(builder), self.OPERATORS[self.sign]

        def holds(facts: Facts) -> bool:
            one, other = left(facts), right(facts)
            if one is None or other is None:
                return False
            if one[1] == 1 and other[1] == 1:
                return compare(one[0], other[0])
            return compare(money.multiply(one[0], Decimal(other[1])), money.multiply(other[0], Decimal(one[1])))

        return holds

    def changes(self, builder: Builder) -> Changes:
        ageings = self.left.ageings(builder) + self.right.ageings(builder)
        if not ageings:
            return never
        holds = self.compile(builder)
        turn = turning(holds, ageings)
        grows, fixed = self.left.may_grow(builder), isinstance(self.right, Constant)
        if grows is None or not fixed or self.sign not in (">=", ">"):
            return turn
        return lambda facts: turn(facts) if holds(facts) or grows(facts) else None


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

    def may_grow(self, builder: Builder) -> Holds | None:
        left, right = self.left.may_grow(builder), self.right.may_grow(builder)
        if self.sign != "+" or left is None or right is None:
            return None
        return lambda facts: left(facts) or right(facts)


def _times(one: Decimal, other: "Decimal | int") -> Decimal:
    return one if other == 1 else money.multiply(one, Decimal(other))


def _plus(one: Ratio, other: Ratio) -> Ratio:
    if one[1] == other[1]:
        return money.add(one[0], other[0]), one[1]
    return money.add(_times(one[0], other[1]), _times(other[0], one[1])), _times(Decimal(one[1]), other[1])


def _over(one: Ratio, other: Ratio) -> Ratio | None:
    above, below = _times(one[0], other[1]), _times(other[0], one[1])
    if not below:
        return None
    return (above, below) if below > 0 else (money.multiply(above, Decimal(-1)), money.multiply(below, Decimal(-1)))


_ARITHMETIC: dict[str, Callable[[Ratio, Ratio], Ratio | None]] = {
    "+": _plus,
    "-": lambda one, other: _plus(one, (money.multiply(other[0], Decimal(-1)), other[1])),
    "*": lambda one, other: (money.multiply(one[0], other[0]), 1 if one[1] == other[1] == 1 else _times(Decimal(one[1]), other[1])),
    "/": _over,
}
