"""What goes wrong, and when: at most one fault for each batch, drawn from the seed and the batch's number alone.

The rule this module owns: a fault is no part of the schedule, so any of them can be left out and all others stay what they are.
"""

from collections.abc import Collection
from random import Random
from typing import Literal, NamedTuple

Kind = Literal["crash", "unanswered", "zombie", "rebalance"]
"""crash: the worker dies with all its partitions. unanswered: the broker did it, or a part of it, and its answer is lost. zombie: the worker stops, its
partition goes to another, then it wakes and goes on. rebalance: the partition goes to another between two batches."""

KINDS: tuple[Kind, ...] = ("crash", "unanswered", "zombie", "rebalance")
WEIGHTS = (5, 2, 2, 1)
STEPS_MAX = 6
"""So many durability steps has the end of a batch at most."""


class Fault(NamedTuple):
    """`step`: the durability step in which it happens (-1: before the first), of which the broker does a `share`. `lost`: the local store is gone.
    `sleep`: how many things happen before a zombie wakes. `interrupted`: the recovery after it is cut short once, and begins again. `draw`: what else
    it leaves to chance, as a seed."""

    kind: Kind
    step: int
    share: float
    lost: bool
    sleep: int
    interrupted: bool
    draw: str


class Faults:
    """The faults of a run; `kept`: the numbers of the batches at which they may happen (None: at all)."""

    def __init__(self, seed: int, rate: float, kept: Collection[int] | None = None) -> None:
        self._seed = seed
        self._rate = rate
        self._kept = kept
        self.happened: list[int] = []
        """The numbers of the batches at which one did."""

    def at(self, batch: int) -> Fault | None:
        """The fault at a batch, if there is one."""
        if not self._rate or (self._kept is not None and batch not in self._kept):
            return None
        chance = Random(f"fault {self._seed} {batch}")
        if chance.random() >= self._rate:
            return None
        self.happened.append(batch)
        return Fault(
            kind=chance.choices(KINDS, WEIGHTS)[0],
            step=chance.randrange(-1, STEPS_MAX),
            share=chance.choice([0.0, 0.5, 1.0, 1.0]),
            lost=chance.random() < 0.3,
            sleep=chance.randint(1, 40),
            interrupted=chance.random() < 0.2,
            draw=f"draw {self._seed} {batch}",
        )
