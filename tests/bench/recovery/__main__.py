"""`make bench-recovery`: one worker with an empty directory before a full changelog, on a real Kafka; how many rows a second it restores.

--rows (2,000,000 of 300 bytes over 4 partitions), --keys (as many), --rounds (3), --docs. What the stores hold afterwards is compared with what was written.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console

from streams.broker.embedded import EmbeddedBroker
from streams.engine.changelog import changelog_topic
from streams.engine.settings import EngineSettings
from streams.engine.store import Memory, Owner, Store
from tests.bench.engine.report import processor
from tests.bench.engine.systems import BUILT, ROOT
from tests.bench.engine.work import Sum
from tests.bench.recovery import report
from tests.bench.recovery.load import PARTITIONS, TAG, fill
from tests.bench.recovery.report import Found, Round
from tests.bench.recovery.worker import Took

FOUND = BUILT / "recovery.json"
APP, SOURCE, TABLE = "recovery", "recovery-input", "rows"
BEHIND_THE_TAG = bytes([TAG[0] + 1])


def main() -> None:
    """Fill, measure, check, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-recovery ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--keys", type=int, default=0, help="so many different ones; as many as rows unless told")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--docs", action="store_true", help="show the figures in docs/engine.md")
    chosen = parser.parse_args()
    keys, console = chosen.keys or chosen.rows, Console()
    directory = Path(tempfile.mkdtemp(prefix="kairos-bench-recovery-"))
    try:
        with EmbeddedBroker(directory / "broker") as kafka:
            console.print(f"writing a changelog of {chosen.rows:,} rows, {keys:,} keys")
            held = fill(kafka.bootstrap, APP, SOURCE, changelog_topic(APP, TABLE), chosen.rows, keys)
            rounds = []
            for number in range(chosen.rounds):
                rounds.append(_round(kafka.bootstrap, directory / f"state-{number}", chosen.rows, held))
                shutil.rmtree(directory / f"state-{number}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found = Found(processor(), chosen.rows, keys, PARTITIONS, median(each.rows_per_second for each in rounds), rounds)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    console.print(report.table(found))
    console.print(f"{FOUND} is written")
    if chosen.docs:
        report.document_figures(FOUND)


def _round(bootstrap: str, state: Path, rows: int, held: Sum) -> Round:
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "tests.bench.recovery.worker", bootstrap, APP, SOURCE, TABLE, str(state)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    took = msgspec.json.decode(done.stdout.splitlines()[-1], type=Took)
    restored = _held(state)
    if (restored.count, restored.digest) != (held.count, held.digest):
        sys.exit(f"the stores hold {restored.count:,} rows that are not the {held.count:,} that were written")
    return Round(took, rows / took.seconds, took.cpu_seconds / rows * 1e6, load)


def _held(state: Path) -> Sum:
    memory, held = Memory(EngineSettings(app_id=APP, bootstrap="", state_dir=state)), Sum()
    for partition in range(PARTITIONS):
        store = Store(state / f"{SOURCE}-{partition}", Owner(APP, SOURCE, partition), memory)
        for key, value in store.scan(TAG, BEHIND_THE_TAG):
            held.add(key, value)
        store.close()
    return held


if __name__ == "__main__":
    main()
