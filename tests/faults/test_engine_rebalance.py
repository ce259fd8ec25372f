"""Workers that join, leave and restart under load: nothing is lost, nothing twice, no partition is left alone, and pauses are short."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.faults.toyrun import DEADLINE_SECONDS, LOADED_SECONDS, ToyRun

SESSION_SECONDS = 6.0
PAUSE_SECONDS_MAX = 60.0
"""A restart is reported, not bounded: 2 s at rest, 14 s on a machine that has more to do. Beyond this a partition was left alone."""
FOLLOWED = b"followed"


@contextmanager
def load(toy: ToyRun, per_second: int, to: str = "raw") -> Iterator[None]:
    """Numbers come all the time, from a thread; when it ends all of them are on the broker."""
    ended = threading.Event()

    def feed() -> None:
        seed = 100
        while not ended.wait(0.1):
            seed += 1
            toy.feed(per_second // 10, seed=seed, to=to)

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield
    finally:
        ended.set()
        feeding.join()


def longest_pause(toy: ToyRun, since: float) -> float:
    """Of outputs, all partitions taken together by themselves: the longest time in which one of them said nothing, in seconds."""
    said: dict[int, list[int]] = {number: [int(since * 1000)] for number in range(toy.partitions)}
    for message in toy.messages(f"{toy.name}-out"):
        if message.timestamp()[1] >= since * 1000:
            said[message.partition()].append(message.timestamp()[1])
    return max(later - earlier for times in said.values() for earlier, later in pairwise(sorted(times))) / 1000


def named(toy: ToyRun, name: str, **options: Any) -> subprocess.Popen[bytes]:
    """A worker with a static name and a directory of its own."""
    return toy.worker(instance_id=name, state_dir=str(toy.directory / name), health=str(toy.directory / f"{name}.json"), **options)


@pytest.mark.parametrize("seconds", [pytest.param(30, marks=pytest.mark.faults), pytest.param(180, marks=pytest.mark.soak)])
def test_workers_join_and_leave_every_five_seconds(toy: ToyRun, seconds: int) -> None:
    stays = named(toy, "stays")
    toy.await_health("stays.json", lambda said: bool(said["ready"]))

    with load(toy, per_second=1000):
        guest, since = None, time.monotonic()
        while time.monotonic() - since < seconds:
            toy.suffers("rebalance", lag=False)  # It never ends while the load lasts.
            if guest is None:
                (toy.directory / "guest.json").unlink(missing_ok=True)
                guest = named(toy, "guest")
                toy.await_health("guest.json", lambda said: bool(said["running"]))
            else:
                toy.stop(guest)
                guest = None
            time.sleep(5)
    running = [stays] if guest is None else [stays, guest]
    toy.await_done(running)

    toy.assert_exact()
    for process in running:
        toy.stop(process, begun=False)


@pytest.mark.faults
@pytest.mark.parametrize("standbys", [0, 1])
def test_three_workers_are_restarted_one_after_the_other(toy: ToyRun, standbys: int) -> None:
    names = ["a", "b", "c"]
    running = {name: named(toy, name, standbys=standbys) for name in names}
    for name in names:
        toy.await_health(f"{name}.json", lambda said: bool(said["running"]))
    toy.feed(2000)
    toy.await_done(running.values())

    since = time.time()
    with load(toy, per_second=1000):
        for name in names:
            time.sleep(3)
            toy.suffers("rolling restart", lag=False)
            toy.noted("stop s", toy.stop(running[name]))
            running[name] = named(toy, name, standbys=standbys)
        time.sleep(SESSION_SECONDS)
    toy.await_done(running.values())

    pause = longest_pause(toy, since)
    toy.noted("longest pause of a partition s", pause)
    toy.assert_exact()
    print(f"rolling restart of three workers under load, {standbys} standbys: the longest pause of a partition was {pause:.1f} s")
    assert pause < PAUSE_SECONDS_MAX
    for process in running.values():
        toy.stop(process)


@pytest.mark.faults
@pytest.mark.parametrize("successor", [True, False])
def test_what_a_dead_worker_left_open_hides_what_follows_no_longer_than_promised(toy: ToyRun, successor: bool) -> None:
    options: dict[str, Any] = {"instance_id": None, "transaction_timeout_ms": 7000}
    running = []
    if successor:
        running.append(toy.worker(state_dir=str(toy.directory / "other"), health=str(toy.directory / "other.json"), **options))
        toy.await_health("other.json", lambda said: bool(said["ready"]))

    with load(toy, per_second=2000, to="keyed"):
        died = toy.run_until_killed(
            "after_changelog:5:kill", "open transaction", **options
        )  # What it wrote lies in a transaction that nobody ends.
        hidden = read_what_follows(toy) - died

    toy.noted("hidden s", hidden)
    print(f"a reader of committed records stood still for {hidden:.1f} s behind a dead worker's transaction")
    assert 2 < hidden < SESSION_SECONDS + 4 + LOADED_SECONDS, "less would be no open transaction"
    running = running or [toy.worker(**options)]
    toy.await_done(running)
    toy.outputs[FOLLOWED] += toy.partitions
    toy.assert_exact()
    toy.stop(running[0])


def read_what_follows(toy: ToyRun) -> float:
    """Another writer adds a record to each partition of the outputs; returns when a reader of committed records had them all."""
    producer = Producer({"bootstrap.servers": toy.bootstrap})
    for partition in range(toy.partitions):
        producer.produce(f"{toy.name}-out", value=FOLLOWED, partition=partition)
    assert producer.flush(DEADLINE_SECONDS) == 0
    reader = Consumer({"bootstrap.servers": toy.bootstrap, "group.id": "look", "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition(f"{toy.name}-out", partition, 0) for partition in range(toy.partitions)])
    missing, give_up = set(range(toy.partitions)), time.monotonic() + DEADLINE_SECONDS
    while missing:
        assert time.monotonic() < give_up, f"partitions {missing} are hidden"
        message = reader.poll(1.0)
        if message is not None and message.value() == FOLLOWED:
            missing.discard(message.partition() or 0)
    reader.close()
    return time.monotonic()
