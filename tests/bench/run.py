"""One measured run: records preloaded on a real Kafka, one worker, until nothing is left to do.

The rule this module owns: while the worker is measured nothing else of ours runs: the input is made, its reference decided and the topic filled before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
import psutil
from msgspec import Struct

from connectors.consumer import read_topic
from connectors.jsonl.source import READER
from connectors.producer import play
from schemas import topics
from streams import instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from streams.cli.settle import Watch
from streams.cli.topics import declared
from tests.bench.reference import Decided
from tests.bench.standing import EMITTED, WANTED_TAGS, Led, Standing

ROOT = Path(__file__).resolve().parents[2]
APP_ID = "bench"
SECRET = "a secret of the benchmark"
UNTIL = instants.parse("2025-05-01T00:00:00Z") or 0
"""Two quiet months after the last of the input, in which deadlines fall due."""
INPUTS = (topics.INTERACTIONS, topics.IDENTITY)
MEMORY_AT = 0.2
STALL_SECONDS_MAX = 180.0
LOOK_SECONDS = 0.5
STOP_SECONDS_MAX = 60.0

Say = Callable[[str], None]


class Sample(Struct):
    """What the worker wrote at a commit (worker.py); `at` is this machine's monotonic clock, seconds; all else adds up from its start."""

    at: float
    cpu: float
    threads: dict[str, float]
    rss: int
    counts: dict[str, int]
    seconds: dict[str, float]
    bytes: dict[str, int]
    rows: dict[str, int]
    batches: dict[str, int]
    queued: float
    """Seconds in which the loop's thread could have run but had no processor: others of the machine, the broker among them, had it."""

    @property
    def applied(self) -> int:
        """Interactions that a timeline took in, or had."""
        return self.counts.get("kairos_interactions_applied", 0) + self.counts.get("kairos_interactions_duplicate", 0)


class Measured(NamedTuple):
    """`first`: at the worker's first committed batch, of whatever topic, so that what intake does ahead is in the time; `last`: when everything was
    applied; `settled`: the worker's last. `early_rss`: memory at MEMORY_AT of it all. `broker_cpu`: CPU seconds of Kafka between first and last."""

    first: Sample
    last: Sample
    settled: Sample
    early_rss: int
    samples: int
    broker_cpu: float


