"""`make bench`: the whole pipeline on a real Kafka, measured with one worker, then with two.

ARGS="PEOPLE=5000 WORKERS=1" (or the same in the environment, as KAIROS_BENCH_PEOPLE and so on) changes what is run: DEFAULTS.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.simulator import simulate
from streams.broker.embedded import EmbeddedBroker
from tests.bench import report, run
from tests.bench.progress import Progress
from tests.bench.reference import Decided
from tests.bench.standing import Led, difference

BUILT = run.ROOT / "build" / "bench" / "pipeline.json"
PREFIX = "KAIROS_BENCH_"
DEFAULTS = {"PEOPLE": "100000", "WORKERS": "1,2", "PARTITIONS": "4", "JOURNEYS": "brand", "SEED": "1"}
"""WORKERS: how many there are in each run, run by run."""


@pytest.fixture
def directory() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="kairos-bench-"))
    yield found
    shutil.rmtree(found)


@pytest.fixture
def settings() -> dict[str, str]:
    """DEFAULTS, but for what the environment says; a name that is none of them is a mistake."""
    given = {name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)}
    assert given.keys() <= DEFAULTS.keys(), f"the bench knows {', '.join(DEFAULTS)}"
    return DEFAULTS | given


@pytest.mark.bench
def test_workers_keep_their_pace_and_say_what_the_reference_says(directory: Path, settings: dict[str, str]) -> None:
    progress = Progress()
    given = _simulated(directory, settings, progress)
    runs: dict[str, dict[str, Any]] = {}
    with run.Deciding(given, directory, progress) as deciding:
        for workers in map(int, settings["WORKERS"].split(",")):
            with _filled(directory / str(workers), given, progress) as kafka:
                decided = deciding.wait()
                progress.say(report.name_of(workers))
                runs[report.name_of(workers)] = _measured(kafka, given, workers, decided, directory / str(workers), progress)
            _keep(runs, decided)
    print(report.rows(runs))
    print(f"  digest {decided.led.digest}, {decided.led.customers:,} customers, {sum(decided.led.moments_by_name.values()):,} moments")
    print(f"  {BUILT.relative_to(run.ROOT)}")
    differs = {name: one["differs"] for name, one in runs.items() if not one["valid"]}
    assert not differs, f"VOID (found, expected): {differs}"


def _simulated(directory: Path, settings: dict[str, str], progress: Progress) -> run.Input:
    people = int(settings["PEOPLE"])
    progress.say(f"{people:,} simulated people, ten interactions each")
    phase = progress.phase("simulating", people, "people")
    simulated = simulate(people, int(settings["SEED"]), directory, on_progress=lambda done, _: phase.at(done))
    phase.end(people, f"{simulated.lines:,} lines")
    return run.Input(simulated.interactions_path, simulated.lines, settings["JOURNEYS"], int(settings["PARTITIONS"]))


@contextmanager
def _filled(directory: Path, given: run.Input, progress: Progress) -> Iterator[EmbeddedBroker]:
    """A new Kafka with all interactions on it; nothing of the directory is left when the block ends."""
    with EmbeddedBroker(directory / "broker") as kafka:
        run.preload(kafka.bootstrap, given, progress)
        yield kafka
    shutil.rmtree(directory)


def _measured(
    kafka: EmbeddedBroker, given: run.Input, workers: int, decided: Decided, directory: Path, progress: Progress
) -> dict[str, Any]:
    found = report.figures(run.measure(kafka, given, workers, decided.applied, directory, progress), given)
    differs = difference(run.led(kafka.bootstrap, progress), decided.led)
    print(report.table(found))
    print(f"  {'VOID: it is not what the reference led to' if differs else 'the same as the reference'}\n", flush=True)
    return {**found, "valid": not differs, "differs": differs}


def _keep(runs: dict[str, dict[str, Any]], decided: Decided) -> None:
    took = {"applied": decided.applied, "cpu_seconds": decided.cpu_seconds, "memory_bytes": decided.memory_bytes}
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    BUILT.write_text(json.dumps({"runs": runs, "reference": {**took, "led_to": _shown(decided.led)}}, indent=1) + "\n")


def _shown(led: Led) -> dict[str, object]:
    return {name: getattr(led, name) for name in led.__struct_fields__}
