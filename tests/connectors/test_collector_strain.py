"""The collector when it is told to stop in the midst of work, and when very much comes while Kafka hangs: nothing acknowledged is lost, memory has a bound."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from streams.broker.embedded import EmbeddedBroker
from tests.connectors.collectors import SECONDS_MAX, CollectorRun

STOP_SECONDS_MAX = 10.0 + 5.0
"""What is promised, and what a busy machine needs to end a process."""
CLIENTS = 200
MEBIBYTE = 1 << 20
HELD_BYTES_MAX = 64 * MEBIBYTE
"""As connectors/collector/config.py has it."""
GROWS_BYTES_MAX = 3 * HELD_BYTES_MAX
"""What is held is held by Python and by Kafka's client, and one request at a time is unpacked and read."""
STALL_SECONDS = 8.0
"""Kafka is away for so long; a request waits for it for 10."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """One of its own: it is paused."""
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka")) as own:
        yield own


@pytest.fixture
def hung(kafka: EmbeddedBroker, tmp_path: Path) -> Iterator[CollectorRun]:
    """One whose Kafka may be paused; it is ended whatever becomes of the test."""
    run = CollectorRun(kafka, tmp_path)
    yield run
    kafka.resume()
    run.process.kill()
    run.process.wait()


def batch(name: str, number: int, count: int) -> bytes:
    items = [{"type": "track", "event": name, "userId": "ann", "messageId": f"{name}-{number}-{each}"} for each in range(count)]
    return json.dumps({"batch": items}).encode()


def test_what_was_acknowledged_before_a_stop_is_there_and_who_was_not_is_told(broker: EmbeddedBroker, tmp_path: Path, app_id: str) -> None:
    collector = CollectorRun(broker, tmp_path)
    acknowledged: set[int] = set()
    ended: Counter[str] = Counter()

    def send(thread: int) -> None:
        for number in range(thread * 1_000_000, (thread + 1) * 1_000_000):
            try:
                answer = collector.request("POST", "/v1/batch", batch(app_id, number, 20))
            except OSError as refused:
                ended[type(refused).__name__] += 1
                return
            if answer.status == 200:
                acknowledged.add(number)
            else:
                ended[answer.json()["code"]] += 1

    senders = [threading.Thread(target=send, args=(thread,)) for thread in range(8)]
    for sender in senders:
        sender.start()
    give_up = time.monotonic() + SECONDS_MAX
    while len(acknowledged) < 100:
        assert time.monotonic() < give_up, "nothing is acknowledged"
        time.sleep(0.01)
    _stop(collector)
    for sender in senders:
        sender.join()

    there = Counter(str(each["messageId"]).split("-")[-2] for each in collector.interactions() if each.get("event") == app_id)
    assert {str(number) for number in acknowledged} <= there.keys() and set(there.values()) == {20}
    assert ended.keys() <= {"ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected", "BrokenPipeError", "stopping"}


@pytest.mark.faults
def test_a_stop_takes_ten_seconds_at_most_also_where_kafka_and_clients_hang(kafka: EmbeddedBroker, hung: CollectorRun) -> None:
    collector = hung
    head = f"POST /v1/batch HTTP/1.1\r\nHost: a\r\nX-Write-Key: {collector.key}\r\nContent-Length: 100\r\n\r\n".encode()
    silent, in_head, in_body, waiting = (socket.create_connection(("127.0.0.1", collector.port), SECONDS_MAX) for _ in range(4))
    kafka.pause()
    try:
        in_head.sendall(head[:20])
        in_body.sendall(head + b"{")
        waiting.sendall(head + b'{"batch": [{"userId": "u"}]}'.ljust(100))
        with ThreadPoolExecutor(20) as asking:
            ready = [asking.submit(collector.request, "GET", "/readyz") for _ in range(60)]
            assert {each.result().status for each in ready} == {503}
        _stop(collector)
        answer = waiting.recv(65_536)
    finally:
        kafka.resume()
        for connection in (silent, in_head, in_body, waiting):
            connection.close()

    assert answer.startswith(b"HTTP/1.1 503 ") and b'"stopping"' in answer and b"retry-after: 1\r\n" in answer.lower()


LOADS = {
    "large bodies that come slowly": lambda: b" " * (4 * MEBIBYTE - 2) + b"{}",
    "many small items": lambda: json.dumps({"batch": [{} for _ in range(5_000)]}).encode(),
    "packed emptiness": lambda: gzip.compress(b" " * (8 * MEBIBYTE - 100) + b'{"batch": [{"userId": "u"}]}'),
    "packed small pieces": lambda: gzip.compress(
        b'{"batch": [{"userId": "u"}], ' + b",".join(b'"%d":1' % each for each in range(5 * 10**5)) + b"}"
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("load", LOADS)
def test_two_hundred_slow_clients_do_not_fill_the_memory_while_kafka_hangs(kafka: EmbeddedBroker, hung: CollectorRun, load: str) -> None:
    collector, body = hung, LOADS[load]()
    assert collector.post("/v1/t", {"userId": "u"}).status == 200
    process = psutil.Process(collector.process.pid)
    before = most = process.memory_info().rss
    kafka.pause()
    try:
        answers: Counter[int] = Counter()
        clients = [threading.Thread(target=_trickle, args=(collector, body, answers)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        give_up = time.monotonic() + STALL_SECONDS
        while time.monotonic() < give_up:
            most = max(most, process.memory_info().rss)
            time.sleep(0.05)
        assert collector.request("GET", "/healthz").status == 200
    finally:
        kafka.resume()
    for client in clients:
        client.join()

    assert answers.keys() <= {200, 400, 413, 429, 503} and answers.total() == CLIENTS
    assert most - before < GROWS_BYTES_MAX, f"{(most - before) / MEBIBYTE:.0f} MiB more; {dict(answers)}"
    give_up = time.monotonic() + SECONDS_MAX
    while collector.post("/v1/t", {"userId": "u"}).status != 200:
        assert time.monotonic() < give_up, "it does not go on"
        time.sleep(0.1)


def _trickle(collector: CollectorRun, body: bytes, answers: Counter[int]) -> None:
    """A part every now and then, so that all clients have much of theirs sent at once; the answer is read at the end, as most clients do."""
    head = f"POST /v1/batch HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Write-Key: {collector.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", collector.port), SECONDS_MAX) as connection:
        connection.sendall(head.encode())
        step = max(1, len(body) // 20)
        for first in range(0, len(body), step):
            connection.sendall(body[first : first + step])
            time.sleep(STALL_SECONDS / 40)
        answers[int(connection.recv(65_536).split()[1])] += 1


def _stop(collector: CollectorRun) -> None:
    began = time.monotonic()
    collector.process.send_signal(signal.SIGTERM)
    assert collector.process.wait(SECONDS_MAX) == 0
    assert time.monotonic() - began < STOP_SECONDS_MAX
