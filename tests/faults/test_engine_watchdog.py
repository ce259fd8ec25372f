"""A partition that stands still although there is work and a broker is not alive for long, and the process says which it was and ends."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

STUCK_SECONDS = 8
"""A partition has to come to its work within this, and who looks to hear of it within half of it, on a busy machine too."""


def watched(toy: ToyRun, failpoint: str = "", **options: float) -> subprocess.Popen[bytes]:
    return toy.worker(failpoint, **{"stuck_seconds": STUCK_SECONDS, **options}, health=str(toy.directory / "health.json"))


def ends_and_names(toy: ToyRun, process: subprocess.Popen[bytes], topic: str) -> None:
    """First it is not alive, then it ends, and says where it stood."""
    toy.suffers("hang")
    toy.await_health("health.json", lambda said: said["alive"] is False)
    assert process.poll() is None
    toy.feed(200, seed=9, to="keyed")

    assert process.wait(DEADLINE_SECONDS) == 1
    assert re.search(rf"stuck: {toy.name}-{topic}\[\d\] \(\w+, position \d+\) has not moved for {STUCK_SECONDS} s", toy.log(process))


def test_a_batch_that_never_ends_ends_the_process(toy: ToyRun) -> None:
    toy.feed(400, keys=20, to="keyed")

    ends_and_names(toy, watched(toy, waits_seconds=600.0), "keyed")

    toy.run_until_done()
    toy.assert_exact()


@pytest.mark.faults
def test_a_partition_that_fails_and_begins_anew_for_ever_ends_the_process(toy: ToyRun) -> None:
    toy.feed(400, keys=20, to="keyed")

    ends_and_names(toy, watched(toy, "after_changelog:1:errors"), "keyed")

    toy.run_until_done()
    toy.assert_exact()


@pytest.mark.faults
def test_who_had_nothing_to_do_for_long_is_not_stuck_when_work_comes(toy: ToyRun) -> None:
    process = watched(toy, slow_seconds=0.5)
    toy.await_health("health.json", lambda said: bool(said["ready"]))

    time.sleep(2 * STUCK_SECONDS)
    toy.feed(2000)
    toy.await_done([process])

    toy.assert_exact()
    toy.stop(process)
