"""Workers that hold warm copies of each other's partitions: who dies is replaced within the session time-out and two seconds, by who lacks little."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.toyrun import DEADLINE_SECONDS, LOADED_SECONDS, ToyRun

ROWS = 12_000
SESSION_SECONDS = 6.0
LONG_SESSION_SECONDS = 30.0
Said = dict[str, Any]


def member(toy: ToyRun, name: str, **options: Any) -> subprocess.Popen[bytes]:
    """A worker with a directory of its own."""
    settings = {"standbys": 1, "instance_id": None, "state_dir": str(toy.directory / name), "health": str(toy.directory / f"{name}.json")}
    return toy.worker(**{**settings, "session_timeout_seconds": SESSION_SECONDS, "heartbeat_seconds": 0.5, **options})


def warm(copies: int) -> Callable[[Said], bool]:
    """It has so many copies, and they lack nothing."""
    return lambda said: said["copies"] == [0] * copies and said["ready"]


def has_all(said: Said) -> bool:
    return len(said["running"]) == 4 and bool(said["ready"])


@pytest.mark.parametrize("guarantee", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.faults)])
def test_a_copy_takes_over_from_a_worker_that_dies(toy: ToyRun, guarantee: str) -> None:
    toy.feed(ROWS, keys=10 * ROWS, to="keyed")
    first, second = (member(toy, name, slow_seconds=0.1, guarantee=guarantee) for name in "ab")
    toy.await_done([first, second])
    toy.await_health("a.json", warm(2))
    before = toy.await_health("b.json", warm(2))["restored"]
    toy.feed(16_000, keys=10 * ROWS, seed=2, to="keyed")
    give_up = time.monotonic() + DEADLINE_SECONDS
    while toy.lag() > 14_000:
        assert time.monotonic() < give_up, toy.log(first)
        time.sleep(0.05)

    toy.suffers("active")
    first.kill()
    died = time.time()
    said = toy.await_health("b.json", has_all)
    toy.await_done([second])

    toy.noted("rows restored", said["restored"] - before)
    toy.noted("takeover s", said["at"] - died)
    toy.assert_exact(outputs_once=guarantee == "exactly_once")
    assert said["restored"] - before < ROWS / 4 / 5, "more than a fifth of a partition was restored"
    assert said["at"] - died < SESSION_SECONDS + 2 + LOADED_SECONDS
    toy.stop(second)


@pytest.mark.faults
def test_a_worker_that_stops_is_replaced_at_once_and_is_a_copy_when_it_comes_back(toy: ToyRun) -> None:
    toy.feed(ROWS, keys=10 * ROWS, to="keyed")
    first, second = (member(toy, name, session_timeout_seconds=LONG_SESSION_SECONDS) for name in "ab")
    toy.await_done([first, second])
    toy.await_health("a.json", warm(2))
    before = toy.await_health("b.json", warm(2))["restored"]

    toy.stop(first)
    stopped = time.time()
    said = toy.await_health("b.json", has_all)
    assert said["at"] - stopped < LONG_SESSION_SECONDS / 2 and said["restored"] == before

    first = member(toy, "a")
    toy.await_health("a.json", warm(2))
    toy.await_health("b.json", warm(2))
    toy.feed(2000, keys=10 * ROWS, seed=2, to="keyed")
    toy.await_done([first, second])
    toy.assert_exact()
    toy.stop(first)
    toy.stop(second)


@pytest.mark.faults
def test_of_three_workers_each_has_work_and_whoever_dies_leaves_it_to_copies(toy: ToyRun) -> None:
    toy.feed(ROWS, keys=10 * ROWS, to="keyed")
    running = {name: member(toy, name) for name in "abc"}
    toy.await_done(running.values())
    give_up = time.monotonic() + DEADLINE_SECONDS
    while sum(len(toy.health(f"{name}.json")["copies"]) for name in "abc") < 4:
        assert time.monotonic() < give_up, "there are not as many copies as partitions"
        time.sleep(0.1)
    said = {name: toy.await_health(f"{name}.json", settled) for name in "abc"}
    assert sorted(len(each["running"]) for each in said.values()) == [1, 1, 2]
    died = max(said, key=lambda name: len(said[name]["running"]))

    toy.suffers("active", lag=False)  # Nothing may be left to restore, so its copies lack nothing; there is work as soon as it is gone.
    running.pop(died).kill()
    after = {name: toy.await_health(f"{name}.json", lambda said: len(said["running"]) == 2 and settled(said)) for name in running}
    toy.feed(2000, keys=10 * ROWS, seed=2, to="keyed")
    toy.await_done(running.values())

    toy.assert_exact()
    assert [after[name]["restored"] - said[name]["restored"] for name in running] == [0, 0], (
        "a copy that lacks nothing leaves nothing to restore"
    )
    for process in running.values():
        toy.stop(process)


def settled(said: Said) -> bool:
    """Its partitions run, its copies lack nothing."""
    return bool(said["ready"]) and not any(said["copies"])


@pytest.mark.faults
def test_workers_with_copies_do_not_share_a_directory(toy: ToyRun) -> None:
    toy.feed(2000)
    first = member(toy, "a")
    toy.await_health("a.json", has_all)

    toy.suffers("directory shared", lag=False)
    second = member(toy, "a")

    assert second.wait(DEADLINE_SECONDS) == 1
    assert "with standbys each worker needs a state directory of its own" in toy.log(second)
    toy.stop(first)
    third = member(toy, "a", health=str(toy.directory / "third.json"))
    toy.await_health("third.json", has_all)
    toy.await_done([third])
    toy.assert_exact()
    toy.stop(third)


@pytest.mark.faults
def test_workers_with_copies_that_come_and_go_by_kill_lose_nothing(toy: ToyRun) -> None:
    toy.feed(4000, keys=3000)
    names = ["a", "b", "c"]
    running = {name: member(toy, name, slow_seconds=0.1) for name in names}

    for number in range(8):
        time.sleep(4)
        toy.feed(6000, keys=3000, seed=number + 2)
        name = names[number % 3]
        if number % 2:
            toy.suffers("SIGTERM")
            toy.noted("stop s", toy.stop(running[name], begun=False))
        else:
            toy.suffers("active")
            running[name].kill()
            running[name].wait()
        running[name] = member(toy, name, slow_seconds=0.1)
    toy.await_done(running.values())

    toy.assert_exact()
    for process in running.values():
        toy.stop(process, begun=False)
