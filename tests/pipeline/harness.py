"""A whole Kairos on a real broker: topics made anew, workers as processes of their own, an input played, the wait until nothing is left to do.

The rule this module owns: nothing is timed. Everything waits for a condition, and gives up, with the end of every worker's log, when for minutes
nothing has moved. Topics have fixed names, so one broker runs one pipeline at a time; deleting and making them costs a second, a broker ten.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from connectors.consumer import read_topic
from connectors.producer import Played, play
from schemas import topics
from streams.broker import admin
from streams.cli.settle import Progress, Watch
from streams.cli.topics import declared
from tests.pipeline.outcome import Outcome, outcome_of
from tests.pipeline.sources import Source

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of the tests"
INPUTS = (topics.INTERACTIONS, topics.IDENTITY)
OUTPUTS = tuple(name for name in topics.BY_NAME if name not in INPUTS)
STALL_SECONDS_MAX = 240.0
START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 120.0
REQUEST_SECONDS_MAX = 120.0
SETTLED_LOOKS = 2
LOG_CHARACTERS_SHOWN = 4_000


class Worker:
    """One `kairos worker` process, on a leash: it ends with the tests, however they end."""

    def __init__(self, bootstrap: str, directory: Path, log: Path, environment: dict[str, str], module: str = "streams.cli") -> None:
        self.directory = directory
        self._log = log
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_") and name != "KAFKA_BOOTSTRAP"}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "worker", "--leash", "--broker", bootstrap],
                cwd=ROOT,
                env={**ours, **environment, "KAIROS_DATA_DIR": str(directory), "KAIROS_METRICS_PORT": "0"},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def log(self) -> str:
        """The end of what it wrote."""
        return f"--- {self._log}\n{self._log.read_text(errors='replace')[-LOG_CHARACTERS_SHOWN:]}"

    def check(self) -> None:
        """An AssertionError where it has ended by itself."""
        assert self.process.poll() is None, f"a worker ended with {self.process.returncode}\n{self.log()}"

    def is_ready(self) -> bool:
        """Whether it has partitions, and each of them hands out batches."""
        return b'"ready":true' in (self._page("health") or b"")

    def counts(self) -> Counter[tuple[str, ...]]:
        """What it has counted so far: (metric, label value...) of every counter of Kairos; empty once it is gone."""
        page = (self._page("metrics") or b"").decode()
        found: Counter[tuple[str, ...]] = Counter()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name.startswith("kairos_") and sample.name.endswith("_total"):
                    found[sample.name.removesuffix("_total"), *sample.labels.values()] += int(sample.value)
        return found

    def await_killed(self) -> None:
        """It dies by SIGKILL, at its fail point; an AssertionError where it ends otherwise or not at all."""
        try:
            code = self.process.wait(STALL_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it never got to its fail point\n{self.log()}") from None
        assert code == -signal.SIGKILL, f"it ended with {code}\n{self.log()}"

    def stop(self) -> None:
        """SIGTERM, and it ends well."""
        self.process.terminate()
        code = self.process.wait(STOP_SECONDS_MAX)
        assert code == 0, f"stopped with {code}\n{self.log()}"

    def end(self) -> None:
        """By force, where it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _page(self, name: str) -> bytes | None:
        address = re.search(r"metrics (http://\S+)/metrics", self._log.read_text(errors="replace"))
        if address is None:
            return None
        try:
            with urllib.request.urlopen(f"{address[1]}/{name}", timeout=60) as answer:
                page: bytes = answer.read()
        except urllib.error.HTTPError as refused:
            return refused.read()
        except OSError:
            return None
        return page


