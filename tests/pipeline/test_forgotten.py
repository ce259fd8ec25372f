"""A person is forgotten, to the byte: after an erasure no file of Kafka's compacted topics and none of a worker's holds what identified them, in the clear
or as a hash without a key; topics with a retention hold nothing once it has passed."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.record.memory_records import MemoryRecords
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from tests.pipeline.harness import Pipeline, Worker
from tests.pipeline.test_commands import _profiles, _receipt

PARTITIONS = 4
ANN = {
    "user_id": "ann-4711-brand",
    "email": "ann.secret@kairos.shop",
    "phone": "+442079460123",
    "device_id": "device-of-ann-77",
    "loyalty_id": "loyal-ann-0815",
}
NAME = "Annabel Secretstone"
PLACE = "visited-by-ann-only"
COMPACTED = [name for name, topic in topics.BY_NAME.items() if topic.cleanup == "compact"]
RETAINED = [name for name, topic in topics.BY_NAME.items() if topic.cleanup == "delete"]
SECONDS_MAX = 300.0
KAFKA = {"log.cleaner.backoff.ms": "50", "log.retention.check.interval.ms": "500", "log.segment.delete.delay.ms": "100"}
ROLLING = {"segment.ms": "300", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "300"}


def needles() -> dict[bytes, str]:
    """All forms in which something of hers must not be found, and what each is."""
    found = {NAME.encode(): "name", PLACE.encode(): "place"}
    for kind, value in ANN.items():
        for text in (value, f"{kind}:{value}"):
            raw = text.encode()
            found[raw] = text
            found[b64encode(raw)] = f"base64 of {text}"
            for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
                digest = hashlib.new(algorithm, raw)
                found[digest.digest()] = f"{algorithm} of {text}"
                found[digest.hexdigest().encode()] = f"{algorithm} of {text} in hex"
            for size in (8, 16, 20, 32):
                digest = hashlib.blake2b(raw, digest_size=size)
                found[digest.digest()] = f"blake2b-{size} of {text}"
                found[digest.hexdigest().encode()] = f"blake2b-{size} of {text} in hex"
    return found


NEEDLES = needles()


def held(places: Iterator[tuple[str, bytes]]) -> set[tuple[str, str]]:
    """(place, what) of everything that is found."""
    return {(place, what) for place, text in places for needle, what in NEEDLES.items() if needle in text}


def of_kafka(directory: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """All files of these topics as they are, and every record in them, unpacked, whatever transaction it is of; of a dead letter what was refused."""
    for name in names:
        for path in directory.rglob(f"{name}-[0-9]*/*"):
            try:
                whole = path.read_bytes()
            except FileNotFoundError:  # Kafka has just thrown it away.
                continue
            yield f"{name} {path.suffix}", whole.rstrip(b"\0")  # Indexes have megabytes of room.
            if path.suffix == ".log" and whole:
                records = MemoryRecords(whole)
                while (batch := records.next_batch()) is not None:
                    for record in batch:
                        yield name, b"\0".join((record.key or b"", record.value or b"", repr(record.headers).encode()))
                        if name == topics.DEAD_LETTERS and (record.value or b"")[:1] == b"{":
                            yield name, b64decode(json.loads(bytes(record.value))["original"])


def of_worker(worker: Worker, log: Path) -> Iterator[tuple[str, bytes]]:
    """All of its files, what it has said, and its metrics."""
    for path in worker.directory.rglob("*"):
        if path.is_file():
            try:
                yield "state", path.read_bytes()
            except FileNotFoundError:
                continue
    said = log.read_bytes()
    yield "log", said
    metrics = next(word for word in said.decode().split() if word.startswith("http://") and word.endswith("/metrics"))
    with urllib.request.urlopen(metrics, timeout=60) as page:
        yield "metrics", page.read()


def until(condition: Callable[[], object], otherwise: Callable[[], object]) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < give_up, otherwise()
        time.sleep(0.5)


def configure(bootstrap: str, names: list[str], **config: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()]
    for done in client.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
    ).values():
        done.result(120)


class Shop:
    """Interactions, sent one by one."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 2})
        self._sent = 0

    def send(self, identifiers: dict[str, str], **more: object) -> None:
        self._sent += 1
        traits = {name: identifiers[name] for name in ("email", "phone") if name in identifiers}
        said = {
            "messageId": f"m{self._sent}",
            "event": "Order Completed",
            "timestamp": f"2026-01-01T09:{self._sent // 60 % 60:02d}:{self._sent % 60:02d}Z",
            "identifiers": {name: value for name, value in identifiers.items() if name not in ("user_id", "email", "phone")},
            "userId": identifiers.get("user_id"),
            "traits": {**traits, **({"name": NAME} if "user_id" in identifiers and identifiers["user_id"] == ANN["user_id"] else {})},
            "properties": {"revenue": 10, "currency": "GBP", **more},
        }
        self._producer.produce(topics.INTERACTIONS, json.dumps(said).encode(), key=b"%d" % self._sent)

    def others(self, count: int) -> None:
        """Customers of whom all is kept: what they do gives every partition something new."""
        for number in range(count):
            self.send({"user_id": f"other-{number}", "email": f"other{number}@kairos.shop"})
        self.flush()

    def flush(self) -> None:
        assert self._producer.flush(120) == 0


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka"), KAFKA) as started:
        yield started


