"""`make bench-latency`: how long it takes from an interaction until its output can be read as committed, one hop, at shares of the greatest rate.

--seconds (20 at each share), --shares 10,50,80, --customers (20,000). The work is that of `make bench-engine` with an output for every interaction.
The greatest rate is that of the same sender, engine and reader together, with interactions sent as fast as they can be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from tests.bench.engine.load import make_topic
from tests.bench.engine.measure import Failed, running
from tests.bench.engine.prepare import Ready
from tests.bench.engine.report import wide
from tests.bench.engine.systems import BUILT
from tests.bench.engine.task import Task
from tests.bench.latency import report
from tests.bench.latency.hop import Hop, Stretch
from tests.bench.latency.stalls import watched

FOUND = BUILT / "latency.json"
BURST = 300_000
"""So many are sent as fast as they can be, to see what the greatest rate is."""
LOOK_SECONDS = 5.0
"""So long the machine is watched before anything is started."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-latency ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--shares", default="10,50,80", help="per cent of the greatest rate")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--burst", type=int, default=BURST)
    parser.add_argument("--docs", action="store_true", help="show the figures in docs/engine.md")
    chosen = parser.parse_args()
    directory, console = Path(tempfile.mkdtemp(prefix="kairos-bench-latency-")), wide()
    machine = watched(LOOK_SECONDS)
    console.print(f"the machine: {machine}")
    try:
        with EmbeddedBroker(directory / "broker") as kafka:
            console.print(f"the greatest rate: {chosen.burst:,} interactions as fast as they can be sent")
            burst = _measured(kafka, directory / "burst", chosen.customers, chosen.burst, 0.0)
            greatest, found = burst.per_second, []
            for share in map(int, chosen.shares.split(",")):
                rate = greatest * share / 100
                console.print(f"{share}% of {greatest:,.0f}/s for {chosen.seconds:g} s")
                found.append(_measured(kafka, directory / str(share), chosen.customers, int(rate * chosen.seconds), rate, share))
    except Failed as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    kept = report.Found(greatest, burst.events, chosen.customers, found, machine)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2))
    console.print(report.table(kept))
    console.print(f"{FOUND} is written")
    if chosen.docs:
        report.document_figures(FOUND)


def _measured(kafka: EmbeddedBroker, directory: Path, customers: int, events: int, rate: float, share: int = 100) -> Stretch:
    """One engine with new topics and an empty directory."""
    name = directory.name
    task = Task(
        kafka.bootstrap,
        f"latency-{name}",
        f"{name}-input",
        f"{name}-outputs",
        events,
        str(directory / "state"),
        str(directory / "marks"),
        {"guarantee": "exactly_once", "output_every": "1"},
    )
    (directory / "state").mkdir(parents=True)
    for topic in (task.input, task.outputs):
        make_topic(kafka.bootstrap, topic)
    with running(Ready([sys.executable, "-m", "tests.bench.engine.peers.engine"], ""), task, directory / "log") as process:
        stretch = Hop(kafka, task, process, customers).crossed(events, rate, share)
    admin.delete_topics(kafka.bootstrap, [task.input, task.outputs, f"{task.run}-customers-changelog"])
    shutil.rmtree(directory)
    return stretch


if __name__ == "__main__":
    main()