class Pipeline:
    """One run: fresh topics, an app of its own, any number of workers together or one after the other.

    Settings as KAIROS_ names them, in lower case; None leaves the default.
    """

    def __init__(self, bootstrap: str, directory: Path, partitions: int, journeys: Sequence[str], **settings: object) -> None:
        self.bootstrap = bootstrap
        self.directory = directory
        self.partitions = partitions
        self.app_id = f"test-{uuid.uuid4().hex[:12]}"
        self.workers: list[Worker] = []
        self._settings = {
            "app_id": self.app_id,
            "secret": SECRET,
            "partitions": partitions,
            "journeys": ",".join(journeys),
            "clock": "replay",
            "session_timeout_seconds": 6,
            **settings,
        }

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        _delete(self.bootstrap, topics.BY_NAME)
        admin.create_topics(self.bootstrap, declared(self.partitions))
        self._watch = Watch(self.bootstrap, self.app_id, INPUTS, self.partitions)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self.workers:
            worker.end()
        self._watch.close()
        _delete(self.bootstrap, [*topics.BY_NAME, self.changelog])
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def changelog(self) -> str:
        """The topic that holds every row."""
        return f"{self.app_id}-customers-changelog"

    def play(self, source: Source, shuffle_seed: int | None = None, duplicates: float = 0.0) -> Played:
        """Put a whole source onto its topic, and say the time at its end."""
        return play(
            self.bootstrap,
            source.reader,
            source.path,
            topic=topics.INTERACTIONS,
            partitions=self.partitions,
            shuffle_seed=shuffle_seed,
            duplicates=duplicates,
            until=source.until,
            secret=SECRET.encode(),
        )

    def worker(self, name: str | None = None, failpoint: str = "", module: str = "streams.cli", **settings: object) -> Worker:
        """Start one; of those with one `name` the next goes on with the state that the last has left. `module` is run as the command line."""
        number = len(self.workers) + 1
        said = {**self._settings, **settings}
        environment = {f"KAIROS_{key.upper()}": str(value) for key, value in said.items() if value is not None}
        if failpoint:
            environment["KAIROS_FAILPOINT"] = failpoint
        state = self.directory / (name or f"worker-{number}")
        self.workers.append(Worker(self.bootstrap, state, self.directory / f"{number}.log", environment, module))
        return self.workers[-1]

    def start(self, count: int, **settings: object) -> list[Worker]:
        """Start so many, and wait until each that can have partitions has them and runs: only then is there something to share."""
        started = [self.worker(**settings) for _ in range(count)]
        self.await_ready(started)
        return started

    def await_ready(self, workers: Sequence[Worker]) -> None:
        """Each that can have partitions has them, and hands out batches."""
        busy = min(len(workers), self.partitions)
        _await(lambda: sum(worker.is_ready() for worker in workers) >= busy, START_SECONDS_MAX, workers, "workers do not become ready")

    def await_settled(self, workers: Sequence[Worker]) -> None:
        """Nothing is left to do, and every transaction has ended, on every topic."""
        settled, moved, last = 0, time.monotonic(), None
        while settled < SETTLED_LOOKS:
            time.sleep(0.25)
            for worker in workers:
                worker.check()
            seen = self._watch.look()
            settled = settled + 1 if self._watch.is_settled(seen) else 0
            if seen != last:
                last, moved = seen, time.monotonic()
            assert time.monotonic() - moved < STALL_SECONDS_MAX, f"nothing moves, with {self._lags(seen)} left\n{_logs(workers)}"
        outputs = Watch(self.bootstrap, self.app_id, OUTPUTS, self.partitions)
        try:
            _await(lambda: not outputs.look().open_transaction, START_SECONDS_MAX, workers, "a transaction stays open")
        finally:
            outputs.close()

    def records_left(self) -> int:
        """How many committed records of the two inputs lie beyond what the workers have committed: those at least are left to do."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": self.app_id, "enable.auto.commit": False, "enable.partition.eof": True}
        # A reader of uncommitted records is told the last offset that stands, even while a dead worker's transaction hides the next one.
        asking = Consumer({**settings, "isolation.level": "read_uncommitted"})
        reader = Consumer({**settings, "isolation.level": "read_committed"})
        try:
            places = [TopicPartition(topic, partition) for topic in INPUTS for partition in range(self.partitions)]
            committed = asking.committed(places, timeout=REQUEST_SECONDS_MAX)
            assert all(place.error is None for place in committed), committed
            reader.assign([TopicPartition(place.topic, place.partition, max(0, place.offset)) for place in committed])
            left, open_ends = 0, len(places)
            while open_ends:
                message = reader.poll(REQUEST_SECONDS_MAX)
                assert message is not None, "a partition does not come to its end"
                error = message.error()
                assert error is None or error.code() == KafkaError._PARTITION_EOF, error
                left += error is None
                open_ends -= error is not None
        finally:
            asking.close()
            reader.close()
        return left

    def is_open(self, topic: str) -> bool:
        """Whether a transaction is open on a topic."""
        return admin.end_offsets(self.bootstrap, [topic]) != admin.end_offsets(self.bootstrap, [topic], committed=False)

    def outcome(self) -> Outcome:
        """What a reader of committed records finds."""
        return outcome_of(lambda topic: read_topic(self.bootstrap, topic), self.changelog)

    def _lags(self, seen: Progress) -> str:
        return ", ".join(f"{seen.lag(topic)} of {topic}" for topic in INPUTS)


def run(
    bootstrap: str,
    directory: Path,
    source: Source,
    *,
    partitions: int,
    workers: int,
    shuffle_seed: int | None = None,
    duplicates: float = 0.0,
    **settings: object,
) -> tuple[Outcome, list[Counter[tuple[str, ...]]]]:
    """An undisturbed run from nothing to its outcome, and what each worker has counted."""
    with Pipeline(bootstrap, directory, partitions, source.journeys, **settings) as pipeline:
        started = pipeline.start(workers)
        pipeline.play(source, shuffle_seed, duplicates)
        pipeline.await_settled(started)
        counts = [worker.counts() for worker in started]
        for worker in started:
            worker.stop()
        return pipeline.outcome(), counts


def shares(counts: Sequence[Counter[tuple[str, ...]]], metric: str) -> list[float]:
    """Each worker's part of the sum of a metric, all labels together."""
    each = [sum(number for (name, *_), number in count.items() if name == metric) for count in counts]
    return [one / sum(each) for one in each]


def _await(condition: Callable[[], bool], seconds: float, workers: Iterable[Worker], otherwise: str) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        for worker in workers:
            worker.check()
        assert time.monotonic() < give_up, f"{otherwise}\n{_logs(workers)}"
        time.sleep(0.1)


def _logs(workers: Iterable[Worker]) -> str:
    return "\n".join(worker.log() for worker in workers)


def _delete(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics, and wait until the broker has forgotten them: one that is made again too soon is still the old one."""
    wanted = list(names)
    give_up = time.monotonic() + START_SECONDS_MAX
    admin.delete_topics(bootstrap, wanted)
    while admin.describe_topics(bootstrap, wanted):
        assert time.monotonic() < give_up, "topics do not go"
        time.sleep(0.1)
