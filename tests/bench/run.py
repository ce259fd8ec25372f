"""One measured run: records preloaded on a real Kafka, one worker or more, until nothing is left to do.

The rule this module owns: while workers are measured nothing else of ours runs: the input is made, its reference decided and the topic filled before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import psutil

from connectors.consumer import Record, read_topic
from connectors.jsonl.source import READER
from connectors.producer import play
from schemas import topics
from streams import instants
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from streams.cli.settle import Watch
from streams.cli.topics import declared
from tests.bench import samples
from tests.bench.progress import Progress
from tests.bench.reference import Decided
from tests.bench.standing import EMITTED, WANTED_TAGS, Led, Standing

ROOT = Path(__file__).resolve().parents[2]
APP_ID = "bench"
SECRET = "a secret of the benchmark"
UNTIL = instants.parse("2025-05-01T00:00:00Z") or 0
"""Two quiet months after the last of the input, in which deadlines fall due."""
INPUTS = (topics.INTERACTIONS, topics.IDENTITY)
CHANGELOG = f"{APP_ID}-customers-changelog"
STALL_SECONDS_MAX = 180.0
LOOK_SECONDS = 0.5
LOOK_RECORDS = 10_000
STOP_SECONDS_MAX = 60.0


class Measured(NamedTuple):
    """What the workers wrote, and what Kafka spent meanwhile: CPU seconds between the first sample and the last."""

    found: samples.Found
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
    """A file of so many lines, most of them interactions, and the journeys that judge them."""

    path: Path
    lines: int
    journeys: str
    partitions: int


class Program(NamedTuple):
    """A Python module of ours as a process: its arguments, where it writes, its environment beside the machine's."""

    module: str
    arguments: tuple[str, ...]
    log: Path
    environment: dict[str, str]

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, on a leash where it asks for one."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
        with self.log.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                cwd=ROOT,
                env={**ours, **self.environment},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def log_end(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text()[-4000:]


@contextmanager
def in_background(*programs: Program) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Their processes; they are gone when the block ends, all told at once, so that none takes over from another."""
    started = [program.start() for program in programs]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS_MAX)
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


class Deciding:
    """The reference, in a process of its own while the block lasts."""

    def __init__(self, given: Input, directory: Path, progress: Progress) -> None:
        self._out = directory / "reference.json"
        arguments = (str(given.path), str(UNTIL), given.journeys, SECRET, str(self._out))
        self._program = Program("tests.bench.reference", arguments, directory / "reference.log", {})
        self._phase = progress.phase("reference", given.lines)
        self._stack = ExitStack()
        self._decided: Decided | None = None

    def __enter__(self) -> Self:
        (self._process,) = self._stack.enter_context(in_background(self._program))
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def wait(self) -> Decided:
        """What it led to and took, once it is decided; an AssertionError with its log where it ended otherwise."""
        if self._decided is None:
            self._decided = self._awaited()
        return self._decided

    def _awaited(self) -> Decided:
        so_far = self._out.with_name(f"{self._out.name}.progress")
        while self._process.poll() is None:
            time.sleep(LOOK_SECONDS)
            self._phase.at(int((so_far.exists() and so_far.read_text()) or 0))
        assert self._process.returncode == 0, self._program.log_end()
        decided = msgspec.json.decode(self._out.read_bytes(), type=Decided)
        self._phase.end(int(so_far.read_text()), f"{decided.cpu_seconds:.0f} s of CPU, {decided.memory_bytes >> 20} MiB at most")
        return decided


def preload(bootstrap: str, given: Input, progress: Progress) -> None:
    """Make the topics and put all interactions onto theirs."""
    phase = progress.phase("preloading", given.lines)
    admin.create_topics(bootstrap, declared(given.partitions))
    played = play(
        bootstrap,
        READER,
        given.path,
        topic=topics.INTERACTIONS,
        partitions=given.partitions,
        until=UNTIL,
        secret=SECRET.encode(),
        on_progress=lambda so_far: phase.at(so_far.read),
    )
    phase.end(played.read)


def measure(kafka: EmbeddedBroker, given: Input, workers: int, expected: int, directory: Path, progress: Progress) -> Measured:
    """Run so many workers until nothing is left to do; an AssertionError with its log where one ends or stalls before. `expected`: how many interactions
    are going to be applied, as far as is known."""
    broker, files = Broker(kafka.pid), [directory / f"samples-{number}.jsonl" for number in range(workers)]
    programs = [_worker(kafka.bootstrap, given, file, directory / f"worker-{number}") for number, file in enumerate(files)]
    watch = Watch(kafka.bootstrap, APP_ID, INPUTS, given.partitions)
    try:
        with in_background(*programs) as started:
            _await_settled([*zip(started, programs, strict=True)], watch, broker, files, expected, progress)
    finally:
        watch.close()
    found = samples.found([samples.read(file) for file in files])
    return Measured(found, broker.spent_by(found.last.at) - broker.spent_by(found.first.at))


def led(bootstrap: str, progress: Progress) -> Led:
    """What the run led to, as a reader of committed records finds it."""
    standing = Standing()
    for topic in EMITTED:
        for record in _read(bootstrap, topic, progress):
            assert record.value is not None
            standing.hear(topic, record.value)
    return standing.led(state.rows(_read(bootstrap, CHANGELOG, progress), lambda key: key.startswith(WANTED_TAGS)))


def _read(bootstrap: str, topic: str, progress: Progress) -> Iterator[Record]:
    ends = {place[1]: end for place, end in admin.end_offsets(bootstrap, [topic]).items()}
    phase, reached = progress.phase("comparing", sum(ends.values()), f"offsets of {topic}"), dict.fromkeys(ends, 0)
    for number, record in enumerate(read_topic(bootstrap, topic), 1):
        reached[record.partition] = record.offset + 1
        if number % LOOK_RECORDS == 0:
            phase.at(sum(reached.values()))
        yield record
    phase.end(sum(ends.values()))


def _worker(bootstrap: str, given: Input, file: Path, directory: Path) -> Program:
    settings = {
        "app_id": APP_ID,
        "data_dir": str(directory),
        "secret": SECRET,
        "partitions": str(given.partitions),
        "journeys": given.journeys,
        "clock": "replay",
    }
    environment = {f"KAIROS_{name.upper()}": value for name, value in settings.items()}
    arguments = ("worker", "--leash", "--broker", bootstrap)
    return Program("tests.bench.worker", arguments, directory.with_suffix(".log"), {**environment, "BENCH_SAMPLES": str(file)})


def _await_settled(
    workers: Sequence[tuple[subprocess.Popen[bytes], Program]],
    watch: Watch,
    broker: Broker,
    files: Sequence[Path],
    expected: int,
    progress: Progress,
) -> None:
    measuring, settling, fallen = None, None, 0
    moved, size = time.monotonic(), 0
    while True:
        time.sleep(LOOK_SECONDS)
        broker.look()
        for process, program in workers:
            assert process.poll() is None, f"a worker ended with {process.returncode}\n{program.log_end()}"
        now, written = time.monotonic(), sum(file.stat().st_size for file in files if file.exists())
        if written != size:
            size, moved = written, now
            so_far = samples.summed([one for file in files if (one := samples.newest(file)) is not None], now)
            more = f"{so_far.deadlines:,} deadlines  {so_far.rss >> 20} MiB"
            if settling is not None:
                settling.at(so_far.deadlines - fallen, f"{so_far.rss >> 20} MiB")
                continue
            if measuring is None:  # What the workers took to start is not in it.
                measuring = progress.phase("measuring", expected)
            measuring.at(so_far.applied, more)
            if so_far.applied >= expected:
                measuring.end(so_far.applied, more)
                settling, fallen = progress.phase("settling", of="deadlines"), so_far.deadlines
        elif now - moved > 2 * LOOK_SECONDS:  # Looked at only when it seems to be done: a look costs the broker time.
            if watch.is_settled(watch.look()):
                if phase := settling or measuring:
                    phase.end()
                return
            assert now - moved < STALL_SECONDS_MAX, f"nothing moves\n{workers[0][1].log_end()}"
