"""Samples of several workers, added up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench import run, samples
from tests.bench.samples import Sample


def sample(at: float, applied: int, cpu: float, rss: int = 1, deadlines: int = 0) -> Sample:
    counts = {"kairos_interactions_applied": applied, "kairos_deadlines_drained": deadlines}
    return Sample(at, cpu, {"loop": cpu}, rss, counts, {"fold": cpu}, {"state": applied}, {"f": applied}, {"t": 1}, 0.0)


def test_workers_count_together_at_every_commit_of_one_of_them() -> None:
    one = [sample(1.0, 10, 5.0), sample(3.0, 30, 7.0)]
    other = [sample(2.0, 0, 4.0), sample(4.0, 20, 6.0)]

    merged = list(samples.together([one, other]))

    assert [(each.at, each.applied, each.cpu, each.threads["loop"], each.bytes["state"]) for each in merged] == [
        (1.0, 10, 9.0, 9.0, 10),
        (2.0, 10, 9.0, 9.0, 10),
        (3.0, 30, 11.0, 11.0, 30),
        (4.0, 50, 13.0, 13.0, 50),
    ]


def test_what_a_worker_took_to_start_is_not_counted() -> None:
    early, late = [sample(1.0, 0, 1.0), sample(9.0, 50, 2.0)], [sample(5.0, 0, 100.0), sample(8.0, 50, 101.0)]

    found = samples.found([early, late])

    assert found.last.cpu - found.first.cpu == 2.0


def test_settling_begins_where_everything_is_applied() -> None:
    found = samples.found(
        [[sample(1.0, 0, 0.0), sample(5.0, 99, 1.0), sample(7.0, 100, 2.0, deadlines=3), sample(9.0, 100, 3.0, deadlines=8)]]
    )

    assert (found.first.at, found.last.at, found.settled.at, found.tail_seconds) == (1.0, 7.0, 9.0, 2.0)
    assert found.settled.deadlines - found.last.deadlines == 5


def test_shares_tell_the_workers_apart() -> None:
    found = samples.found([[sample(1.0, 40, 1.0)], [sample(1.0, 60, 1.0)]])

    assert found.shares == [40, 60]


def test_the_stopwatch_finds_every_pass_of_the_worker_as_it_is_today(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from tests.bench import worker; worker.measure(Path(sys.argv[1]))"

    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "samples")], cwd=run.ROOT, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
