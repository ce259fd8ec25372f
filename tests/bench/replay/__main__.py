"""`make bench-replay`: how fast a replay is beside a live worker: the same interactions on the same Kafka, one worker each, by turns.

--people (10,000 simulated, ten interactions each), --rounds (3). Live, the topic is full before the worker starts: that is its greatest speed. Of a replay
all is measured that `kairos replay run` does: feeding and deciding at once. What differs between the two afterwards must be nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec
from rich.console import Console
from rich.table import Table

from streams.broker.embedded import EmbeddedBroker
from streams.replay.shadow import Shadow
from tests.bench.engine.systems import BUILT, ROOT
from tests.bench.replay import pace
from tests.bench.replay.pace import Pace
from tests.pipeline import sources
from tests.pipeline.harness import Pipeline
from tests.pipeline.replays import Live, environment

FOUND = BUILT / "replay.json"
PARTITIONS = 4
NAME = "bench"


class Round(msgspec.Struct, frozen=True):
    """One turn of both, the replay's share of the live speed, and the machine's load before it, as the kernel averages it over a minute."""

    live: Pace
    replay: Pace
    share: float
    load: float


class Found(msgspec.Struct, frozen=True):
    """What is written."""

    interactions: int
    partitions: int
    share: float
    """The median."""
    rounds: list[Round]


def main() -> None:
    """Measure, check, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-replay ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen, console = parser.parse_args(), Console()
    directory = Path(tempfile.mkdtemp(prefix="kairos-bench-replay-"))
    try:
        source = sources.people(chosen.people, directory / "people")
        with source.path.open("rb") as file:
            interactions = sum(1 for _ in file)
        with EmbeddedBroker(directory / "broker") as kafka:
            rounds = [_round(kafka.bootstrap, directory / str(number), source, interactions, console) for number in range(chosen.rounds)]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    found = Found(interactions, PARTITIONS, median(each.share for each in rounds), rounds)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    console.print(_table(found))
    console.print(f"{FOUND} is written")


def _round(bootstrap: str, directory: Path, source: sources.Source, interactions: int, console: Console) -> Round:
    load = os.getloadavg()[0]
    with Pipeline(bootstrap, directory, PARTITIONS, source.journeys) as pipeline:
        pipeline.play(source)
        worker = pipeline.worker()
        live = pace.of(pace.look_on(bootstrap, pipeline.app_id, PARTITIONS, goes_on=worker.check), interactions)
        console.print(f"live    {live.interactions_per_second:8,.0f} interactions a second over {live.seconds:.1f} s")
        pipeline.await_settled([worker])
        worker.stop()
        kairos = Live(pipeline, directory, [], set(), environment(pipeline, directory / "data", source.journeys, "replay"))
        replay = _replayed(kairos, interactions)
        console.print(f"replay  {replay.interactions_per_second:8,.0f} interactions a second over {replay.seconds:.1f} s")
    return Round(live, replay, replay.interactions_per_second / live.interactions_per_second, load)


def _replayed(kairos: Live, interactions: int) -> Pace:
    kairos.answer("plan", "--name", NAME, *kairos.broker)
    shadow = Shadow(NAME, kairos.pipeline.app_id)
    shadow.create(kairos.pipeline.bootstrap, PARTITIONS)
    command = [sys.executable, "-m", "streams.cli", "replay", "run", NAME, "--json", *kairos.broker]
    process = subprocess.Popen(command, env=kairos.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def goes_on() -> None:
        if process.poll() not in (None, 0):
            sys.exit(f"the replay ended with {process.returncode}")

    looks = pace.look_on(kairos.pipeline.bootstrap, shadow.app_id, PARTITIONS, prefix=shadow.topic_prefix, goes_on=goes_on)
    if process.wait():
        sys.exit(f"the replay ended with {process.returncode}")
    found = kairos.answer("diff", NAME, *kairos.broker)
    if found["differences"]:
        sys.exit(f"the replay differs: {json.dumps(found['counts'])}")
    kairos.kairos("clean", NAME, "--yes", *kairos.broker)
    return pace.of(looks, interactions)


def _table(found: Found) -> Table:
    table = Table(title=f"{found.interactions:,} interactions over {found.partitions} partitions, one worker, interactions a second")
    for name in ("round", "live", "replay", "replay / live", "load before"):
        table.add_column(name, justify="right")
    for number, each in enumerate(found.rounds, 1):
        paces = (f"{one.interactions_per_second:,.0f}" for one in (each.live, each.replay))
        table.add_row(str(number), *paces, f"{each.share:.0%}", f"{each.load:.1f}")
    table.add_row("median", "", "", f"{found.share:.0%}", "")
    return table


if __name__ == "__main__":
    main()
