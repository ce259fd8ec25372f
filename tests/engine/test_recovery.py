"""Who waits for a worker to restore its state is told how far it is, how fast, and how long it will take."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from streams.engine.metrics import Metrics
from streams.engine.recovery import Recovery


class Scene:
    """A recovery by a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.said: list[str] = []
        self.registry = CollectorRegistry()
        self.recovery = Recovery(Metrics(self.registry), self.said.append, lambda: self.now)

    def seconds_left(self) -> float | None:
        return self.registry.get_sample_value("kairos_engine_restore_seconds_left")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_line_every_five_seconds_says_how_far_it_is_and_one_that_it_is_done(scene: Scene) -> None:
    with scene.recovery.part("a") as first, scene.recovery.part("a") as second:
        first.at(0, 11_000, 0)
        second.at(500, 11_500, 0)  # It had some of it already.
        for second_now in range(1, 8):
            scene.now += 1
            first.at(1100 * second_now, 11_000, 1000 * second_now)
            second.at(500 + 1100 * second_now, 11_500, 1000 * second_now)
            scene.recovery.look()
        assert scene.said == ["restoring 2 partitions: 50%, 10,000 rows so far, 2,000 rows/s, 5 s to go"]
        assert scene.seconds_left() == pytest.approx(3.0)
        first.at(11_000, 11_000, 10_000)
        second.at(11_500, 11_500, 10_000)

    assert scene.said[1:] == ["restored 2 partitions: 20,000 rows in 7.0 s, 2,857 rows/s"]
    assert scene.seconds_left() == 0
    assert scene.registry.get_sample_value("kairos_engine_restored_rows_total", {"topic": "a"}) == 20_000


def test_a_pace_is_that_of_late(scene: Scene) -> None:
    with scene.recovery.part("a") as part:
        part.at(0, 100_000, 0)
        for at in (10_000, 20_000, 20_000, 20_000):
            scene.now += 5
            part.at(at, 100_000, at)
            scene.recovery.look()

        assert scene.said[1].endswith("20%, 20,000 rows so far, 2,000 rows/s, 40 s to go")
        assert scene.said[2].endswith("20%, 20,000 rows so far, 1,000 rows/s, 80 s to go")
        assert scene.said[3].endswith("20%, 20,000 rows so far, 0 rows/s, nothing comes")

    assert scene.said[4] == "gave up restoring 1 partition: 20,000 rows in 20.0 s, 1,000 rows/s"


def test_what_is_over_in_no_time_is_not_spoken_of(scene: Scene) -> None:
    with scene.recovery.part("a") as part:
        part.at(0, 100, 0)
        scene.now += 0.5
        scene.recovery.look()
        part.at(100, 100, 100)
    scene.now += 60
    scene.recovery.look()

    assert scene.said == []
