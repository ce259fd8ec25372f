"""`make soak-engine`: everything that may happen to the engine, on a real Kafka, and the table of what came of it.

--docs (show it in docs/engine.md), --only (a pytest expression, as -k), --add (add to what build/soak/engine.json has, instead of beginning anew; of a
test that was run before the last outcome counts).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from tests.bench.engine.report import processor, wide
from tests.bench.engine.systems import ROOT
from tests.faults import ledger, report

FOUND = ROOT / "build" / "soak" / "engine.json"


class Outcomes:
    """Which tests passed and which did not, as pytest tells it."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rsplit("/", 1)[-1]
        if report.failed and name not in self.failed:
            self.failed.append(name)
        elif report.when == "call" and report.passed:
            self.passed.append(name)


def main() -> int:
    """Run, add up, print, write."""
    parser = argparse.ArgumentParser(prog="make soak-engine ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="show the figures in docs/engine.md")
    parser.add_argument("--add", action="store_true", help=f"add to what {FOUND.name} has")
    parser.add_argument("--only", default="", help="tests that this pytest expression picks")
    chosen = parser.parse_args()
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    before = msgspec.json.decode(FOUND.read_bytes(), type=report.Found) if chosen.add and FOUND.exists() else None
    with tempfile.TemporaryDirectory(prefix="kairos-ledger-") as directory:
        found = _run(Path(directory) / "ledger", chosen.only)
    kept = found if before is None else added(before, found)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2))
    wide().print(report.table(kept))
    if chosen.docs:
        report.document_figures(FOUND)
    return 1 if found.failed else 0


def _run(path: Path, only: str) -> report.Found:
    path.touch()
    os.environ[ledger.ENVIRONMENT] = str(path)
    outcomes, began, load = Outcomes(), time.monotonic(), os.getloadavg()[0]
    tests = sorted(str(file) for file in Path(__file__).parent.glob("test_engine_*.py"))
    picked = ["-k", only] if only else []
    pytest.main([*tests, "-m", "not bench", "-n", "0", "-o", "faulthandler_timeout=0", "--durations=15", *picked], plugins=[outcomes])
    entries = [msgspec.json.decode(line, type=ledger.Entry) for line in path.read_bytes().splitlines()]
    minutes = (time.monotonic() - began) / 60
    return report.Found(processor(), os.cpu_count() or 1, sorted(outcomes.passed), outcomes.failed, minutes, load, entries)


def added(before: report.Found, found: report.Found) -> report.Found:
    """What two runs come to: every fault of both, and of each test the later outcome."""
    ran = {*found.passed, *found.failed}
    return msgspec.structs.replace(
        found,
        passed=sorted({*before.passed, *found.passed} - {*found.failed}),
        failed=[test for test in before.failed if test not in ran] + found.failed,
        minutes=before.minutes + found.minutes,
        load=max(before.load, found.load),
        entries=before.entries + found.entries,
    )


if __name__ == "__main__":
    sys.exit(main())
