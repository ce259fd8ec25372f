"""Plays a file onto a topic. The rule this module owns: it returns only when Kafka has acknowledged every record, and else raises."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.producer import plan
from connectors.producer.plan import Say, Send
from connectors.runtime.instants import SECOND, rfc3339
from connectors.runtime.sources import Reader, Ready
from schemas.interaction import TIME_HEADER

KEY_BYTES = 16
QUEUED_MESSAGES_MAX = 100_000
PROGRESS_SECONDS = 0.25
DELIVERY_TIMEOUT_MS = 120_000
METADATA_TIMEOUT_SECONDS = 30
_LOOK_UP_EVERY = 256
"""So many sends between two looks at the clock and at what Kafka has answered."""

_SETTINGS: dict[str, str | int | bool] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "partitioner": "murmur2_random",
    "linger.ms": 20,
    "batch.size": 512 * 1024,
    "message.max.bytes": 2 * 1024 * 1024,
    "queue.buffering.max.messages": QUEUED_MESSAGES_MAX,
    "queue.buffering.max.kbytes": 128 * 1024,
    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
    "delivery.report.only.error": True,
    "log_level": 2,  # What goes wrong is raised, not printed beside what the caller prints.
}


class PlayFailed(Exception):
    """Kafka did not take a record, or its topic is not as it was said to be."""


class Played(NamedTuple):
    """What has been sent: interactions (each once), their duplicates, refusals by reason, times said; the last time said (microseconds UTC)."""

    interactions: int
    duplicates: int
    refused: Mapping[str, int]
    times: int
    time: int | None
    bytes: int
    seconds: float

    @property
    def read(self) -> int:
        """What the source held: interactions and refusals."""
        return self.interactions + sum(self.refused.values())


def play(
    bootstrap: str,
    reader: Reader[Any],
    path: Path,
    *,
    topic: str,
    partitions: int,
    shuffle_seed: int | None = None,
    duplicates: float = 0.0,
    rate: float | None = None,
    until: int | None = None,
    time_every_seconds: int = 86_400,
    secret: bytes = b"",
    on_progress: Callable[[Played], None] | None = None,
) -> Played:
    """Send all that the reader finds, keyed by a hash of each interaction's first identifier, so that one customer's keep their order.

    Unshuffled, time is said to every partition as the source allows; `until` (microseconds UTC) is said at the end. `duplicates` is a share,
    `rate` interactions a second. A shuffle holds the whole source in memory. Raises PlayFailed, or OSError where there is no file.
    """
    items = map(reader.map, reader.read(path))
    every = time_every_seconds * SECOND
    if shuffle_seed is None:
        steps = plan.in_order(items, plan.floors(reader.times(path)), duplicates, every, until)
    else:
        steps = plan.shuffled(items, shuffle_seed, duplicates, until)
    stage = _Stage(bootstrap, topic, partitions, secret)
    stage.perform(steps, rate, on_progress)
    return stage.played()


class _Stage:
    """One play's producer and its counts."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, secret: bytes) -> None:
        self._failures: list[str] = []
        self._producer = Producer({**_SETTINGS, "bootstrap.servers": bootstrap, "on_delivery": self._delivered, "error_cb": self._failed})
        self._topic = topic
        self._partitions = partitions
        self._secret = secret
        self._counts: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._time: int | None = None
        self._began = time.monotonic()
        self._check_partitions()

    def perform(self, steps: Iterator[Send | Say], rate: float | None, on_progress: Callable[[Played], None] | None) -> None:
        reported = self._began
        look_up_every = _LOOK_UP_EVERY if rate is None else max(1, min(_LOOK_UP_EVERY, int(rate / 20)))
        for number, step in enumerate(steps, start=1):
            if isinstance(step, Send):
                self._send(step)
            else:
                self._say(step)
            if number % look_up_every == 0:
                self._producer.poll(0)
                self._raise_failures()
                if rate is not None:
                    self._wait_for(number / rate)
                if on_progress is not None and (now := time.monotonic()) - reported >= PROGRESS_SECONDS:
                    reported = now
                    on_progress(self.played())
        self._finish()
        if on_progress is not None:
            on_progress(self.played())

    def played(self) -> Played:
        counts = self._counts
        seconds = time.monotonic() - self._began
        return Played(counts["once"], counts["again"], dict(self._refused), counts["times"], self._time, counts["bytes"], seconds)

    def _send(self, step: Send) -> None:
        one = step.one
        if isinstance(one, Ready):
            named = one.value if one.identifier is None else one.identifier.encode()
            self._produce(one.value, self._hash(named))
            self._counts["again" if step.again else "once"] += 1
            self._counts["bytes"] += len(one.value)
        else:
            self._produce(one.original, self._hash(one.original), headers=one.headers())
            self._refused[one.reason] += 1
            self._counts["bytes"] += len(one.original)

    def _say(self, step: Say) -> None:
        value = orjson.dumps({"time": rfc3339(step.time)})
        for partition in range(self._partitions):
            self._produce(value, None, headers=[(TIME_HEADER, b"1")], partition=partition)
        self._counts["times"] += 1
        self._time = step.time

    def _hash(self, named: bytes) -> bytes:
        return blake2b(named, digest_size=KEY_BYTES, key=self._secret).digest()

    def _produce(self, value: bytes, key: bytes | None, **more: Any) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key, **more)
                return
            except BufferError:
                self._producer.poll(0.1)
                self._raise_failures()

    def _wait_for(self, seconds: float) -> None:
        while (ahead := seconds - (time.monotonic() - self._began)) > 0:
            self._producer.poll(min(ahead, 1.0))

    def _finish(self) -> None:
        while self._producer.flush(1.0):
            self._raise_failures()
        self._raise_failures()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(f"{self._topic}[{message.partition()}]: {error.str()}")

    def _failed(self, error: KafkaError) -> None:
        if error.fatal():
            self._failures.append(error.str())

    def _raise_failures(self) -> None:
        if self._failures:
            failures, self._failures = self._failures, []
            self._producer.purge()
            raise PlayFailed(f"{len(failures)} records were not delivered; the first: {failures[0]}")

    def _check_partitions(self) -> None:
        try:
            found = self._producer.list_topics(self._topic, timeout=METADATA_TIMEOUT_SECONDS).topics[self._topic]
        except KafkaException as error:
            raise PlayFailed(f"No broker answers: {error}") from error
        if found.error is not None:
            raise PlayFailed(f"Topic {self._topic}: {found.error.str()}")
        if len(found.partitions) != self._partitions:
            raise PlayFailed(f"Topic {self._topic} has {len(found.partitions)} partitions, not {self._partitions}.")
