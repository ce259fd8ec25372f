"""A wall clock that jumps by a day, forwards or backwards, at work or between two lives: nothing is lost, nothing twice."""

from __future__ import annotations

import time

import pytest

from tests.faults.toyrun import ToyRun

DAY_SECONDS = 86_400


@pytest.mark.faults
@pytest.mark.parametrize("jumps", [(DAY_SECONDS, 0, -DAY_SECONDS), (-DAY_SECONDS, DAY_SECONDS, 0)])
def test_the_clock_jumps_by_a_day_at_work_and_between_lives(toy: ToyRun, jumps: tuple[int, ...]) -> None:
    clock = toy.directory / "clock"
    clock.write_text("0")
    toy.feed(2000)
    toy.run_until_done(clock=str(clock))

    for seed, jump in enumerate(jumps, start=2):
        toy.feed(12_000, seed=seed)
        process = toy.worker(clock=str(clock), slow_seconds=0.1, counts=str(toy.directory / f"{seed}.json"))
        toy.await_counts(f"{seed}.json")
        toy.suffers("clock")
        clock.write_text(str(jump))
        ticks = toy.counts(f"{seed}.json").get("ticks", 0)
        time.sleep(3)
        assert process.poll() is None, toy.log(process)
        assert toy.counts(f"{seed}.json")["ticks"] > ticks, "time no longer passes"
        if seed % 2:
            toy.suffers("SIGTERM")
            toy.noted("stop s", toy.stop(process))
        else:
            process.kill()
            process.wait()
    toy.feed(1000, seed=9)
    toy.run_until_done(clock=str(clock))

    toy.assert_exact()
