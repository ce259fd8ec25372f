"""Killed anywhere, restarted: the answer is that of an undisturbed run. Nothing is lost, nothing applied or sent twice."""

from __future__ import annotations

import shutil

import pytest

from streams.engine import FAIL_POINTS
from streams.engine.partition import STRANGE_ERRORS_MAX
from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun

ONCE = ("after_fence", "after_restore", "after_position", "during_restore")
"""Reached once a partition and start; the others once a batch."""


def test_killed_at_every_fail_point_in_turn(toy: ToyRun) -> None:
    toy.feed(2000)
    toy.run_until_done()  # From here on there is something to be restored.

    for number, name in enumerate(FAIL_POINTS):
        toy.feed(2000, seed=number)
        if number % 3 == 2 or name == "during_restore":  # A store that is up to date has nothing to restore.
            shutil.rmtree(toy.state_dir)
        toy.run_until_killed(f"{name}:{1 if name in ONCE else 6}:kill")
    toy.run_until_done()

    toy.assert_exact()


@pytest.mark.faults
@pytest.mark.parametrize("name", FAIL_POINTS)
def test_killed_thrice_at_one_fail_point_with_and_without_the_store(toy: ToyRun, name: str) -> None:
    toy.feed(2000, keys=1000, seed=7)
    toy.run_until_done()
    toy.feed(20_000, keys=1000, seed=8)

    for number, hit in enumerate((1, 2, 3) if name in ONCE else (1, 5, 17)):
        if number == 1 or name == "during_restore":
            shutil.rmtree(toy.state_dir)
        toy.run_until_killed(f"{name}:{hit}:kill")
    toy.run_until_done()

    toy.assert_exact()


@pytest.mark.parametrize("name", ["after_outputs", "after_offsets", "during_commit", "after_commit"])
def test_a_producer_that_fails_is_replaced_and_the_batch_done_again(toy: ToyRun, name: str) -> None:
    toy.feed(3000)
    toy.suffers("producer", name)

    toy.run_until_counted({"forwarded": 3000, "added": 3000}, f"{name}:6:error")

    toy.assert_exact()


@pytest.mark.parametrize("name", ["after_outputs", pytest.param("during_commit", marks=pytest.mark.faults)])
def test_producers_that_fail_all_the_time_lose_nothing(toy: ToyRun, name: str) -> None:
    toy.feed(5000)
    toy.suffers("producer", name)

    toy.run_until_counted({"forwarded": 5000, "added": 5000}, f"{name}:5:errors")

    toy.assert_exact()


@pytest.mark.parametrize("name", ["after_fence", pytest.param("during_commit", marks=pytest.mark.faults)])
def test_a_client_that_trips_over_itself_is_replaced(toy: ToyRun, name: str) -> None:
    """Every third time: each of the partitions that meet it comes alive at the next."""
    toy.feed(3000)
    toy.suffers("producer", f"{name}, of no class")

    toy.run_until_counted({"forwarded": 3000, "added": 3000}, f"{name}:3:strange")

    toy.assert_exact()


def test_a_client_that_does_nothing_else_ends_the_worker_with_the_reason(toy: ToyRun) -> None:
    toy.feed(50)

    process = toy.worker("after_fence:1:strange")
    code = process.wait(DEADLINE_SECONDS)

    assert code == 1
    log = toy.log(process)
    assert "the worker ends: LookupError: fail point" in log
    assert log.count("is FENCING, once more") >= STRANGE_ERRORS_MAX


def test_a_commit_whose_answer_never_comes_is_counted(toy: ToyRun) -> None:
    toy.feed(50, keys=4)
    toy.suffers("producer", "during_commit")

    toy.run_until_counted({"forwarded": 50, "added": 50}, "during_commit:1:errors")

    toy.assert_exact()


def test_state_that_is_deleted_is_restored(toy: ToyRun) -> None:
    toy.feed(4000)
    toy.run_until_done()
    toy.feed(4000, seed=2)
    toy.suffers("deleted")
    shutil.rmtree(toy.state_dir)

    toy.run_until_done()

    toy.assert_exact()
