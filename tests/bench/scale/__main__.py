"""`make bench-scale`: what more customers, more partitions and a second worker cost, on a real Kafka.

--events (500,000 of any customer), --customers 10000,100000,1000000,10000000 (rows of 300 bytes, restored before), --partitions 16,64 and --workers 2 (beside
4 and one, with 100,000 customers). Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from streams.broker.embedded import EmbeddedBroker
from tests.bench.engine.measure import Failed
from tests.bench.engine.report import wide
from tests.bench.engine.systems import BUILT
from tests.bench.scale import report
from tests.bench.scale.case import Case, Kept, measured

FOUND = BUILT / "scale.json"
BASE_CUSTOMERS, BASE_PARTITIONS = 100_000, 4


def main() -> None:
    """Measure case by case, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-scale ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--customers", default="10000,100000,1000000,10000000")
    parser.add_argument("--partitions", default="16,64", help="with 100,000 customers")
    parser.add_argument("--workers", default="2", help="with 100,000 customers and 4 partitions")
    parser.add_argument("--docs", action="store_true", help="show the figures in docs/engine.md")
    chosen = parser.parse_args()
    cases = [Case(customers, BASE_PARTITIONS, 1) for customers in _numbers(chosen.customers)]
    cases += [Case(BASE_CUSTOMERS, partitions, 1) for partitions in _numbers(chosen.partitions)]
    cases += [Case(BASE_CUSTOMERS, BASE_PARTITIONS, workers) for workers in _numbers(chosen.workers)]
    directory, console, kept = Path(tempfile.mkdtemp(prefix="kairos-bench-scale-")), wide(), list[Kept]()
    try:
        for number, case in enumerate(cases):
            console.print(f"{case.customers:,} customers, {case.partitions} partitions, {case.workers} worker{'s' * (case.workers > 1)}")
            place = directory / str(number)
            with EmbeddedBroker(place / "broker") as kafka:
                kept.append(measured(kafka, case, chosen.events, place))
            shutil.rmtree(place)
    except Failed as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found = report.Found(chosen.events, kept)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    console.print(report.table(found))
    console.print(f"{FOUND} is written")
    if chosen.docs:
        report.document_figures(FOUND)


def _numbers(told: str) -> list[int]:
    return [int(each) for each in told.split(",") if each]


if __name__ == "__main__":
    main()
