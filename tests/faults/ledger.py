"""What was done to the engine and what came of it: every fault that a test makes is a row here, every comparison with the answer an entry.

The rule: a fault counts only where there was work left, and only once the answer was compared; a fault that is no row cannot be made.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

ENVIRONMENT = "KAIROS_LEDGER"
"""The file that entries are added to, a line of JSON each; none are kept without it."""

FAULTS = {
    "fail point": "kill -9 at a fail point",
    "moment": "kill -9 at a random moment",
    "one of several": "kill -9 of one of several workers",
    "active": "kill -9 of a worker whose rows another has warm",
    "all": "all of three workers killed, or told to stop, at once",
    "fail point, at least once": "kill -9 at a fail point, without transactions",
    "producer": "a producer fails",
    "producer, at least once": "a producer fails, without transactions",
    "zombie": "SIGSTOP of a worker for longer than its session",
    "zombie, at least once": "the same, without transactions",
    "broker killed": "kill -9 of the broker, and a start",
    "broker restarted": "the broker is stopped and started",
    "broker hangs": "SIGSTOP of the broker for 1 to 30 s",
    "broker down": "no broker for 25 s or 5 min",
    "no broker named": "Kafka answers, but names no broker",
    "leader": "the leader in a cluster of three dies",
    "slow": "the network delays everything by 0.1 s or more",
    "cut": "connections are cut",
    "half-open": "connections hang and nobody is told",
    "cut off": "a worker is cut off for longer than its session, and comes back",
    "disk full": "the disk is full",
    "read-only": "the state directory is read-only",
    "deleted": "the state directory is deleted",
    "database": "a database is broken",
    "directory shared": "two workers on one state directory",
    "poison": "a poison record",
    "too large": "a record, an output or a row over the limits",
    "clock": "the clock jumps by a day",
    "rebalance": "a worker with a static name joins or leaves",
    "rolling restart": "a worker of three is restarted",
    "open transaction": "a worker dies and leaves a transaction open",
    "hang": "a batch that never ends, a partition that begins anew for ever",
    "SIGTERM": "SIGTERM at work",
    "SIGTERM, broker": "SIGTERM while the broker hangs or is gone",
    "SIGTERM, network": "SIGTERM while the network is slow, cut, half-open",
    "SIGTERM, restoring": "SIGTERM while rows are restored",
    "SIGTERM, zombie": "SIGTERM to a worker that hung, as it wakes up",
    "SIGTERM, leader": "SIGTERM while the leader of a cluster is gone",
    "SIGTERM, failing": "SIGTERM while every transaction fails",
}
"""What may be made, and how a reader would say it; in the order in which the table has them."""

Sums = Mapping[bytes, tuple[int, int]]


class Entry(msgspec.Struct, frozen=True):
    """One fault of one test: how often it was made, and what a reader of committed records found afterwards."""

    test: str
    fault: str
    detail: str
    """The fail point, where it was one."""
    times: int
    lost: int
    """Numbers that no state has, and outputs that never came."""
    twice: int
    """Numbers that a state has once more, and outputs that came again (not those that may: at least once)."""
    pause_seconds: float | None
    """From the fault on, while there was work, the longest time without an output; None if nothing was said any more."""
    figures: dict[str, float]
    """What else was measured, by its name; the greatest is told."""


class Made(NamedTuple):
    """A fault, by its row, and when."""

    fault: str
    detail: str
    at: float


def lost_and_twice(found: tuple[Sums, Counter[bytes]], expected: tuple[Sums, Counter[bytes]], outputs_once: bool = True) -> tuple[int, int]:
    """How many numbers and outputs are missing, and how many are too many; without `outputs_once` what comes again is none too many."""
    lost, twice = (expected[1] - found[1]).total(), (found[1] - expected[1]).total()
    if not outputs_once:
        twice = sum((found[1] - expected[1])[output] for output in found[1] if output not in expected[1])
    for key in expected[0].keys() | found[0].keys():
        more = found[0].get(key, (0, 0))[0] - expected[0].get(key, (0, 0))[0]
        lost, twice = lost + max(0, -more), twice + max(0, more)
    return lost, twice


def pause(made: Sequence[Made], idle_from: Sequence[float], outputs_at: Sequence[float]) -> float | None:
    """The longest time without an output from a fault until there was nothing left to do (`idle_from`), of all these faults."""
    found = []
    for fault in made:
        end = min((at for at in idle_from if at > fault.at), default=float("inf"))
        said = [at for at in outputs_at if fault.at < at <= end]
        found += [later - earlier for earlier, later in pairwise([fault.at, *sorted(said)])]
    return max(found, default=None)


def keep(
    made: Sequence[Made],
    lost: int,
    twice: int,
    idle_from: Sequence[float],
    outputs_at: Sequence[float],
    figures: Mapping[str, Mapping[str, float]],
) -> None:
    """Add an entry for each kind of fault that was made; `figures` by fault."""
    path = os.environ.get(ENVIRONMENT)
    if not path:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
    with Path(path).open("ab") as file:
        for (fault, detail), times in Counter((each.fault, each.detail) for each in made).items():
            of_it = [each for each in made if (each.fault, each.detail) == (fault, detail)]
            entry = Entry(test, fault, detail, times, lost, twice, pause(of_it, idle_from, outputs_at), dict(figures.get(fault, {})))
            file.write(msgspec.json.encode(entry) + b"\n")
