"""One stretch at one rate: a process sends, the engine works, this process reads what is committed and notes when.

The rule this module owns: every interaction has one output, read once; a stretch in which one is missing or comes twice is void. Those of the first seconds
(an engine that has not seen its customers) do not count.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence

import msgspec
import psutil
from confluent_kafka import Consumer, TopicPartition

from streams.broker.embedded import EmbeddedBroker
from tests.bench.engine.load import PARTITIONS
from tests.bench.engine.measure import START_SECONDS_MAX, Failed
from tests.bench.engine.systems import ROOT
from tests.bench.engine.task import Task
from tests.bench.latency.sender import Order, Sent

WARM_UP = 200
"""So many interactions wake up the engine before the measured ones; they go to customers of the same names."""
SKIPPED_SECONDS = 3.0
SILENCE_SECONDS_MAX = 30.0
_NUMBER = re.compile(rb'"messageId":"m(\d+)"')
_NOT_SEEN = -1.0


class Stretch(msgspec.Struct, frozen=True):
    """What was found at one rate; milliseconds from when an interaction was due to be sent until its output was read."""

    share: int
    """Per cent of the greatest rate."""
    rate: float
    """As asked for; 0 is as fast as they could be sent."""
    events: int
    per_second: float
    """From the first sent to the last output."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    most_ms: float
    sender_late_ms: float
    """By how much the sender was behind its times, at most; it is part of the above."""
    cpu_microseconds: float
    """Of the engine, an interaction."""


class Hop:
    """From the input topic of a task over its engine to the topic of outputs."""

    def __init__(self, kafka: EmbeddedBroker, task: Task, engine: subprocess.Popen[bytes], customers: int) -> None:
        self._bootstrap, self._task, self._customers = kafka.bootstrap, task, customers
        self._engine = engine
        self._reader = Consumer({
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "latency-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 500,
        })  # fmt: skip
        self._reader.assign([TopicPartition(task.outputs, partition, 0) for partition in range(PARTITIONS)])

    def crossed(self, events: int, rate: float, share: int) -> Stretch:
        """Send so many at a rate; Failed if outputs are not those that were to come."""
        with _sender(self._order(WARM_UP, 0, 0.0)) as warming:
            _go(warming)
            self._read(0, WARM_UP, START_SECONDS_MAX)
        with _sender(self._order(events, WARM_UP, rate)) as sending:
            before = _cpu(self._engine)
            _go(sending)
            seen = self._read(WARM_UP, events, SILENCE_SECONDS_MAX)
            spent = _cpu(self._engine) - before
            sent = msgspec.json.decode(_line(sending), type=Sent)
        self._reader.close()
        return stretch(share, rate, sent, seen, spent)

    def _order(self, events: int, first: int, rate: float) -> Order:
        return Order(self._bootstrap, self._task.input, events, self._customers, rate, first)

    def _read(self, first: int, count: int, silence_seconds_max: float) -> array[float]:
        """When the output of each was read, by the monotonic clock."""
        seen, left = array("d", [_NOT_SEEN]) * count, count
        poll, clock, until = self._reader.poll, time.monotonic, time.monotonic() + silence_seconds_max
        while left:
            message = poll(0.1)
            now = clock()
            if message is None:
                if self._engine.poll() is not None:
                    raise Failed(f"the engine ended with {self._engine.returncode}")
                if now > until:
                    raise Failed(f"{left:,} of {count:,} outputs do not come")
                continue
            if message.error() is not None:
                raise Failed(str(message.error()))
            found = _NUMBER.search(message.value() or b"")
            number = int(found[1]) - first if found else -1
            if not 0 <= number < count or seen[number] != _NOT_SEEN:
                raise Failed(f"an output that was not to come, or came twice: {message.value()!r}")
            seen[number], until = now, now + silence_seconds_max
            left -= 1
        return seen


def stretch(share: int, rate: float, sent: Sent, seen: Sequence[float], cpu_seconds: float) -> Stretch:
    """Percentiles (nearest rank) of those that were due after the first seconds, or of all if there are none."""
    count = len(seen)
    due = [sent.began + number / rate if rate else sent.began for number in range(count)]
    skipped = int(SKIPPED_SECONDS * rate)
    late = sorted((at - when) * 1e3 for at, when in zip(seen[skipped:] or seen, due[skipped:] or due, strict=True))
    return Stretch(
        share,
        rate,
        count,
        count / (max(seen) - sent.began),
        *(late[min(len(late) - 1, int(len(late) * part))] for part in (0.5, 0.99, 0.999)),
        late[-1],
        sent.late * 1e3,
        cpu_seconds / count * 1e6,
    )


def _sender(order: Order) -> subprocess.Popen[str]:
    sender = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.latency.sender"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert sender.stdin is not None
    sender.stdin.write(msgspec.json.encode(order).decode() + "\n")
    sender.stdin.flush()
    assert _line(sender) == "ready", "the sender did not begin"
    return sender


def _go(sender: subprocess.Popen[str]) -> None:
    assert sender.stdin is not None
    sender.stdin.write("\n")
    sender.stdin.flush()


def _line(sender: subprocess.Popen[str]) -> str:
    assert sender.stdout is not None
    return sender.stdout.readline().strip()


def _cpu(process: subprocess.Popen[bytes]) -> float:
    spent = psutil.Process(process.pid).cpu_times()
    return float(spent.user + spent.system)
