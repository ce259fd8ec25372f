"""A network that is slow, breaks, or hangs and tells nobody: the worker goes on by itself, loses nothing, writes nothing twice, and stops when told to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.faults.proxy import Forgetful, Proxy, broker_behind_proxy
from tests.faults.toyrun import DEADLINE_SECONDS, LOADED_SECONDS, STOP_SECONDS_MAX, ToyRun

pytestmark = pytest.mark.faults

SESSION_SECONDS = 6.0
EXIT_HUNG = 75
"""Of a worker that is told to stop while something still waits for a connection that hangs."""


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedBroker, Proxy]]:
    """A Kafka and the proxy before it."""
    with broker_behind_proxy(tmp_path_factory.mktemp("network") / "kafka") as found:
        yield found


class Scene(ToyRun):
    """A toy that is fed the straight way, and works through the proxy."""

    def __init__(self, ways: tuple[EmbeddedBroker, Proxy], directory: Path) -> None:
        broker, self.proxy = ways
        super().__init__(broker.bootstrap, directory)
        self.through = f"127.0.0.1:{self.proxy.port}"


@pytest.fixture
def scene(ways: tuple[EmbeddedBroker, Proxy], tmp_path: Path) -> Iterator[Scene]:
    made = Scene(ways, tmp_path)
    yield made
    made.proxy.heal()
    made.close()


def slow(proxy: Proxy) -> None:
    proxy.delay(0.2)


FAULTS = {"slow": slow, "cut": Proxy.cut, "hanging": Proxy.hang}


def await_some_done(scene: Scene) -> None:
    """It is at work, and has work left."""
    scene.await_counts("counts.json")
    assert scene.lag() > 0


def test_a_slow_network_changes_nothing_but_the_time_it_takes(scene: Scene) -> None:
    scene.proxy.delay(0.1)
    scene.feed(6000)
    scene.suffers("slow")

    process = scene.worker(bootstrap=scene.through, counts=str(scene.directory / "counts.json"))
    scene.await_done([process])
    scene.await_counted({"forwarded": 6000, "added": 6000})

    scene.assert_exact()
    scene.stop(process)


def test_connections_that_are_cut_again_and_again(scene: Scene) -> None:
    scene.feed(24_000)
    process = scene.worker(bootstrap=scene.through, slow_seconds=0.1, counts=str(scene.directory / "counts.json"))
    await_some_done(scene)

    for seconds in (0.0, 0.0, 0.5, 2.0, SESSION_SECONDS + 2):
        scene.suffers("cut")
        scene.proxy.cut()
        time.sleep(seconds)
        scene.proxy.heal()
        time.sleep(1.0)
    scene.await_done([process])

    scene.assert_exact()
    scene.stop(process)


def test_connections_that_hang_are_given_up(scene: Scene) -> None:
    scene.feed(8000)
    process = scene.worker(bootstrap=scene.through, slow_seconds=0.1, counts=str(scene.directory / "counts.json"))
    await_some_done(scene)

    scene.suffers("half-open")
    scene.proxy.hang()
    time.sleep(3.0)
    scene.proxy.heal()
    healed = time.monotonic()
    scene.await_done([process])

    scene.noted("done after the network was back s", time.monotonic() - healed)
    scene.assert_exact()
    scene.stop(process)


def test_a_worker_cut_off_for_longer_than_its_session_has_a_successor_and_writes_nothing_when_it_is_back(scene: Scene) -> None:
    scene.feed(12_000)
    away = scene.worker(bootstrap=scene.through, instance_id=None, slow_seconds=0.1, counts=str(scene.directory / "counts.json"))
    await_some_done(scene)

    scene.proxy.hang()
    scene.suffers("cut off")
    other = scene.worker(instance_id=None, state_dir=str(scene.directory / "other"))
    scene.await_done([other])
    assert scene.answer() == scene.expected()
    scene.proxy.heal()
    time.sleep(3)
    scene.feed(2000, seed=3)
    scene.await_done([other, away])

    scene.assert_exact()
    scene.stop(other)
    away.terminate()
    assert away.wait(STOP_SECONDS_MAX + LOADED_SECONDS) in (0, EXIT_HUNG), scene.log(away)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stop_is_bounded_whatever_the_network_does(scene: Scene, fault: str) -> None:
    scene.feed(6000)
    process = scene.worker(bootstrap=scene.through, slow_seconds=0.05, counts=str(scene.directory / "counts.json"))
    await_some_done(scene)

    scene.suffers("SIGTERM, network")
    FAULTS[fault](scene.proxy)
    time.sleep(1.0)
    start = time.monotonic()
    process.terminate()
    process.wait(DEADLINE_SECONDS)

    scene.noted("stop s", time.monotonic() - start)
    assert time.monotonic() - start < STOP_SECONDS_MAX + LOADED_SECONDS
    scene.proxy.heal()
    scene.run_until_done()
    scene.assert_exact()


def test_a_worker_that_hears_of_no_broker_waits_until_one_is_named(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """So speaks a Kafka that hung until its controller gave it up, for a moment."""
    proxy = Forgetful(int(broker.bootstrap.rpartition(":")[2]))
    toy = ToyRun(broker.bootstrap, tmp_path)
    toy.feed(2000)
    proxy.forget()
    toy.suffers("no broker named")

    process = toy.worker(bootstrap=f"127.0.0.1:{proxy.port}")
    begin = time.monotonic()
    while proxy.asked < 5 or time.monotonic() - begin < 5:
        assert process.poll() is None, toy.log(process)
        assert time.monotonic() - begin < DEADLINE_SECONDS, toy.log(process)
        time.sleep(0.1)
    proxy.remember()
    toy.await_done([process])

    toy.assert_exact()
    toy.stop(process)
    toy.close()
    proxy.close()
