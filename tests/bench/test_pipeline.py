"""`make bench`: the whole pipeline on a real Kafka. KAIROS_BENCH_PEOPLE (100,000), _PARTITIONS (4), _JOURNEYS (brand) and _SEED (1) change what is run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.simulator import simulate
from streams.broker.embedded import EmbeddedBroker
from tests.bench import report, run
from tests.bench.standing import Led, difference

BUILT = run.ROOT / "build" / "bench" / "pipeline.json"
SAY_SECONDS = 5.0


class Progress:
    """Says what is going on, now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = 0.0

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            print(f"  {now - self._began:>6.0f} s  {what}", flush=True)


@pytest.fixture
def directory() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="kairos-bench-"))
    yield found
    shutil.rmtree(found)


def _setting(name: str, otherwise: str) -> str:
    return os.environ.get(f"KAIROS_BENCH_{name}", otherwise)


@pytest.mark.bench
def test_a_worker_keeps_its_pace_and_says_what_the_reference_says(directory: Path) -> None:
    say = Progress()
    people = int(_setting("PEOPLE", "100000"))
    print(f"\n{people:,} simulated people, ten interactions each", flush=True)
    simulated = simulate(
        people, int(_setting("SEED", "1")), directory, on_progress=lambda done, _: say(f"simulating: {done:,} of {people:,} people")
    )
    given = run.Input(simulated.interactions_path, _setting("JOURNEYS", "brand"), int(_setting("PARTITIONS", "4")))
    with run.reference(given, directory) as deciding, EmbeddedBroker(directory / "broker") as kafka:
        total = run.preload(kafka.bootstrap, given, say)
        decided = run.await_reference(deciding, directory, total, say)
        expected = decided.led
        found = report.figures(run.measure(kafka, given, total, directory, say), given, total)
        differs = difference(run.led(kafka.bootstrap, say), expected)
    found["valid"] = not differs
    found["reference"] = {"cpu_seconds": decided.cpu_seconds, "memory_bytes": decided.memory_bytes}
    found["led_to"] = _shown(expected)
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    BUILT.write_text(json.dumps(found, indent=1) + "\n")
    print(report.table(found))
    print(f"  digest {expected.digest}, {expected.customers:,} customers, {sum(expected.moments_by_name.values()):,} moments")
    print(f"  {'the same as the reference' if not differs else 'VOID: it is not what the reference led to'}; {BUILT.relative_to(run.ROOT)}")
    assert not differs, f"VOID (found, expected): {differs}"


def _shown(led: Led) -> dict[str, object]:
    return {name: getattr(led, name) for name in led.__struct_fields__}
