"""The median of recoveries beside what was wanted."""

from __future__ import annotations

import pytest

from tests.bench.recovery import report
from tests.bench.recovery.report import Found, Round
from tests.bench.recovery.worker import Took


@pytest.mark.parametrize(("rows_per_second", "said"), [(300_000.0, "met"), (299_999.0, "MISSED")])
def test_a_recovery_is_judged_by_its_median(rows_per_second: float, said: str) -> None:
    took = Took(seconds=2_000_000 / rows_per_second, cpu_seconds=8.0, loop_seconds=2.0, memory_bytes=300 << 20)
    found = Found("a processor", 2_000_000, 2_000_000, 4, rows_per_second, [Round(took, rows_per_second, 4.0, 1.0)])

    assert f"{rows_per_second:,.0f} rows/s, wanted >= 300,000: {said};" in report.verdict(found)
    assert report.document_lines(found).splitlines()[4].endswith(f"| {rows_per_second:,.0f} | 4.00 | 1.00 | 300 | 1.0 |")
