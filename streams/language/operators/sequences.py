"""One event after another. "After" is by the order of the timeline: at one instant by id; within d is left-open, as windows are."""

from collections.abc import Callable, Sequence
from typing import Any

from streams.language.compile import Builder, Facts, Firing, Holds
from streams.language.expressions import Condition, Expression, Might, Tree


class After(Condition):
    """An event within a time after another. With `each`: once for each of those before it, by whose id it is known; else by the newest of them."""

    occurs = True

    def __init__(self, event: Condition, first: Condition, within: int, each: bool) -> None:
        super().__init__()
        self.event, self.first, self.within, self.each = event, first, within, each

    def tree(self) -> Tree:
        return ["after_each" if self.each else "after", self.event.tree(), self.first.tree(), self.within]

    def parts(self) -> Sequence[Expression]:
        return (self.event, self.first)

    def words(self) -> str:
        return f"{self.event.words()} within {self.within // 3_600_000_000} hours after {'each ' if self.each else ''}{self.first.words()}"

    def might(self, name: str) -> Might:
        return self.event.might(name)[0], True

    def _slot(self, builder: Builder) -> int:
        """Where those before are remembered: [instant, id] ascending; with `each` those that it has not followed yet, else the newest."""
        follows, comes_first, within, each = self.event.compile(builder), self.first.compile(builder), self.within, self.each

        def step(held: Any, facts: Facts) -> object:
            if each and held and follows(facts):
                held = []
            if comes_first(facts):
                assert facts.touch is not None
                return [*([entry for entry in held if entry[0] > facts.now - within] if each else []), [facts.now, facts.name]]
            return held

        return builder.remember(self.key, [], lambda name: self.event.might(name)[0] or self.first.might(name)[0], step)

    def compile(self, builder: Builder) -> Holds:
        slot, follows, within = self._slot(builder), self.event.compile(builder), self.within
        return lambda facts: follows(facts) and any(entry[0] > facts.now - within for entry in facts.earlier(slot))

    def firings(self, builder: Builder) -> Callable[[Facts], list[Firing]]:
        slot, within, each = self._slot(builder), self.within, self.each

        def firings(facts: Facts) -> list[Firing]:
            assert facts.touch is not None
            present = facts.name
            before = [entry[1] for entry in facts.earlier(slot) if entry[0] > facts.now - within]
            return [Firing((first,) if each else (present,), (first, present)) for first in before]

        return firings
