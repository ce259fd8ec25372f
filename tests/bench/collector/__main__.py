"""`make bench-collector`: how many items a second the collector takes, what each costs it, and how long a request waits for its 200 at half of that rate.

--batches 100,10,1, --seconds (10 as fast as it goes, and as long at half), --connections (32), --rate (items a second instead of half of the greatest
rate). One collector, one Kafka, one client, on one machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import psutil

from streams.broker.embedded import EmbeddedBroker
from tests.bench.collector import report
from tests.bench.collector.client import Order, Sent
from tests.bench.engine.report import wide
from tests.bench.engine.systems import BUILT, ROOT
from tests.connectors.collectors import CollectorRun

FOUND = BUILT / "collector.json"
WARM_UP_SECONDS = 2.0


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-collector ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batches", default="100,10,1", help="items of a request")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, help="items a second at which requests are timed, instead of half of the greatest rate")
    chosen = parser.parse_args()
    directory, console = Path(tempfile.mkdtemp(prefix="kairos-bench-collector-")), wide()
    try:
        with EmbeddedBroker(directory / "broker") as kafka:
            collector = CollectorRun(kafka, directory / "collector")
            with Client(collector, chosen.connections) as client:
                client.sent(100, 0.0, WARM_UP_SECONDS)
                rows = [_row(client, int(batch), chosen.seconds, chosen.rate) for batch in chosen.batches.split(",")]
            collector.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found = report.Found(os.cpu_count() or 1, chosen.connections, chosen.seconds, rows)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    console.print(report.table(found))
    console.print(f"{FOUND} is written")


class Client:
    """The process that sends."""

    def __init__(self, collector: CollectorRun, connections: int) -> None:
        self.collector = psutil.Process(collector.process.pid)
        self._port, self._key, self._connections = collector.port, collector.key, connections

    def __enter__(self) -> Client:
        command = [sys.executable, "-m", "tests.bench.collector.client"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def sent(self, batch: int, rate: float, seconds: float) -> report.Stretch:
        """So long, `rate` items a second, 0 as fast as it goes. An AssertionError where an answer was not 200."""
        assert self._process.stdin is not None and self._process.stdout is not None
        before = self._cpu_seconds()
        order = Order(self._port, self._key, batch, self._connections, rate / batch, seconds)
        self._process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        self._process.stdin.flush()
        found = msgspec.json.decode(self._process.stdout.readline(), type=Sent)
        spent = self._cpu_seconds() - before
        assert not found.refused, f"{found.refused} of {len(found.took)} answers are not 200"
        took, items = sorted(found.took), len(found.took) * batch
        p50, p99, p999, most = (report.percentile(took, part) for part in (0.5, 0.99, 0.999, 1.0))
        return report.Stretch(items / found.seconds, spent / items * 1e6, p50, p99, p999, most, os.getloadavg()[0])

    def _cpu_seconds(self) -> float:
        spent = self.collector.cpu_times()
        return float(spent.user + spent.system)


def _row(client: Client, batch: int, seconds: float, rate: float | None) -> report.Row:
    greatest = client.sent(batch, 0.0, seconds)
    asked = greatest.items_per_second / 2 if rate is None else rate
    return report.Row(batch, asked, greatest, client.sent(batch, asked, seconds), client.collector.memory_info().rss)


if __name__ == "__main__":
    main()
