"""A collector as a process on a real Kafka, and what a client of it does."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from connectors.collector import keys
from schemas import topics
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared

SECONDS_MAX = 120.0


class Answer(NamedTuple):
    """Of an HTTP request."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


class CollectorRun:
    """One process; `key` is a write key of the source `web`, without a bound."""

    def __init__(self, kafka: EmbeddedBroker, directory: Path, *options: str) -> None:
        self.kafka, self.directory, self._options = kafka, directory, options
        self.keys = keys.file_of(directory)
        self.key = keys.create(self.keys, "web", "2026-11-22T12:00:00Z")
        admin.create_topics(kafka.bootstrap, declared(2))
        self.process: subprocess.Popen[str]
        self.port = 0
        self.start()

    def start(self) -> None:
        """Until it listens; the port stays the same when it is started again."""
        words = ["collector", "--broker", self.kafka.bootstrap, "--port", str(self.port), "--json", *self._options]
        environment = os.environ | {"KAIROS_DATA_DIR": str(self.directory)}
        self.process = subprocess.Popen([sys.executable, "-m", "streams.cli", *words], env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["url"].rsplit(":", 1)[1])

    def close(self) -> None:
        """Told to stop, it does."""
        self.process.terminate()
        assert self.process.wait(SECONDS_MAX) == 0

    def request(self, method: str, path: str, body: bytes = b"", key: str | None = None, **headers: str) -> Answer:
        """One request; by the run's own key unless told otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        basic = "Basic " + b64encode(f"{self.key if key is None else key}:".encode()).decode()
        connection.request(
            method, path, body, {"Authorization": basic} | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        found = connection.getresponse()
        answer = Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        connection.close()
        return answer

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """A body as JSON."""
        return self.request("POST", path, json.dumps(body).encode(), **headers)

    def records(self) -> list[tuple[dict[str, bytes], bytes]]:
        """Headers and value of every record of the interactions topic."""
        reader = Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "look", "enable.auto.commit": False})
        ends = {place: end for place, end in admin.end_offsets(self.kafka.bootstrap, [topics.INTERACTIONS]).items() if end}
        reader.assign([TopicPartition(topic, partition, 0) for topic, partition in ends])
        found: list[tuple[dict[str, bytes], bytes]] = []
        while len(found) < sum(ends.values()):
            message = reader.poll(SECONDS_MAX)
            assert message is not None and message.error() is None
            found.append((dict(message.headers() or ()), message.value() or b""))
        reader.close()
        return found

    def interactions(self) -> list[Any]:
        """What was taken, read."""
        return [json.loads(value) for headers, value in self.records() if "kairos-refused" not in headers]
