"""One case: the rows are restored by one worker or several, then all interactions are sent and worked off, and time, CPU and memory are taken.

The rules this module owns: nothing is read before the clock starts, or more partitions and workers would have read ahead more; a case in which the rows
do not add up to the interactions is void.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import msgspec
import psutil
from confluent_kafka import Consumer, TopicPartition

from streams.broker.embedded import EmbeddedBroker
from streams.engine.changelog import changelog_topic
from tests.bench.engine.measure import LOOK_SECONDS, Failed, Watch, running
from tests.bench.engine.prepare import Ready
from tests.bench.engine.task import Task
from tests.bench.scale.load import fill, interactions, send
from tests.bench.scale.worker import Counts

APP, SOURCE, TABLE = "scale", "scale-input", "counts"
RESTORE_SECONDS_MAX, WORK_SECONDS_MAX = 400.0, 600.0
_AT_ONCE = 10_000


class Case(msgspec.Struct, frozen=True):
    """What differs from case to case."""

    customers: int
    partitions: int
    workers: int


class Kept(msgspec.Struct, frozen=True):
    """What a case came to; of all workers together, memory at most of one."""

    case: Case
    restored_seconds: float
    per_second: float
    cpu_microseconds: float
    memory_bytes: int
    load: float
    """Of the machine before, as the kernel averages it over a minute."""


def measured(kafka: EmbeddedBroker, case: Case, events: int, place: Path) -> Kept:
    """Fill, restore, work; Failed where it does not end, or the rows are wrong."""
    filled = fill(kafka.bootstrap, APP, SOURCE, TABLE, case.customers, case.partitions)
    made = list(interactions(events, case.customers, case.partitions))
    load, began = os.getloadavg()[0], time.monotonic()
    with ExitStack() as stack:
        processes = [stack.enter_context(_worker(kafka, events, place, number)) for number in range(case.workers)]
        while sum(_running(place, number) for number in range(case.workers)) < case.partitions:
            _look(processes, time.monotonic() - began < RESTORE_SECONDS_MAX)
        restored = time.monotonic() - began
        spent, started, memory = _cpu(processes), time.monotonic(), 0
        sending = threading.Thread(target=send, args=(kafka.bootstrap, SOURCE, made))
        sending.start()
        while sending.is_alive():
            _look(processes, time.monotonic() - started < WORK_SECONDS_MAX)
            memory = _memory(memory, processes)
        watch = Watch(kafka.bootstrap, APP, SOURCE, case.partitions)
        while not watch.is_done():
            _look(processes, time.monotonic() - started < WORK_SECONDS_MAX)
            memory = _memory(memory, processes)
        seconds, spent = time.monotonic() - started, _cpu(processes) - spent
        watch.close()
    counted = _counted(kafka.bootstrap, filled)
    if counted != events:
        raise Failed(f"the rows add up to {counted:,} interactions, there were {events:,}")
    return Kept(case, restored, events / seconds, spent / events * 1e6, memory, load)


def _worker(kafka: EmbeddedBroker, events: int, place: Path, number: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    state, marks = place / f"state-{number}", place / f"marks-{number}"
    task = Task(kafka.bootstrap, APP, SOURCE, "", events, str(state), str(marks), {})
    return running(Ready([sys.executable, "-m", "tests.bench.scale.worker"], ""), task, place / f"log-{number}")


def _running(place: Path, number: int) -> int:
    """How many partitions a worker has restored and runs, by what it wrote last."""
    marks = place / f"marks-{number}"
    told = marks.read_text().splitlines() if marks.exists() else []
    return int(told[-1].split()[1]) if told else 0


def _look(processes: list[subprocess.Popen[bytes]], in_time: bool) -> None:
    for process in processes:
        if process.poll() is not None:
            raise Failed(f"a worker ended with {process.returncode}")
    if not in_time:
        raise Failed("it did not get to the end in time")
    time.sleep(LOOK_SECONDS)


def _memory(before: int, processes: list[subprocess.Popen[bytes]]) -> int:
    return max(before, *(psutil.Process(process.pid).memory_info().rss for process in processes))


def _cpu(processes: list[subprocess.Popen[bytes]]) -> float:
    spent = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in spent))


def _counted(bootstrap: str, ends: dict[int, int]) -> int:
    """What the rows written since the changelog was filled add up to, by the newest of each."""
    reader = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "scale-check",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })  # fmt: skip
    newest: dict[bytes, int] = {}
    reader.assign([TopicPartition(changelog_topic(APP, TABLE), partition, end) for partition, end in ends.items()])
    left = set(ends)
    while left:
        for message in reader.consume(_AT_ONCE, 0.2):
            if message.error() is not None:
                left.discard(message.partition())
            elif (message.key() or b"").startswith(Counts.tag):
                newest[message.key()] = Counts.decode(message.value()).n
    reader.close()
    return sum(newest.values())
