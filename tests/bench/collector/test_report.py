"""What is aimed at is judged by batches of a hundred, and by no rate that was not kept."""

from __future__ import annotations

from tests.bench.collector import report


def verdicts(batch: int, cpu_microseconds: float, kept: float, p99_ms: float) -> list[str]:
    greatest = report.Stretch(40_000, cpu_microseconds, 1.0, 1.0, 1.0, 1.0, 0.0)
    half = report.Stretch(20_000 * kept, 10.0, 1.0, p99_ms, p99_ms, p99_ms, 0.0)
    return [each.split(":")[0] for each in report.Row(batch, 20_000, greatest, half, 0).verdicts()]


def test_an_aim_is_met_or_missed_or_the_rate_was_not_kept() -> None:
    assert verdicts(100, 50.0, 1.0, 25.0) == ["met", "met"]
    assert verdicts(100, 50.1, 1.0, 25.1) == ["MISSED", "MISSED"]
    assert verdicts(100, 50.0, 0.9, 5.0) == ["met", "not kept"]
    assert verdicts(1, 500.0, 1.0, 500.0) == []


def test_a_percentile_is_one_of_the_times() -> None:
    took = [number / 1000 for number in range(1, 101)]

    assert [report.percentile(took, part) for part in (0.5, 0.99, 1.0)] == [51.0, 100.0, 100.0]
