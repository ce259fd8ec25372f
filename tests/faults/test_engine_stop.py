"""Told to stop in the midst of something, a worker ends within its time, and what it leaves is taken up: nothing is lost, nothing twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.faults.test_engine_workers import await_stopped
from tests.faults.toyrun import DEADLINE_SECONDS, LOADED_SECONDS, STOP_SECONDS_MAX, ToyRun

pytestmark = pytest.mark.faults

ENDS = {0, 1, 75}
"""Of itself: as told, with its reason, or while something hung; not of a signal."""


def ends_within_its_time(toy: ToyRun, process: subprocess.Popen[bytes], since: float) -> None:
    code = process.wait(DEADLINE_SECONDS)
    toy.noted("stop s", time.monotonic() - since)
    assert time.monotonic() - since < STOP_SECONDS_MAX + LOADED_SECONDS
    assert code in ENDS, toy.log(process)


def test_while_rows_are_restored(toy: ToyRun) -> None:
    toy.feed(100_000, keys=60_000, to="keyed")
    toy.run_until_done(batch_records_max=4000)
    shutil.rmtree(toy.state_dir)
    toy.feed(2000, seed=2)
    process = toy.worker("during_restore:2:pause")
    await_stopped(process.pid)

    toy.suffers("SIGTERM, restoring")
    process.terminate()
    os.kill(process.pid, signal.SIGCONT)
    ends_within_its_time(toy, process, time.monotonic())

    assert toy.lag() > 0
    toy.run_until_done()
    toy.assert_exact()


def test_to_a_worker_that_hung_beyond_its_session_as_it_wakes_up(toy: ToyRun) -> None:
    toy.feed(6000)
    zombie = toy.worker("after_changelog:10:pause", instance_id=None)
    await_stopped(zombie.pid)
    other = toy.worker(instance_id=None, state_dir=str(toy.directory / "other"))
    toy.await_done([other])
    toy.feed(6000, seed=2)

    toy.suffers("SIGTERM, zombie")
    zombie.terminate()
    os.kill(zombie.pid, signal.SIGCONT)
    ends_within_its_time(toy, zombie, time.monotonic())

    toy.await_done([other])
    toy.assert_exact()
    toy.stop(other)


def test_while_every_transaction_fails(toy: ToyRun) -> None:
    toy.feed(6000)
    process = toy.worker("after_changelog:1:errors")
    give_up = time.monotonic() + DEADLINE_SECONDS
    while toy.log(process).count("could not finish a batch") < 3:
        assert time.monotonic() < give_up, toy.log(process)
        time.sleep(0.1)

    toy.suffers("SIGTERM, failing")
    process.terminate()
    ends_within_its_time(toy, process, time.monotonic())

    toy.run_until_done()
    toy.assert_exact()


def test_while_its_state_directory_goes_away(toy: ToyRun) -> None:
    toy.feed(60_000, keys=60_000, to="keyed")
    process = toy.worker(write_buffer_bytes=1 << 20, slow_seconds=0.05, counts=str(toy.directory / "counts.json"))
    toy.await_counts("counts.json")

    toy.suffers("deleted")
    shutil.rmtree(toy.state_dir)
    process.terminate()
    ends_within_its_time(toy, process, time.monotonic())

    toy.run_until_done(batch_records_max=4000)
    toy.assert_exact()
