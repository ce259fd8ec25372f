"""What stands still is found, by what has moved since the last look: a position, a restore, or nothing to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.engine import watchdog
from streams.engine.errors import EngineError
from streams.engine.life import State
from streams.engine.watchdog import Watchdog


class Stood:
    """A partition as the watchdog sees it."""

    topic, number = "orders", 3

    def __init__(self, position: int = 0, lag: int = 0) -> None:
        self.position, self.lag, self.state = position, lag, State.RUNNING

    def standing(self) -> object:
        return (self.position,) if self.lag else None

    def __str__(self) -> str:
        return f"orders[3] (RUNNING, position {self.position})"


class Scene:
    """Partitions, a clock that is moved by hand, a broker that answers or does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *partitions: Stood) -> None:
        self.at = 1000.0
        monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: self.at))
        self.answers = True
        self.failed: list[BaseException] = []
        custody: Any = SimpleNamespace(partitions=dict(enumerate(partitions)))
        self.dog = Watchdog(custody, 10.0, lambda: self.answers, self.failed.append)

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.at += 1
            self.dog.look()


def test_lag_without_movement_is_not_alive_at_half_and_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stood = Stood(position=7)
    scene = Scene(monkeypatch, stood, Stood())
    scene.pass_seconds(1)

    stood.lag = 1
    scene.pass_seconds(5)
    assert scene.dog.alive()
    stood.lag = 1000
    scene.pass_seconds(1)
    assert not scene.dog.alive() and not scene.failed
    scene.pass_seconds(6)

    assert [str(error) for error in scene.failed][:1] == [
        "stuck: orders[3] (RUNNING, position 7) has not moved for 10 s although there is work"
    ]
    assert isinstance(scene.failed[0], EngineError)


def test_who_moves_is_alive_however_large_the_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    stood = Stood(lag=1000)
    scene = Scene(monkeypatch, stood)

    for position in range(20):
        stood.position = position
        scene.pass_seconds(4)
        assert scene.dog.alive()
    assert not scene.failed


def test_who_had_nothing_to_do_for_an_hour_is_alive_when_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    stood = Stood()
    scene = Scene(monkeypatch, stood)

    scene.pass_seconds(3600)
    stood.lag = 5
    scene.pass_seconds(1)

    assert scene.dog.alive() and not scene.failed


def test_while_the_broker_is_silent_no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, Stood(lag=5))
    scene.pass_seconds(3)

    scene.answers = False
    scene.pass_seconds(600)
    assert scene.dog.alive() and not scene.failed
    scene.answers = True
    scene.pass_seconds(4)
    assert scene.dog.alive()
    scene.pass_seconds(8)

    assert scene.failed
