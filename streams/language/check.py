"""Mistakes in rules, found when they are loaded: where, what, and what may have been meant."""

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import NamedTuple

from streams.language.declare import Declaration
from streams.language.expressions import Place
from streams.language.operators.crossings import Balance


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


def refuse(
    declarations: Sequence[Declaration], balances: Sequence[Balance], modules: Sequence[ModuleType], known_events: Iterable[str]
) -> None:
    """RulesRefused where a declaration holds a mistake."""
