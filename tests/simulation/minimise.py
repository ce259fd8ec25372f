"""From a run that breaks a law to a smaller one that breaks it as well: fewer entries, faults, identifiers, in a smaller world.

The rule this module owns: whatever is left out, the same law is broken; what is tried has a bound. Since leaving something out moves all that comes
after, each attempt is made under several schedules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.simulation.cut import Cut, applied
from tests.simulation.history import Scenario, Seen
from tests.simulation.run import Outcome, run

RUNS_MAX = 1_500
SCHEDULES = 6
T = TypeVar("T")

SMALLER: tuple[tuple[str, Sequence[int | str | float]], ...] = (
    ("partitions", (1, 2, 3)),
    ("workers", (2,)),
    ("batch", (1, 5)),
    ("slow", (0,)),
    ("linked_max", (512,)),
    ("slice_bytes_max", (480 * 1024,)),
    ("checkpoint_every", (64,)),
    ("members_max", (1_000,)),
    ("contested", ("latest",)),
    ("cache_bytes", (0,)),
    ("switch", ("",)),
)
"""Worlds in which less can go wrong, by the setting that makes them so."""


class Minimiser:
    """Owns the smallest cut so far and the runs that are left."""

    def __init__(self, scenario: Scenario, cut: Cut, law: str, runs_max: int = RUNS_MAX, schedules: int = SCHEDULES) -> None:
        self._scenario = scenario
        self._law = law
        self._left = runs_max
        self._schedules = schedules
        self.cut = cut

    def run(self) -> Cut:
        """The smallest cut that was found."""
        entries = tuple(range(len(self._scenario.entries))) if self.cut.entries is None else self.cut.entries
        self._accept(self.cut._replace(faults=()))
        before = None
        while before != self.cut and self._left > 0:
            before = self.cut
            self._halves(self.cut.entries or entries, lambda kept: self.cut._replace(entries=tuple(kept)))
            self._calmer()
            if self.cut.faults is None:
                self.cut = self.cut._replace(faults=self._happened())
            self._halves(self.cut.faults or (), lambda kept: self.cut._replace(faults=tuple(kept)))
            self._plainer()
        return self.cut

    def _accept(self, cut: Cut) -> bool:
        """Whether the law is broken under this cut too, by some schedule; then it is the cut."""
        tried = dict.fromkeys([self.cut.schedule, *range(self._schedules)])
        for schedule in tried:
            if self._left <= 0:
                return False
            self._left -= 1
            candidate = cut._replace(schedule=schedule)
            if self._law in outcome(self._scenario, candidate).broken:
                self.cut = candidate
                return True
        return False

    def _happened(self) -> tuple[int, ...]:
        return outcome(self._scenario, self.cut).faults

    def _halves(self, parts: Sequence[T], cut: Callable[[list[T]], Cut]) -> None:
        """Leave out parts: halves first, then quarters, down to single ones."""
        left = list(parts)
        size = max(1, len(left) // 2)
        while left and self._left > 0:
            place, dropped = 0, False
            while place < len(left):
                without = left[:place] + left[place + size :]
                if self._accept(cut(without)):
                    left, dropped = without, True
                else:
                    place += size
            if size == 1 and not dropped:
                return
            size = max(1, size // 2)

    def _calmer(self) -> None:
        now = applied(self._scenario, self.cut).settings
        for name, values in SMALLER:
            others = {held: value for held, value in self.cut.settings if held != name}
            for value in values:
                if value == getattr(now, name):
                    break
                if self._accept(self.cut._replace(settings=tuple(sorted({**others, name: value}.items())))):
                    break

    def _plainer(self) -> None:
        """Leave out single identifiers of interactions that name several."""
        for place in self.cut.entries or ():
            entry = self._scenario.entries[place]
            for number in range(len(entry.identifiers)) if isinstance(entry, Seen) else ():
                left = len(entry.identifiers) - sum(where == place for where, _ in self.cut.without)
                if left > 1 and (place, number) not in self.cut.without:
                    self._accept(self.cut._replace(without=tuple(sorted((*self.cut.without, (place, number))))))


def outcome(scenario: Scenario, cut: Cut) -> Outcome:
    """What comes of a scenario under a cut."""
    return run(applied(scenario, cut), cut.schedule, cut.faults)


def minimised(scenario: Scenario, law: str, cut: Cut | None = None, runs_max: int = RUNS_MAX) -> Cut:
    """The smallest cut of a scenario, found within so many runs, that breaks a law which this one breaks."""
    return Minimiser(scenario, cut or Cut(), law, runs_max).run()
