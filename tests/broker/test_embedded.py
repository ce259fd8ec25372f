"""The embedded Kafka is a real one, keeps its data, is nobody else's, and dies with its program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.broker import admin, ports
from streams.broker.choose import choose
from streams.broker.embedded import EmbeddedBroker
from streams.broker.errors import BrokerUnavailable

SECONDS_MAX = 120.0
"""For what hangs."""
STARTS_AND_WAITS = """
import sys, time
from streams.broker.embedded import EmbeddedBroker
broker = EmbeddedBroker(sys.argv[1])
broker.start()
print(broker.pid, broker.bootstrap, flush=True)
time.sleep(600)
"""


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(SECONDS_MAX) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=SECONDS_MAX)]
    finally:
        consumer.close()


def is_gone(pid: int, seconds: float = SECONDS_MAX) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_what_is_produced_is_consumed(broker: EmbeddedBroker, new_topic: Callable[..., str]) -> None:
    topic = new_topic("pairs")

    produce(broker.bootstrap, topic, [b"one", b"two"])

    assert consume(broker.bootstrap, topic, 2) == [b"one", b"two"]
    assert admin.end_offsets(broker.bootstrap, [topic]) == {(topic, 0): 2}


def test_a_record_of_four_mebibytes_passes(broker: EmbeddedBroker, new_topic: Callable[..., str]) -> None:
    topic = new_topic("large", config={"max.message.bytes": str(4 * 1024 * 1024)})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 5_000_000})

    producer.produce(topic, bytes(4 * 1024 * 1024 - 200))

    assert producer.flush(SECONDS_MAX) == 0
    assert admin.end_offsets(broker.bootstrap, [topic]) == {(topic, 0): 1}


def test_data_cluster_and_address_survive_stop_kill_and_pause(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    with broker:
        bootstrap, cluster = broker.bootstrap, broker.cluster_id
        admin.create_topics(bootstrap, [admin.NewTopic("kept", 1, {})])
        produce(bootstrap, "kept", [b"before a stop"])

    with broker:
        produce(broker.bootstrap, "kept", [b"before a kill"])
        broker.kill()
        broker.start()
        broker.pause()
        broker.resume()

        assert (broker.bootstrap, broker.cluster_id) == (bootstrap, cluster)
        assert consume(broker.bootstrap, "kept", 2) == [b"before a stop", b"before a kill"]


def test_a_client_outlives_the_kafka_that_was_killed_under_it(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        admin.create_topics(broker.bootstrap, [admin.NewTopic("kept", 1, {})])
        producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
        producer.produce("kept", b"before")
        assert producer.flush(SECONDS_MAX) == 0

        broker.kill()
        producer.produce("kept", b"meanwhile")
        broker.start()

        assert producer.flush(SECONDS_MAX) == 0
        assert consume(broker.bootstrap, "kept", 2) == [b"before", b"meanwhile"]


def test_a_port_that_was_taken_meanwhile_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        (tmp_path / "ports").write_text(f"{taken} {taken + 1}")
        answers = iter([True, True])
        monkeypatch.setattr(ports, "is_free", lambda port, real=ports.is_free: next(answers, None) or real(port))

        with EmbeddedBroker(tmp_path) as broker:
            assert broker.bootstrap != f"127.0.0.1:{taken}"
            assert admin.cluster_id(broker.bootstrap) == broker.cluster_id


def test_a_foreign_cluster_is_refused(broker: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "cluster_id", lambda bootstrap, real=admin.cluster_id: real(broker.bootstrap))
    other = EmbeddedBroker(tmp_path)

    with pytest.raises(BrokerUnavailable, match="Another Kafka answers"):
        other.start()

    with pytest.raises(BrokerUnavailable, match="not running"):
        _ = other.pid


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(BrokerUnavailable, match=r"num\.io\.threads"):
        EmbeddedBroker(tmp_path, {"num.io.threads": "none at all"}).start()


def test_kafka_dies_with_a_killed_program_and_frees_its_directory(tmp_path: Path) -> None:
    program = subprocess.Popen([sys.executable, "-c", STARTS_AND_WAITS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    pid, bootstrap = program.stdout.readline().split()

    os.kill(program.pid, signal.SIGKILL)
    program.communicate()

    with EmbeddedBroker(tmp_path) as successor:
        assert is_gone(int(pid))
        assert successor.bootstrap == bootstrap


def test_two_programs_never_share_a_directory(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.broker.embedded.LOCK_SECONDS_MAX", 0.2)

    with pytest.raises(BrokerUnavailable, match="Another Kairos"):
        EmbeddedBroker(broker.data_directory).start()


def test_auto_takes_the_named_kafka_else_starts_one(broker: EmbeddedBroker, tmp_path: Path) -> None:
    with choose("auto", tmp_path, {"KAFKA_BOOTSTRAP": broker.bootstrap}) as bootstrap:
        assert bootstrap == broker.bootstrap
    with choose("auto", tmp_path, {}) as bootstrap:
        assert admin.cluster_id(bootstrap) != broker.cluster_id


def test_an_address_without_kafka_the_mock_and_a_misspelt_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "ANSWER_SECONDS_MAX", 1.0)
    with pytest.raises(BrokerUnavailable, match="No Kafka answers"), choose("127.0.0.1:1", tmp_path):
        pass
    with pytest.raises(BrokerUnavailable, match="Only `kairos run`"), choose("mock", tmp_path):
        pass
    with pytest.raises(BrokerUnavailable, match="none of auto"), choose("embeded", tmp_path):
        pass


def test_no_java_on_the_path_is_needed(tmp_path: Path) -> None:
    script = "import sys; from streams.broker import admin; from streams.broker.embedded import EmbeddedBroker\n"
    script += "with EmbeddedBroker(sys.argv[1]) as broker: print(admin.cluster_id(broker.bootstrap) == broker.cluster_id)"
    environment = {name: value for name, value in os.environ.items() if name not in {"PATH", "JAVA_HOME"}} | {"PATH": ""}

    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, check=False)

    assert done.stdout == "True\n", done.stderr