class Broker:
    """Kafka's own CPU time, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._looks: list[tuple[float, float]] = []
        self.look()

    def look(self) -> None:
        """Note what it has spent so far."""
        spent = self._process.cpu_times()
        self._looks.append((time.monotonic(), spent.user + spent.system))

    def spent_by(self, at: float) -> float:
        """CPU seconds spent by a time between the first look and the last, which lie half a second apart."""
        after = min(bisect_left(self._looks, (at, 0.0)), len(self._looks) - 1)
        (before_at, before), (after_at, spent) = self._looks[max(0, after - 1)], self._looks[after]
        return before + (spent - before) * min(1.0, (at - before_at) / max(1e-9, after_at - before_at))


class Input(NamedTuple):
    """A file of interactions and the journeys that judge them."""

    path: Path
    journeys: str
    partitions: int


@contextmanager
def in_background(module: str, *arguments: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of ours, on a leash where it asks for one; it is gone when the block ends."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**ours, **environment},
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS_MAX)
            process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def reference(given: Input, directory: Path) -> Any:
    """Begin to decide the reference, in a process of its own; a context manager."""
    out = str(directory / "reference.json")
    return in_background("tests.bench.reference", str(given.path), str(UNTIL), given.journeys, SECRET, out, log=directory / "reference.log")


def await_reference(process: subprocess.Popen[bytes], directory: Path, total: int, say: Say) -> Decided:
    """What the reference led to and took, once it is decided; an AssertionError with its log where it ended otherwise."""
    out, progress = directory / "reference.json", directory / "reference.json.progress"
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        if progress.exists():
            done = int(progress.read_text() or 0)
            say(f"reference: {done:,} of {total:,}  {100 * done // max(1, total)}%")
    assert process.returncode == 0, (directory / "reference.log").read_text()
    return msgspec.json.decode(out.read_bytes(), type=Decided)


def preload(bootstrap: str, given: Input, say: Say) -> int:
    """Make the topics and put all interactions onto theirs; how many there are."""
    admin.create_topics(bootstrap, declared(given.partitions))
    played = play(
        bootstrap,
        READER,
        given.path,
        topic=topics.INTERACTIONS,
        partitions=given.partitions,
        until=UNTIL,
        secret=SECRET.encode(),
        on_progress=lambda so_far: say(f"preloading: {so_far.read:,}"),
    )
    return played.read


def measure(kafka: EmbeddedBroker, given: Input, total: int, directory: Path, say: Say) -> Measured:
    """Run the worker until nothing is left to do; an AssertionError with its log where it ends or stalls before."""
    bootstrap, broker = kafka.bootstrap, Broker(kafka.pid)
    samples, log = directory / "samples.jsonl", directory / "worker.log"
    settings = {
        "app_id": APP_ID,
        "data_dir": str(directory / "worker"),
        "secret": SECRET,
        "partitions": str(given.partitions),
        "journeys": given.journeys,
        "clock": "replay",
    }
    environment = {f"KAIROS_{name.upper()}": value for name, value in settings.items()}
    arguments = ("worker", "--leash", "--broker", bootstrap)
    watch = Watch(bootstrap, APP_ID, INPUTS, given.partitions)
    try:
        with in_background("tests.bench.worker", *arguments, log=log, BENCH_SAMPLES=str(samples), **environment) as worker:
            _await_settled(worker, watch, broker, samples, total, log, say)
    finally:
        watch.close()
    return _measured(samples, broker)


def led(bootstrap: str, say: Say) -> Led:
    """What the run led to, as a reader of committed records finds it."""
    standing = Standing()
    for topic in EMITTED:
        say(f"reading {topic}")
        for record in read_topic(bootstrap, topic):
            assert record.value is not None
            standing.hear(topic, record.value)
    say("reading the changelog")
    return standing.led(state.rows(read_topic(bootstrap, f"{APP_ID}-customers-changelog"), lambda key: key.startswith(WANTED_TAGS)))


def _await_settled(worker: subprocess.Popen[bytes], watch: Watch, broker: Broker, samples: Path, total: int, log: Path, say: Say) -> None:
    moved, size, began = time.monotonic(), 0, time.monotonic()
    while True:
        time.sleep(LOOK_SECONDS)
        broker.look()
        assert worker.poll() is None, f"the worker ended with {worker.returncode}\n{log.read_text()[-4000:]}"
        now = time.monotonic()
        written = samples.stat().st_size if samples.exists() else 0
        if written != size:
            size, moved = written, now
            if (last := _last(samples)) is not None:
                pace = last.applied / max(1e-9, now - began)
                say(f"measuring: {last.applied:,} of {total:,}  {pace:,.0f}/s  {last.rss >> 20} MiB")
        elif now - moved > 2 * LOOK_SECONDS:  # Looked at only when it seems to be done: a look costs the broker time.
            if watch.is_settled(watch.look()):
                return
            assert now - moved < STALL_SECONDS_MAX, f"nothing moves\n{log.read_text()[-4000:]}"


def _measured(path: Path, broker: Broker) -> Measured:
    read = [Sample(**orjson.loads(line)) for line in path.read_bytes().splitlines()]
    first, most = read[0], read[-1].applied
    last = next(sample for sample in read if sample.applied == most)
    early = next(sample for sample in read if sample.applied >= MEMORY_AT * most)
    return Measured(first, last, read[-1], early.rss, len(read), broker.spent_by(last.at) - broker.spent_by(first.at))


def _last(path: Path) -> Sample | None:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
        lines = file.read().split(b"\n")
    return Sample(**orjson.loads(lines[-2])) if len(lines) > 2 else None
