"""`make bench-engine`: the reference work in this engine and in those a user would pick instead, one after the other on one Kafka.

Sizes by option or environment: --events (KAIROS_BENCH_EVENTS, 2,000,000), --customers (a tenth), --small (a twentieth of the events, for stock
Faust), --rounds (3), --only NAME,NAME. --docs puts the figures into docs/engine.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from tests.bench.engine import document, picture, report
from tests.bench.engine.load import Input, load
from tests.bench.engine.measure import Run, measured
from tests.bench.engine.prepare import NotToBeHad, Ready, prepared
from tests.bench.engine.systems import BUILT, SYSTEMS, System

FOUND, PICTURE = BUILT / "engine.json", BUILT / "engine.svg"
EVENTS_PER_CUSTOMER = 10
SMALL_SHARE = 20


def main() -> None:
    """Measure, print; what is known is written after each run, so that a benchmark that is cut short leaves its figures."""
    chosen, console = _arguments(), report.wide()
    systems = [system for system in SYSTEMS if not chosen.only or system.name in chosen.only.split(",")]
    directory = Path(tempfile.mkdtemp(prefix="kairos-bench-engine-"))
    try:
        ready = _prepared(systems, console)
        with EmbeddedBroker(directory / "broker") as kafka:
            console.print(f"filling the topics: {chosen.events:,} events, and {chosen.small:,} for those marked small")
            full = load(kafka.bootstrap, "interactions", chosen.events, chosen.customers)
            small = load(kafka.bootstrap, "interactions-small", chosen.small, max(1, chosen.small // EVENTS_PER_CUSTOMER))
            runs: dict[str, list[Run]] = {system.name: [] for system in systems}
            for number in range(chosen.rounds):
                for system in systems:
                    made_ready = ready[system.name]
                    if isinstance(made_ready, Ready):
                        given = small if system.is_small else full
                        run = _run(kafka, system, made_ready, given, f"{system.name}-{number}", directory)
                        runs[system.name].append(run)
                        console.print(report.line(system, number, run), highlight=False)
                    found = _written(systems, runs, ready, full, small)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    console.print(report.table(found))
    console.print(f"{FOUND} and {PICTURE} are written")
    if chosen.docs:
        document.write(FOUND)


def _written(systems: list[System], runs: dict[str, list[Run]], ready: dict[str, Ready | str], full: Input, small: Input) -> dict[str, Any]:
    versions = {name: made.versions for name, made in ready.items() if isinstance(made, Ready)}
    missing = {name: made for name, made in ready.items() if isinstance(made, str)}
    found = report.found(systems, runs, versions, missing, full, small)
    report.write(found, FOUND)
    picture.draw(FOUND, PICTURE)
    return found


def _run(kafka: EmbeddedBroker, system: System, ready: Ready, given: Input, name: str, directory: Path) -> Run:
    try:
        return measured(kafka, system, ready, given, name, directory / name)
    finally:
        shutil.rmtree(directory / name, ignore_errors=True)
        left = [topic for topic in (f"{name}-outputs", system.states.topic(name, given.topic) if system.states else None) if topic]
        admin.delete_topics(kafka.bootstrap, left)


def _prepared(systems: list[System], console: Console) -> dict[str, Ready | str]:
    ready: dict[str, Ready | str] = {}
    for system in systems:
        console.print(f"preparing {system.name}")
        try:
            ready[system.name] = prepared(system.program)
        except NotToBeHad as error:
            ready[system.name] = str(error)
    return ready


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-engine ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=_setting("EVENTS", 2_000_000))
    parser.add_argument("--customers", type=int, default=_setting("CUSTOMERS", 0), help="a tenth of the events unless told")
    parser.add_argument("--small", type=int, default=_setting("SMALL", 0), help="events of the small input; a twentieth unless told")
    parser.add_argument("--rounds", type=int, default=_setting("ROUNDS", 3))
    parser.add_argument("--only", default=os.environ.get("KAIROS_BENCH_ONLY", ""), help=", ".join(system.name for system in SYSTEMS))
    parser.add_argument("--docs", action="store_true", help="show the figures in docs/engine.md")
    chosen = parser.parse_args()
    chosen.customers = chosen.customers or max(1, chosen.events // EVENTS_PER_CUSTOMER)
    chosen.small = chosen.small or max(1, chosen.events // SMALL_SHARE)
    return chosen


def _setting(name: str, otherwise: int) -> int:
    return int(os.environ.get(f"KAIROS_BENCH_{name}", otherwise))


if __name__ == "__main__":
    sys.exit(main())