@pytest.mark.faults
def test_nothing_of_the_erased_is_left_in_any_file(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    place = kafka.data_directory
    with Pipeline(kafka.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as pipeline:
        first = pipeline.worker("worker", module="tests.pipeline.plainly")
        pipeline.await_ready([first])
        compacted = [*COMPACTED, pipeline.changelog]
        shop = Shop(kafka.bootstrap)
        for kind, value in ANN.items():  # Each by itself first, so that much is moved when they turn out to be one.
            shop.send({kind: value}, place=PLACE)
        shop.send(ANN, place=PLACE)
        shop.others(40)
        pipeline.await_settled([first])
        first.stop()  # What it had in memory goes into files.
        worker, log = pipeline.worker("worker", module="tests.pipeline.plainly"), pipeline.directory / "2.log"
        pipeline.await_ready([worker])
        assert held(of_worker(worker, log)) >= {("state", ANN["email"]), ("state", ANN["phone"])}, (
            "the search finds nothing in the files of a worker"
        )
        seen = held(of_kafka(place, [*compacted, *RETAINED]))
        for topic in (topics.INTERACTIONS, topics.IDENTITY, topics.PROFILES, pipeline.changelog):
            assert {what for where, what in seen if where == topic} >= {ANN["email"]}, f"the search finds nothing in {topic}"

        receipt = _receipt(pipeline, "erase", f"email:{ANN['email']}", "--why", "asked for it", "--yes")
        assert receipt["deleted"]["interactions"] == 6
        assert (
            timedelta(days=31)
            <= datetime.fromisoformat(receipt["cleanBy"]) - datetime.fromisoformat(receipt["decidedAt"])
            < timedelta(days=32)
        )
        configure(kafka.bootstrap, compacted, **ROLLING)

        def rest(names: list[str]) -> set[tuple[str, str]]:
            shop.others(12)  # Only what lies before the newest records is compacted.
            return held(of_kafka(place, names))

        until(lambda: not rest(compacted), lambda: sorted(rest(compacted)))
        until(lambda: not held(of_worker(worker, log)), lambda: sorted(held(of_worker(worker, log))))
        pipeline.await_settled([worker])
        living = [profile for profile in _profiles(pipeline).values() if profile is not None]
        assert len(living) == 40, "somebody else was forgotten as well"

        configure(kafka.bootstrap, RETAINED, **{"retention.ms": "300", "segment.ms": "300"})
        until(lambda: not rest(RETAINED), lambda: sorted(rest(RETAINED)))
        worker.stop()
        assert not held(of_kafka(place, [*compacted, *RETAINED]))
