"""Killed again and again where there is lag, at every fail point and at moments that nobody chose: nothing is lost, nothing applied or sent twice."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable

import pytest

from streams.engine import FAIL_POINTS
from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

SEED = int(os.environ.get("KAIROS_SEED", "1"))
ONCE = ("after_fence", "after_restore", "after_position", "during_restore")
"""Reached once a partition and start; the others once a batch."""


@pytest.mark.parametrize(
    ("kills", "run"),
    [pytest.param(10, 0, marks=pytest.mark.faults), *(pytest.param(25, run, marks=pytest.mark.soak) for run in (1, 2, 3, 4))],
)
def test_killed_at_random_moments(toy: ToyRun, kills: int, run: int, record_property: Callable[[str, object], None]) -> None:
    chance = random.Random(f"{SEED}/{run}")
    counted, began_anew = 0, 0

    for number in range(2 * kills):
        if counted == kills:
            break
        toy.feed(6000, keys=2000, seed=number)
        if chance.random() < 0.2 and toy.state_dir.exists():
            shutil.rmtree(toy.state_dir)
            began_anew += 1
        counts = f"counts{number}.json"
        process = toy.worker(slow_seconds=0.02, counts=str(toy.directory / counts))
        if chance.random() < 0.7:  # The others die while they start.
            await_counts_or_none(toy, counts)
        time.sleep(chance.uniform(0.0, 1.5))
        if toy.lag() > 0:
            toy.suffers("moment")
            counted += 1
        process.kill()
        process.wait()
    toy.feed(100, seed=kills)
    toy.run_until_done()

    record_property("kills", counted)
    print(f"seed {SEED}/{run}: killed {counted} times where there was lag, {began_anew} times without its state")
    assert counted == kills
    toy.assert_exact()


@pytest.mark.soak
@pytest.mark.parametrize("name", FAIL_POINTS)
def test_killed_ten_times_at_one_fail_point(toy: ToyRun, name: str) -> None:
    chance = random.Random(f"{SEED}{name}")
    toy.feed(4000, keys=1000)
    toy.run_until_done()

    for number in range(10):
        toy.feed(6000, keys=1000, seed=number + 2)
        if name == "during_restore" or number % 3 == 2:
            shutil.rmtree(toy.state_dir)
        toy.run_until_killed(f"{name}:{chance.randint(1, 3) if name in ONCE else chance.randint(1, 25)}:kill")
    toy.run_until_done()

    toy.assert_exact()


def await_counts_or_none(toy: ToyRun, name: str) -> None:
    """It has committed something, or there was nothing to be done."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while not toy.counts(name) and toy.lag() > 0:
        assert time.monotonic() < give_up, toy.log(toy.workers[-1])
        time.sleep(0.05)
