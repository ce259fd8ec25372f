"""Accounts that decay, comparisons between two of them, and levels that come to hold.

A balance of value v at t with half-life h is v * 2**(-(now - t) / h). Two of them cross where v1 * 2**(-x / h1) = v2 * 2**(-x / h2), that is at
x = log2(v1 / v2) / (1 / h1 - 1 / h2) after the instant at which they have the values v1, v2: the deadline is known in advance.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from streams.language.compile import Builder, Change, Facts, Firing, Holds, Level, Measure, Remembered
from streams.language.expressions import Condition, Expression, Might, Tree, place, walk
from streams.language.numbers import Number

Worth = Mapping[Condition, int]


class Balance(Number):
    """An account that events fill or draw on and that halves within each half-life; it never goes below zero."""

    def __init__(self, name: str, half_life: int, plus: Worth, minus: Worth | None = None) -> None:
        super().__init__()
        self.name, self.half_life, self.plus, self.minus = name, half_life, plus, minus or {}

    def tree(self) -> Tree:
        return [
            "balance",
            self.name,
            self.half_life,
            [[event.tree(), worth] for event, worth in self.plus.items()],
            [[event.tree(), worth] for event, worth in self.minus.items()],
        ]

    def parts(self) -> Sequence[Expression]:
        return (*self.plus, *self.minus)

    def words(self) -> str:
        return self.name

    def slot(self, builder: Builder) -> int:
        """Where it is remembered: [value, at which instant, by which interaction]."""
        half_life = self.half_life
        entries = [(event, event.compile(builder), worth) for event, worth in self.plus.items()]
        entries += [(event, event.compile(builder), -worth) for event, worth in self.minus.items()]

        @lru_cache(maxsize=256)
        def meant(name: str | None) -> list[tuple[Holds, int]]:
            """What an interaction with this event's name may be worth, and when."""
            return [(meets, worth) for event, meets, worth in entries if event.might(name or "")[0]]

        def step(held: Any, facts: Facts) -> object:
            worth = 0
            for meets, each in meant(facts.event):
                if meets(facts):
                    worth += each
            if not worth:
                return held
            assert facts.touch is not None
            return [max(decayed(held, half_life, facts.now) + worth, 0.0), facts.now, facts.name]

        return builder.remember(self.key, [0.0, 0, ""], lambda name: any(event.might(name)[0] for event, _, _ in entries), step)

    def compile(self, builder: Builder) -> Measure:
        slot, half_life = self.slot(builder), self.half_life
        return lambda facts: (Decimal(f"{decayed(facts.memory[slot], half_life, facts.now):.2f}"), 1)

    def compared(self, sign: str, other: Number | int | Decimal) -> Condition:
        if sign == ">" and isinstance(other, Balance | int):
            return Exceeds(self, other)
        if sign == "<" and isinstance(other, Balance):
            return Exceeds(other, self)
        raise TypeError(f"{place()}: a balance is compared with > or <, with another balance or a whole number")


def decayed(held: Remembered, half_life: int, now: int) -> float:
    """What is left at an instant of a remembered balance."""
    value: float = held[0]
    return value * 2.0 ** ((held[1] - now) / half_life) if value else 0.0


class Exceeds(Condition):
    """A balance above another, or above a number; time alone may bring it about, or end it."""

    def __init__(self, balance: Balance, other: Balance | int) -> None:
        super().__init__()
        self.balance, self.other = balance, other

    def tree(self) -> Tree:
        return ["exceeds", self.balance.tree(), self.other.tree() if isinstance(self.other, Balance) else self.other]

    def parts(self) -> Sequence[Expression]:
        return (self.balance, self.other) if isinstance(self.other, Balance) else (self.balance,)

    def words(self) -> str:
        return f"{self.balance.words()} exceeds {self.other.words() if isinstance(self.other, Balance) else self.other}"

    def _sides(self, builder: Builder) -> tuple[Callable[[Facts], float], Callable[[Facts], float]]:
        slot, half_life, other = self.balance.slot(builder), self.balance.half_life, self.other
        if not isinstance(other, Balance):
            return (lambda facts: decayed(facts.memory[slot], half_life, facts.now)), (lambda facts: float(other))
        other_slot, other_half_life = other.slot(builder), other.half_life
        return (
            lambda facts: decayed(facts.memory[slot], half_life, facts.now),
            lambda facts: decayed(facts.memory[other_slot], other_half_life, facts.now),
        )

    def compile(self, builder: Builder) -> Holds:
        left, right = self._sides(builder)
        return lambda facts: left(facts) > right(facts)

    def level(self, builder: Builder) -> Level:
        left, right = self._sides(builder)
        rate = 1 / self.balance.half_life - (1 / self.other.half_life if isinstance(self.other, Balance) else 0.0)
        if not rate:
            return super().level(builder)
        slots = [self.balance.slot(builder), *([self.other.slot(builder)] if isinstance(self.other, Balance) else [])]

        def next_crossing(facts: Facts, one: float, other: float) -> Change | None:
            if one <= 0 or other <= 0:
                return None
            ahead = math.log2(one / other) / rate
            if ahead < 0 or ahead > FAR:
                return None
            crossing, now, present = facts.now + math.ceil(ahead), facts.now, one > other
            by = max((facts.memory[slot][1], facts.memory[slot][2]) for slot in slots)[1]
            try:  # The formula may fall short of what the comparison sees by a rounding: the first instant that turns it is near.
                for facts.now in range(max(crossing, now + 1), crossing + NEAR):
                    if (left(facts) > right(facts)) != present:
                        return facts.now, by
            finally:
                facts.now = now
            return (crossing + NEAR, by) if ahead else None

        def level(facts: Facts) -> tuple[bool, Change | None]:
            one, other = left(facts), right(facts)
            return one > other, next_crossing(facts, one, other)

        return level


FAR = 10 * 365 * 86_400_000_000
"""A crossing further ahead than ten years is none."""
NEAR = 64
"""Microseconds within which rounding settles."""


class Rises(Condition):
    """The instant at which a level comes to hold: by an interaction or by time alone."""

    occurs = True

    def __init__(self, risen: Condition) -> None:
        super().__init__()
        self.risen = risen

    def tree(self) -> Tree:
        return ["rises", self.risen.tree()]

    def parts(self) -> Sequence[Expression]:
        return (self.risen,)

    def words(self) -> str:
        return f"{self.risen.words()}, and did not before"

    def might(self, name: str) -> Might:
        return any(part.may(name) for part in walk(self.risen) if isinstance(part, Condition) and part.occurs), True

    def firings(self, builder: Builder) -> Callable[[Facts], list[Firing]] | None:
        return None

    def compile(self, builder: Builder) -> Holds:
        outer, builder.used = builder.used, set()
        measure = self.risen.level(builder)
        moved_by = [builder.slots[slot].might for slot in builder.used]
        builder.used |= outer

        def step(held: Any, facts: Facts) -> object:
            holds, change = measure(facts)
            facts.due[deadline] = None if change is None else change[0]
            return [holds, "" if change is None else change[1]]

        deadline = builder.await_(self.key, lambda facts: str(facts.earlier(slot)[1]))
        slot = builder.remember(self.key, [False, ""], lambda name: any(might(name) for might in moved_by), step, at_deadline=deadline)
        return lambda facts: slot in facts.before and facts.memory[slot][0] and not facts.before[slot][0]
