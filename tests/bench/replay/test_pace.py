"""A pace is of what was done between the last look before any work and the first at which nothing was left for good."""

from __future__ import annotations

from tests.bench.replay import pace
from tests.bench.replay.pace import Look, Pace


def test_the_wait_for_a_worker_to_begin_does_not_count() -> None:
    looks = [
        Look(0.0, 0, 0, False),
        Look(5.0, 0, 100, False),
        Look(6.0, 20, 100, False),
        Look(8.0, 100, 100, False),
        Look(10.0, 100, 100, True),
    ]

    assert pace.of(looks, 1_000) == Pace(200.0, 5.0)


def test_to_be_through_for_a_moment_while_more_is_fed_is_no_end() -> None:
    looks = [Look(0.0, 50, 50, True), Look(1.0, 60, 90, False), Look(2.0, 100, 100, True), Look(3.0, 100, 100, True)]

    assert pace.of(looks, 1_000) == Pace(250.0, 2.0)
