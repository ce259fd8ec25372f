"""What the stress and consistency tests of Faust ask of it, asked of the engine: all workers get signals at random times, and the answer is exact.

Faust's schedule (`tests/stress/killer.py` of faust-streaming 0.15.3) is a hundred SIGTERM or SIGINT 1 to 30 s apart, fifty SIGTERM 5 to 100 s
apart, then thirty SIGKILL 0.1 to 1 s apart, for ever. Here it is shorter; a supervisor starts again at once whoever ended. Its consistency test
compares a table made of the source with one made of the changelog and wants every key in one partition only.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.faults.test_engine_rebalance import load, named
from tests.faults.toyrun import NO_ROW, ToyRun

pytestmark = pytest.mark.soak
WORKERS = ("a", "b", "c")
KILLED, ENDED = -signal.SIGKILL, {0, -signal.SIGTERM, -signal.SIGINT}
"""Who does not run yet does not listen, and dies of a signal that would stop it."""


class Span(NamedTuple):
    """So many signals, each to all workers at once, so many seconds apart."""

    count: int
    signals: Sequence[signal.Signals]
    least_seconds: float
    most_seconds: float


SCHEDULE = (
    Span(6, (signal.SIGTERM, signal.SIGINT), 0.5, 5.0),
    Span(15, (signal.SIGKILL,), 0.1, 1.0),
    Span(3, (signal.SIGTERM,), 3.0, 6.0),
)


def test_all_workers_get_signals_at_random_times_and_nothing_is_lost_or_twice(toy: ToyRun) -> None:
    chance, given = random.Random(5), defaultdict(int)
    running = {name: named(toy, name) for name in WORKERS}
    for name in WORKERS:
        toy.await_health(f"{name}.json", lambda said: said["at"] > 0)

    with load(toy, per_second=500):
        for span in SCHEDULE:
            for _ in range(span.count):
                time.sleep(chance.uniform(span.least_seconds, span.most_seconds))
                sent = chance.choice(span.signals)
                given[sent] += 1
                for process in running.values():
                    process.send_signal(sent)
                for name, process in running.items():
                    assert_ended(toy, process, sent)
                    running[name] = named(toy, name)
    toy.await_done(running.values(), seconds=120)

    assert toy.answer() == toy.expected()
    assert given.keys() == {signal.SIGTERM, signal.SIGINT, signal.SIGKILL}
    assert {len(partitions) for partitions in partitions_of_keys(toy).values()} == {1}
    for process in running.values():
        toy.stop(process)


def assert_ended(toy: ToyRun, process: subprocess.Popen[bytes], sent: signal.Signals) -> None:
    """It ended, in the way that this signal asks for."""
    code = process.wait(60)
    assert code == KILLED if sent == signal.SIGKILL else code in ENDED, f"{sent.name}: ended with {code}\n{toy.log(process)}"


def partitions_of_keys(toy: ToyRun) -> dict[bytes, set[int]]:
    """Where in the changelog each row was ever written."""
    found: dict[bytes, set[int]] = defaultdict(set)
    for message in toy.messages(f"{toy.name}-toy-sums-changelog"):
        if not message.key().startswith(NO_ROW):
            found[message.key()].add(message.partition())
    return found
