"""What who waits is told."""

from __future__ import annotations

from tests.bench.progress import Phase, Progress, span


class Told:
    """A progress whose clock the test moves, and the lines it said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self.progress = Progress(self.lines.append, lambda: self.now)

    def go(self, phase: Phase, *looks: tuple[float, int]) -> None:
        """Say how much was done at each time."""
        for self.now, done in looks:
            phase.at(done)


def test_time_to_go_is_told_by_the_pace_of_late() -> None:
    told = Told()

    told.go(told.progress.phase("measuring", 1_000), (4.0, 400), (10.0, 800), (20.0, 850))

    assert told.lines[-1].endswith(" 5/s   30 s to go")


def test_a_line_comes_every_five_seconds_at_most() -> None:
    told = Told()

    told.go(told.progress.phase("measuring", 100), *((second / 2, second) for second in range(25)))

    assert [line.split()[0] for line in told.lines] == ["5", "10"]


def test_a_phase_without_a_total_tells_its_pace_alone() -> None:
    told = Told()

    told.go(told.progress.phase("settling", of="deadlines"), (10.0, 500))

    assert told.lines == ["      10 s  settling              500 deadlines         50/s"]


def test_an_end_is_always_said_with_how_long_it_took() -> None:
    told = Told()
    phase = told.progress.phase("settling", of="deadlines")
    told.now = 2.0

    phase.end(90, "at rest")

    assert told.lines == ["       2 s  settling               90 deadlines in 2 s   45/s   at rest"]


def test_a_phase_that_stands_still_promises_nothing() -> None:
    told = Told()

    told.go(told.progress.phase("measuring", 100), (6.0, 0))

    assert told.lines[0].endswith("no telling how long to go")


def test_long_times_are_told_in_minutes() -> None:
    assert [span(seconds) for seconds in (-1.0, 99.4, 100.0, 3_601.0)] == ["0 s", "99 s", "1 min 40 s", "60 min 1 s"]
