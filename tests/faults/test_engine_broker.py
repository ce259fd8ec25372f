"""Without a broker a worker waits, goes on by itself, and stops when it is told to. It says clearly what must be mended, and ends when it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.broker.embedded import EmbeddedBroker
from tests.faults.toyrun import DEADLINE_SECONDS, LOADED_SECONDS, STOP_SECONDS_MAX, ToyRun


def told(toy: ToyRun) -> dict[str, str]:
    """Where a worker writes what it says of itself."""
    return {"counts": str(toy.directory / "counts.json"), "health": str(toy.directory / "health.json")}


def nothing_counted_twice(toy: ToyRun) -> None:
    """Who loses the group in the middle of a commit never learns of it, so some may not be counted."""
    counts = toy.counts()
    assert counts["forwarded"] <= toy.sent and counts["added"] <= toy.sent


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    """A Kafka that a test may kill."""
    with EmbeddedBroker(tmp_path / "kafka") as kafka:
        yield kafka


def test_the_broker_dies_and_comes_back_and_the_worker_goes_on(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.05, counts=str(tmp_path / "counts.json"))
    toy.await_counts("counts.json")

    toy.suffers("broker killed")
    own_broker.kill()
    time.sleep(4)
    assert process.poll() is None
    own_broker.start()
    toy.feed(1000, seed=2)
    toy.await_done([process])

    toy.assert_exact()
    toy.stop(process)
    toy.close()


@pytest.mark.parametrize("seconds", [pytest.param(25, marks=pytest.mark.faults), pytest.param(300, marks=pytest.mark.soak)])
def test_without_a_broker_a_worker_waits_is_not_ready_and_goes_on_by_itself(
    own_broker: EmbeddedBroker, tmp_path: Path, seconds: int
) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.1, stuck_seconds=40, **told(toy))
    toy.await_counts("counts.json")

    toy.suffers("broker down")
    own_broker.kill()
    gone = time.monotonic()
    toy.await_health("health.json", lambda said: not said["ready"])
    while time.monotonic() - gone < seconds:
        assert process.poll() is None, toy.log(process)
        said = toy.health("health.json")
        assert said["alive"] and not said["ready"], "it waits: a new process could not do more"
        time.sleep(0.5)
    own_broker.start()
    toy.await_health("health.json", lambda said: bool(said["ready"]))
    toy.feed(1000, seed=2)
    toy.await_done([process])

    toy.assert_exact()
    nothing_counted_twice(toy)
    toy.stop(process)
    toy.close()


@pytest.mark.faults
def test_who_has_nothing_to_do_is_not_ready_without_a_broker_either(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    process = toy.worker(**told(toy))
    toy.await_health("health.json", lambda said: bool(said["ready"]))

    own_broker.kill()
    toy.await_health("health.json", lambda said: said["alive"] and not said["ready"])
    own_broker.start()
    toy.await_health("health.json", lambda said: bool(said["ready"]))

    toy.stop(process)
    toy.close()


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [4, 30])
def test_a_broker_that_hangs_and_goes_on(own_broker: EmbeddedBroker, tmp_path: Path, seconds: int) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.1, **told(toy))
    toy.await_counts("counts.json")

    toy.suffers("broker hangs")
    own_broker.pause()
    time.sleep(seconds)
    assert process.poll() is None
    own_broker.resume()
    toy.feed(1000, seed=2)
    toy.await_done([process])

    toy.assert_exact()
    nothing_counted_twice(toy)
    toy.stop(process)
    toy.close()


@pytest.mark.faults
def test_a_broker_that_is_restarted_again_and_again(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(24_000)
    process = toy.worker(slow_seconds=0.1, **told(toy))
    toy.await_counts("counts.json")

    for end in (EmbeddedBroker.stop, EmbeddedBroker.kill, EmbeddedBroker.stop):
        toy.suffers("broker killed" if end is EmbeddedBroker.kill else "broker restarted")
        end(own_broker)
        own_broker.start()
        time.sleep(2)
    toy.await_done([process])

    toy.assert_exact()
    nothing_counted_twice(toy)
    toy.stop(process)
    toy.close()


@pytest.mark.faults
def test_a_worker_stops_within_its_time_when_the_broker_was_killed(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.05, **told(toy))
    toy.await_counts("counts.json")

    toy.suffers("SIGTERM, broker")
    own_broker.kill()
    time.sleep(2)
    start = time.monotonic()
    process.terminate()
    process.wait(DEADLINE_SECONDS)

    toy.noted("stop s", time.monotonic() - start)
    assert time.monotonic() - start < STOP_SECONDS_MAX + LOADED_SECONDS
    own_broker.start()
    toy.run_until_done()
    toy.assert_exact()
    toy.close()


def test_a_worker_stops_within_its_time_without_a_broker(own_broker: EmbeddedBroker, tmp_path: Path) -> None:
    toy = ToyRun(own_broker.bootstrap, tmp_path)
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.05, counts=str(tmp_path / "counts.json"))
    toy.await_counts("counts.json")

    toy.suffers("SIGTERM, broker")
    own_broker.pause()
    time.sleep(1)
    start = time.monotonic()
    process.terminate()
    process.wait(DEADLINE_SECONDS)

    toy.noted("stop s", time.monotonic() - start)
    assert time.monotonic() - start < STOP_SECONDS_MAX + LOADED_SECONDS
    own_broker.resume()
    toy.run_until_done()
    toy.assert_exact()
    toy.close()


def test_a_worker_that_never_found_a_broker_stops_too(tmp_path: Path, broker: EmbeddedBroker) -> None:
    toy = ToyRun(broker.bootstrap, tmp_path)
    process = toy.worker(bootstrap="127.0.0.1:1")
    time.sleep(3)
    assert process.poll() is None

    process.terminate()

    assert process.wait(STOP_SECONDS_MAX + LOADED_SECONDS) is not None
    toy.close()


def test_a_stop_finishes_what_is_in_hand(toy: ToyRun) -> None:
    toy.feed(6000)
    process = toy.worker(slow_seconds=0.05, counts=str(toy.directory / "counts.json"))
    toy.await_counts("counts.json")

    toy.suffers("SIGTERM")
    seconds = toy.stop(process)

    toy.noted("stop s", seconds)
    assert seconds < STOP_SECONDS_MAX

    toy.run_until_done()
    toy.assert_exact()


def test_sources_that_are_not_co_partitioned_are_refused(toy: ToyRun) -> None:
    admin = AdminClient({"bootstrap.servers": toy.bootstrap})
    toy.name += "x"
    for topic, partitions in (("raw", 2), ("keyed", 3)):
        admin.create_topics([NewTopic(f"{toy.name}-{topic}", partitions, 1)])[f"{toy.name}-{topic}"].result()

    process = toy.worker()

    assert process.wait(DEADLINE_SECONDS) == 1
    assert f"the same number of partitions, but they have: {toy.name}-keyed 3, {toy.name}-raw 2" in toy.log(process)


def test_a_source_that_is_missing_is_named(toy: ToyRun) -> None:
    toy.name += "y"

    process = toy.worker()

    assert process.wait(DEADLINE_SECONDS) == 1
    assert f"no such topic: {toy.name}-keyed, {toy.name}-raw" in toy.log(process)


def test_another_apps_state_is_refused(new_toy: Callable[..., ToyRun]) -> None:
    toy = new_toy()
    toy.feed(100)
    toy.run_until_done()

    process = toy.worker(app_id=f"{toy.name}-other")

    assert process.wait(DEADLINE_SECONDS) == 1
    assert "give each app a state directory of its own" in toy.log(process)


def test_a_body_that_hangs_ends_the_process_with_its_reason(toy: ToyRun) -> None:
    toy.feed(100)

    process = toy.worker(slow_seconds=60, stuck_seconds=5)

    assert process.wait(DEADLINE_SECONDS) == 70
    assert "the event loop has not turned for 5 s" in toy.log(process)


def test_every_stateful_partition_is_ticked_busy_or_not(toy: ToyRun) -> None:
    counts = str(toy.directory / "counts.json")
    process = toy.worker(counts=counts, tick_seconds=0.2)
    toy.feed(2000)
    toy.await_counts("counts.json")
    before, give_up = toy.counts().get("ticks", 0), time.monotonic() + DEADLINE_SECONDS  # The first counts may be those of what was fed.

    while toy.counts().get("ticks", 0) < before + 4 * 10:
        assert time.monotonic() < give_up, toy.log(process)
        time.sleep(0.1)

    toy.stop(process)


def test_the_replay_clock_does_not_tick(toy: ToyRun) -> None:
    counts = str(toy.directory / "counts.json")
    toy.feed(200)
    process = toy.worker(counts=counts, tick_seconds=None)
    toy.await_done([process])

    time.sleep(2)

    assert "ticks" not in toy.counts()
    toy.stop(process)
