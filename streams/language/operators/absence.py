"""What does not happen: a silence since the last such event, and an event that another does not follow.

Both are a deadline that an interaction sets. At the very instant of the deadline interactions come first: one at that instant still breaks the silence.
"""

from collections.abc import Sequence
from typing import Any

from streams.instants import span
from streams.language.compile import Builder, Facts, Holds
from streams.language.expressions import Condition, Expression, Might, Tree


class Silence(Condition):
    """The instant at which the last such event is this long ago; where `unless` is given, one of those in between calls it off."""

    occurs = True

    def __init__(self, event: Condition, duration: int, unless: Condition | None = None) -> None:
        super().__init__()
        self.event, self.duration, self.unless = event, duration, unless

    def tree(self) -> Tree:
        return ["silence", self.event.tree(), self.duration, *([] if self.unless is None else [self.unless.tree()])]

    def parts(self) -> Sequence[Expression]:
        return (self.event,) if self.unless is None else (self.event, self.unless)

    def words(self) -> str:
        return f"{span(self.duration)} since the last {self.event.words()}" + (
            "" if self.unless is None else f" and no {self.unless.words()} since"
        )

    def might(self, name: str) -> Might:
        return False, True

    def firings(self, builder: Builder) -> None:
        return None

    def compile(self, builder: Builder) -> Holds:
        event, unless, duration = self.event, self.unless, self.duration
        meets = event.compile(builder)
        breaks = None if unless is None else unless.compile(builder)

        def might(name: str) -> bool:
            return event.might(name)[0] or (unless is not None and unless.might(name)[0])

        def step(held: Any, facts: Facts) -> object:
            if meets(facts):
                assert facts.touch is not None
                facts.due[deadline] = facts.now + duration
                return facts.name
            if breaks is not None and breaks(facts):
                facts.due[deadline] = None
            return held

        slot = builder.remember(self.key, "", might, step)
        deadline = builder.await_(self.key, lambda facts: str(facts.memory[slot]))
        return lambda facts: facts.fired == deadline
