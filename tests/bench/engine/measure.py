"""One run of one system, seen from outside: time from its first interaction until all of the input is committed, CPU and memory meanwhile.

The rule this module owns: every system is measured by the same clock. The time ends when the broker holds the committed offset of all input; a system
that keeps no offsets there ends when it says so. CPU is that of all threads of its processes, user and system, by the kernel's count, and memory that of
all of them; a system with processes that it starts itself would be void.
"""

from __future__ import annotations

import os
import subprocess
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.broker.embedded import EmbeddedBroker
from tests.bench.engine import check
from tests.bench.engine.load import PARTITIONS, Input, make_topic
from tests.bench.engine.prepare import Ready
from tests.bench.engine.systems import ROOT, System
from tests.bench.engine.task import VARIABLE, Task

LOOK_SECONDS = 0.1
START_SECONDS_MAX = 120.0
PER_SECOND_MIN = 800
"""A system that is slower than this on average is not waited for."""
STOP_SECONDS_MAX = 30.0
_LOG_CHARACTERS = 300


class Run(msgspec.Struct, frozen=True):
    """What one run came to; `void` says why it does not count."""

    events: int
    seconds: float = 0.0
    events_per_second: float = 0.0
    cpu_microseconds: float = 0.0
    """Of the system, per event."""
    broker_cpu_microseconds: float = 0.0
    memory_bytes: int = 0
    """Resident, at most."""
    load: float = 0.0
    """Of the machine before it began, as the kernel averages it over a minute."""
    void: str | None = None


class Look(NamedTuple):
    """What was seen at a time of day."""

    at: float
    cpu: float
    broker_cpu: float
    memory: int


class Failed(Exception):
    """The system did not get to the end."""


def measured(kafka: EmbeddedBroker, system: System, ready: Ready, given: Input, name: str, directory: Path) -> Run:
    """Start it, wait for the end, check what it did."""
    outputs, load = f"{name}-outputs", os.getloadavg()[0]
    make_topic(kafka.bootstrap, outputs)
    marks, logs = directory / "marks", [directory / f"log-{number}" for number in range(system.processes)]
    try:
        with ExitStack() as stack:
            processes = []
            for number, log in enumerate(logs):
                state = directory / f"state-{number}"
                state.mkdir(parents=True)
                task = Task(kafka.bootstrap, name, given.topic, outputs, given.events, str(state), str(marks), dict(system.options))
                processes.append(stack.enter_context(running(ready, task, log)))
            watch = stack.enter_context(_watched(kafka.bootstrap, name, given))
            looks, began, ended = _followed(processes, kafka.pid, marks, None if system.tells_end else watch, given.events)
    except Failed as error:
        return Run(given.events, load=load, void=f"{error}{''.join(map(_end_of, logs))}")
    wrong = check.difference(kafka.bootstrap, system, name, given.topic, outputs, given.answer)
    if wrong is not None:
        return Run(given.events, load=load, void=wrong)
    seconds, micro = ended - began, 1e6 / given.events
    return Run(
        given.events,
        seconds,
        given.events / seconds,
        (_at(looks, ended).cpu - _at(looks, began).cpu) * micro,
        (_at(looks, ended).broker_cpu - _at(looks, began).broker_cpu) * micro,
        max(look.memory for look in looks),
        load,
    )


class Watch:
    """Looks whether a group has committed all of a topic."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: int = PARTITIONS) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._ends = [self._consumer.get_watermark_offsets(partition, 10)[1] for partition in self._partitions]

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        try:
            committed = self._consumer.committed(self._partitions, 10)
        except KafkaException:  # A group that is being joined answers later.
            return False
        return all(found.offset >= end for found, end in zip(committed, self._ends, strict=True))

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


@contextmanager
def _watched(bootstrap: str, group: str, given: Input) -> Iterator[Watch]:
    watch = Watch(bootstrap, group, given.topic)
    try:
        yield watch
    finally:
        watch.close()


@contextmanager
def running(ready: Ready, task: Task, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The system with its task, until the end of the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")}
    environment |= {VARIABLE: msgspec.json.encode(task).decode(), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            ready.command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS_MAX)
        process.kill()
        process.wait()


def _followed(
    processes: Sequence[subprocess.Popen[bytes]], broker: int, marks: Path, watch: Watch | None, events: int
) -> tuple[list[Look], float, float]:
    """Looks from before it began until after it ended, and both times; Failed if one ends or stalls before."""
    system, kafka, looks = [psutil.Process(process.pid) for process in processes], psutil.Process(broker), []
    deadline = time.monotonic() + START_SECONDS_MAX + events / PER_SECOND_MIN
    while True:
        said = _said(marks)
        if watch is not None and "began" in said and watch.is_done():
            said["ended"] = time.time()
        for process in processes:
            if process.poll() is not None:
                raise Failed(f"it ended with {process.returncode} before it was done")
        looks.append(_look(system, kafka))
        if "ended" in said:
            if any(process.children() for process in system):
                raise Failed("it has processes of its own, whose CPU is not counted")
            return looks, said["began"], said["ended"]
        if time.monotonic() > deadline:
            raise Failed("it did not get to the end in time")
        time.sleep(LOOK_SECONDS)


def _look(system: Sequence[psutil.Process], kafka: psutil.Process) -> Look:
    spent, memory = 0.0, 0
    for process in system:
        with process.oneshot():
            times = process.cpu_times()
            spent, memory = spent + times.user + times.system, memory + process.memory_info().rss
    of_broker = kafka.cpu_times()
    return Look(time.time(), spent, of_broker.user + of_broker.system, memory)


def _said(marks: Path) -> dict[str, float]:
    lines = marks.read_text().splitlines() if marks.exists() else ()
    said: dict[str, float] = {}
    for what, at in (line.split() for line in lines):
        said.setdefault(what, float(at))  # Of two processes the first that began.
    return said


def _at(looks: list[Look], at: float) -> Look:
    """What would have been seen at a time: between two looks, what was spent grows evenly."""
    after = min(max(1, bisect_left(looks, at, key=lambda look: look.at)), len(looks) - 1)
    before, behind = looks[after - 1], looks[after]
    share = min(1.0, max(0.0, (at - before.at) / max(1e-9, behind.at - before.at)))
    return Look(
        at,
        before.cpu + share * (behind.cpu - before.cpu),
        before.broker_cpu + share * (behind.broker_cpu - before.broker_cpu),
        behind.memory,
    )


def _end_of(log: Path) -> str:
    told = log.read_text(errors="replace").strip().splitlines()
    return f": {told[-1][-_LOG_CHARACTERS:]}" if told else ""
