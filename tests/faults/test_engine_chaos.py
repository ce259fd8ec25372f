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
from tests.faults.toyrun import DEADLINE_SECONDS, NO_ROW, ToyRun

WORKERS = ("a", "b", "c")
KILLED, ENDED = -signal.SIGKILL, {0, -signal.SIGTERM, -signal.SIGINT}
"""Who does not run yet does not listen, and dies of a signal that would stop it."""


class Span(NamedTuple):
    """So many signals, each to all workers at once, so many seconds apart."""

    count: int
    signals: Sequence[signal.Signals]
    least_seconds: float
    most_seconds: float


SHORT = (
    Span(5, (signal.SIGTERM, signal.SIGINT), 0.5, 5.0),
    Span(8, (signal.SIGKILL,), 0.1, 1.0),
    Span(2, (signal.SIGTERM,), 3.0, 6.0),
)
LONG = tuple(span._replace(count=6 * span.count) for span in SHORT)


@pytest.mark.parametrize("schedule", [pytest.param(SHORT, marks=pytest.mark.faults), pytest.param(LONG, marks=pytest.mark.soak)])
def test_all_workers_get_signals_at_random_times_and_nothing_is_lost_or_twice(toy: ToyRun, schedule: Sequence[Span]) -> None:
    chance, given = random.Random(5), defaultdict(int)
    running = {name: named(toy, name) for name in WORKERS}
    for name in WORKERS:
        toy.await_health(f"{name}.json", lambda said: said["at"] > 0)

    with load(toy, per_second=500):
        for span in schedule:
            for _ in range(span.count):
                time.sleep(chance.uniform(span.least_seconds, span.most_seconds))
                sent = chance.choice(span.signals)
                given[sent] += 1
                toy.suffers("all", sent.name, lag=False)  # It never ends while the load lasts.
                for process in running.values():
                    process.send_signal(sent)
                for name, process in running.items():
                    assert_ended(toy, process, sent)
                    running[name] = named(toy, name)
    toy.await_done(running.values())

    toy.assert_exact()
    assert given.keys() == {signal.SIGTERM, signal.SIGINT, signal.SIGKILL}
    assert {len(partitions) for partitions in partitions_of_keys(toy).values()} == {1}
    for process in running.values():
        toy.stop(process)


@pytest.mark.faults
def test_who_does_not_listen_yet_dies_of_a_signal_also_where_shells_ignore_it_for_what_they_run_beside_them(toy: ToyRun) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = named(toy, "a")
    finally:
        signal.signal(signal.SIGINT, before)

    process.send_signal(signal.SIGINT)

    assert process.wait(DEADLINE_SECONDS) in ENDED


def assert_ended(toy: ToyRun, process: subprocess.Popen[bytes], sent: signal.Signals) -> None:
    """It ended, in the way that this signal asks for."""
    code = process.wait(DEADLINE_SECONDS)
    assert code == KILLED if sent == signal.SIGKILL else code in ENDED, f"{sent.name}: ended with {code}\n{toy.log(process)}"


def partitions_of_keys(toy: ToyRun) -> dict[bytes, set[int]]:
    """Where in the changelog each row was ever written."""
    found: dict[bytes, set[int]] = defaultdict(set)
    for message in toy.messages(f"{toy.name}-toy-sums-changelog"):
        if not message.key().startswith(NO_ROW):
            found[message.key()].add(message.partition())
    return found
