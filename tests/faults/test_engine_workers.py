"""Several workers in one group: partitions spread, move, and are written by one at a time."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.toyrun import DEADLINE_SECONDS, ToyRun


def test_two_workers_share_the_work_and_one_dies(toy: ToyRun) -> None:
    toy.feed(5000)
    first = toy.worker(instance_id=None, slow_seconds=0.02, counts=str(toy.directory / "first.json"))
    second = toy.worker(instance_id=None, slow_seconds=0.02, counts=str(toy.directory / "second.json"))
    toy.feed_until_shared("first.json", "second.json")

    toy.feed(5000, seed=2)
    toy.suffers("one of several")
    first.kill()
    first.wait()
    toy.await_done([second])
    toy.stop(second)

    toy.assert_exact()


def test_a_worker_that_hangs_and_wakes_up_writes_nothing_any_more(toy: ToyRun) -> None:
    toy.feed(6000)
    zombie = toy.worker(
        "before_commit:10:pause", instance_id=None, transaction_timeout_ms=60_000
    )  # No time-out of its own ends what it began.
    await_stopped(zombie.pid)
    toy.suffers("zombie")

    other = toy.worker(instance_id=None)
    toy.await_done([other])
    assert toy.answer() == toy.expected()
    assert "another process keeps" in toy.log(other) and "is used instead" in toy.log(other), "they share a directory of state"
    os.kill(zombie.pid, signal.SIGCONT)
    time.sleep(3)
    toy.feed(2000, seed=3)
    toy.await_done([other, zombie])

    # Whichever it hears of first: that its producer was fenced, or that the group has gone on; then its end is refused as well.
    assert re.search(r"was fenced by another producer|was taken away before its end: \w*(Fenced|Epoch)", toy.log(zombie)), toy.log(zombie)
    toy.assert_exact()
    toy.stop(zombie)
    toy.stop(other)


def test_an_agent_does_not_run_ahead_of_the_one_it_feeds(toy: ToyRun) -> None:
    toy.feed(20_000)
    worker = toy.worker(waits_seconds=600.0, counts=str(toy.directory / "counts.json"))

    forwarded, since = 0, time.monotonic()
    give_up = since + DEADLINE_SECONDS
    while forwarded < 800 or time.monotonic() - since < 4:
        assert time.monotonic() < give_up, f"{forwarded} are forwarded"
        assert worker.poll() is None, toy.log(worker)
        if toy.counts().get("forwarded", 0) != forwarded:
            forwarded, since = toy.counts()["forwarded"], time.monotonic()
        time.sleep(0.1)
    worker.kill()

    # Held back from four batches of 200 on; of what was read by then each of four partitions has two batches waiting and one in hand.
    assert forwarded <= 3_200
    toy.run_until_done()
    toy.assert_exact()


@pytest.mark.faults
@pytest.mark.parametrize("partitions", [1, 16])
def test_workers_that_come_and_go(new_toy: Callable[..., ToyRun], partitions: int) -> None:
    toy = new_toy(partitions)
    toy.feed(4000)
    running = [toy.worker(instance_id=None, slow_seconds=0.1) for _ in range(2)]

    for number in range(6):
        time.sleep(3)
        toy.feed(5000, seed=number + 2)
        leaver = running.pop(0)
        if number % 2:
            toy.suffers("one of several")
            leaver.kill()
        else:
            toy.suffers("SIGTERM")
            toy.noted("stop s", toy.stop(leaver, begun=False))
        running.append(toy.worker(instance_id=None, slow_seconds=0.1))
    toy.await_done(running)
    for process in running:
        toy.stop(process, begun=False)

    toy.assert_exact()


def await_stopped(pid: int) -> None:
    """The process stands at its fail point."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        assert time.monotonic() < give_up, "the worker did not get to its fail point"
        time.sleep(0.1)
