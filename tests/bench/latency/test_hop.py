"""What times of reading come to: percentiles from when interactions were due, not from when they were sent."""

from __future__ import annotations

import pytest

from tests.bench.latency import report
from tests.bench.latency.hop import SKIPPED_SECONDS, Stretch, stretch
from tests.bench.latency.sender import Sent
from tests.bench.latency.stalls import Stalls, stalls, watched


def test_the_delay_counts_from_when_an_interaction_was_due_even_if_the_sender_was_late() -> None:
    seen = [100.0 + number / 1000 + 0.005 for number in range(10_000)]
    for number in range(9_000, 9_300):
        seen[number] += 0.2  # The sender stood still, so did the others behind it.

    found = stretch(50, 1000.0, Sent(100.0, 0.2), seen, 0.1)

    assert found.p50_ms == pytest.approx(5.0)
    assert found.p99_ms == found.p999_ms == pytest.approx(205.0)
    assert (found.cpu_microseconds, found.sender_late_ms) == (pytest.approx(10.0), 200.0)


def test_the_first_seconds_do_not_count() -> None:
    rate = 100.0
    seen = [number / rate + (5.0 if number < SKIPPED_SECONDS * rate else 0.001) for number in range(1000)]

    assert stretch(10, rate, Sent(0.0, 0.0), seen, 0.0).most_ms == pytest.approx(1.0)


def test_a_rate_that_was_not_kept_is_no_figure() -> None:
    def verdict(per_second: float, p99_ms: float) -> str:
        kept = Stretch(50, 1000.0, 20_000, per_second, 1.0, p99_ms, p99_ms, p99_ms, 0.0, 10.0)
        return (
            report.document_lines(report.Found(2000.0, 1, 1, [kept], Stalls(5.0, 0, 0.0, 0.0))).splitlines()[-1].rsplit("|", 2)[1].strip()
        )

    assert verdict(999.0, 20.0) == "met: p99 at most 20"
    assert verdict(999.0, 20.1) == "MISSED: p99 at most 20"
    assert verdict(900.0, 5.0) == "not kept: 900/s"


def test_a_stall_is_what_the_clock_leaped_over() -> None:
    found = stalls(iter([0.0, 0.0005, 0.0105, 0.0110, 0.0310, 1.0]))

    assert (found.count, found.most_ms) == (3, pytest.approx(969.0))
    assert (found.seconds, found.total_ms) == (1.0, pytest.approx(999.0))
    assert watched(0.01).seconds >= 0.01
