"""`kairos deliver` as a process on a real Kafka, and an endpoint that answers as a test wants, and verifies what it gets as any receiver would."""

from __future__ import annotations

import atexit
import base64
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from confluent_kafka import Producer
from msgspec import Struct
from standardwebhooks import Webhook

from schemas import topics
from schemas.record import encode
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared
from tests.connectors.outputs import headers

SECONDS_MAX = 180.0
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


class Got(NamedTuple):
    """A request whose signature was right: when it came, its id, what it says, how often that id had come before."""

    at: float
    id: str
    body: Any
    before: int

    @property
    def data(self) -> Any:
        """The output itself."""
        return self.body["data"]


class Answer(NamedTuple):
    """What to answer, after so long."""

    status: int = 204
    headers: dict[str, str] = {}
    after_seconds: float = 0.0


class Receiver:
    """An endpoint on loopback; `answer` may be changed while it runs."""

    def __init__(self, answer: Callable[[Got], Answer] = lambda _: Answer(), secret: str = SECRET) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self._verify = Webhook(secret).verify
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver._take(body, dict(self.headers))
                time.sleep(answer.after_seconds)
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        setattr(self._server, "handle_error", lambda *_: None)  # noqa: B010 - Who was killed in the midst does not wait for an answer.
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, body: bytes, said: dict[str, str]) -> Answer:
        found = self._verify(body, said)  # An error here is no answer, and no request that counts.
        with self._lock:
            request_id = {name.lower(): value for name, value in said.items()}["webhook-id"]
            got = Got(time.monotonic(), request_id, found, self._seen.get(request_id, 0))
            self._seen[request_id] = got.before + 1
            answer = self.answer(got)
            self.got.append(got)
        return answer

    def ids(self) -> list[str]:
        """The ids that came, in the order in which they did first."""
        return list(dict.fromkeys(got.id for got in list(self.got)))

    def close(self) -> None:
        """No longer there."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DeliverRun:
    """One process with its file of endpoints; made with (name, table) of each. Topics are there."""

    def __init__(
        self, kafka: EmbeddedBroker, directory: Path, app_id: str, endpoints: dict[str, dict[str, Any]], instance: str | None = "one"
    ) -> None:
        self.kafka, self.directory, self.app_id, self._instance = kafka, directory, app_id, instance
        directory.mkdir(exist_ok=True)
        self.file = directory / "endpoints.toml"
        lines = []
        for name, table in endpoints.items():
            said = {"secrets": ["env:HOOK_SECRET"], "allow_private_addresses": True, "retry_first_seconds": 0.1, **table}
            lines += [f"[endpoints.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in said.items())]
        self.file.write_text("\n".join(lines))
        self.said: list[Any] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        admin.create_topics(kafka.bootstrap, declared(2))
        self.process: subprocess.Popen[str]

    def environment(self) -> dict[str, str]:
        """Of this process and of commands beside it."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("KAIROS_")}
        more = {"KAIROS_DATA_DIR": str(self.directory), "KAIROS_APP_ID": self.app_id, "HOOK_SECRET": SECRET}
        known = {} if self._instance is None else {"KAIROS_INSTANCE_ID": self._instance}
        return {**ours, **more, **known, "KAIROS_ENDPOINTS": str(self.file)}

    def start(self, *options: str) -> Self:
        """Until every endpoint has its records."""
        words = [sys.executable, "-m", "streams.cli", "deliver", "--broker", self.kafka.bootstrap, "--json", *options]
        self.process = subprocess.Popen(words, env=self.environment(), stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)  # Where a test fails before it has stopped it.
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self._lines), daemon=True).start()
        self.hear("ready")
        return self

    def hear(self, kind: str) -> Any:
        """The next line of this kind."""
        while True:
            line = self._lines.get(timeout=SECONDS_MAX)
            assert line is not None, f"it has ended and never said {kind!r}: {self.said}"
            self.said.append(json.loads(line))
            if self.said[-1]["kind"] == kind:
                return self.said[-1]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM; it ends as it should."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS_MAX) == 0

    def command(self, *words: str) -> Any:
        """`kairos deliver ...` beside it; what it says as JSON."""
        done = self.asked(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`kairos deliver ...` beside it."""
        command = [sys.executable, "-m", "streams.cli", "deliver", *words, "--broker", self.kafka.bootstrap]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=SECONDS_MAX, check=False)

    def _read(self, process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()


def publish(kafka: EmbeddedBroker, said: Iterable[tuple[str, str, str, Struct | bytes | None]]) -> None:
    """Put records (topic, customer, event id, value) onto their topics, in this order."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random", "linger.ms": 2})
    for topic, customer, event_id, value in said:
        written = encode(value) if isinstance(value, Struct) else value
        producer.produce(topic, written, customer.encode(), headers=headers(event_id, topic))
    assert not producer.flush(SECONDS_MAX)


def moments(said: Iterable[Any]) -> list[tuple[str, str, str, Struct]]:
    """Records of moments."""
    return [(topics.MOMENTS, one.customer_id, f"{one.id}-{one.revision}", one) for one in said]


def wait_for(condition: Callable[[], object], seconds_max: float = SECONDS_MAX) -> None:
    """Until it holds; AssertionError where it does not in time."""
    give_up = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < give_up, "it never came to hold"
        time.sleep(0.02)


def in_order(got: list[Got]) -> bool:
    """Whether each customer's came in the order of their numbers, seen without repetitions."""
    by_customer = defaultdict(list)
    for one in got:
        if not one.before:
            by_customer[one.data["customerId"]].append(int(one.data["id"].rsplit("-", 1)[1]))
    return all(numbers == sorted(numbers) for numbers in by_customer.values())
