"""Why a rule holds, or why not: each part in words, whether it holds, and the numbers that decide.

The rule this module owns: it explains by asking the very closures that judge, over the same facts.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from schemas import money
from streams.language.compile import Builder, Facts
from streams.language.expressions import And, Condition, Or
from streams.language.numbers import Compare


class Why(NamedTuple):
    """A condition in words, whether it holds, the numbers it compares, and its parts."""

    words: str
    holds: bool
    values: tuple[str | None, ...] = ()
    parts: tuple["Why", ...] = ()

    def lines(self, indent: str = "") -> list[str]:
        """The explanation as text, a line each part."""
        numbers = " against ".join("none" if value is None else value for value in self.values)
        own = f"{indent}{'yes' if self.holds else 'no '}  {self.words}" + (f" ({numbers})" if numbers else "")
        return [own, *(line for part in self.parts for line in part.lines(indent + "  "))]


Explain = Callable[[Facts], Why]


def explained(condition: Condition, builder: Builder) -> Explain:
    """Compile an explanation of a condition; with the builder that compiled the rules, it reads the same memory."""
    holds, words = condition.compile(builder), condition.words()
    if isinstance(condition, And | Or):
        parts = [explained(part, builder) for part in condition.conditions]
        joined = "all of" if isinstance(condition, And) else "any of"
        return lambda facts: Why(joined, holds(facts), (), tuple(part(facts) for part in parts))
    if isinstance(condition, Compare):
        sides = condition.left.compile(builder), condition.right.compile(builder)
        return lambda facts: Why(words, holds(facts), tuple(_number(side(facts)) for side in sides))
    return lambda facts: Why(words, holds(facts))


def _number(ratio: "tuple[Decimal | int, Decimal | int] | None") -> str | None:
    if ratio is None:
        return None
    return money.text(Decimal(ratio[0]) if ratio[1] == 1 else round(Decimal(ratio[0]) / Decimal(ratio[1]), 6))
