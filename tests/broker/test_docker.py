"""The compose file's Kafka is set like the embedded one, and `docker` stops only what it started. Without an engine it says so plainly."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import DockerException
from testcontainers.compose import DockerCompose

from schemas import topics
from streams.broker import admin, docker, embedded, jars
from streams.broker.docker import DockerBroker
from streams.broker.errors import BrokerUnavailable
from tests.house.source import TOP

COMPOSE_FILE = TOP / docker.COMPOSE_FILE
OF_A_MACHINE = {
    "num.network.threads",
    "num.io.threads",
    "background.threads",
    "num.recovery.threads.per.data.dir",
    "log.cleaner.dedupe.buffer.size",
}
OF_A_TEST = {"broker.heartbeat.interval.ms", "broker.session.timeout.ms", "log.segment.delete.delay.ms"}
OF_A_SMALL_DISK = {name for name in embedded.PROPERTIES if name.endswith(".num.partitions")}
TOPICS_SECONDS_MAX = 120
OF_THE_NETWORK = {"listener.security.protocol.map", "inter.broker.listener.name"}


@pytest.fixture
def docker_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that only writes down what it was asked, one line a call, and says that a container runs if the file `running` exists."""
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\necho "$4" >> {tmp_path}/calls\n[ "$4" != ps ] || cat {tmp_path}/running 2>/dev/null || true\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(admin, "cluster_id", lambda bootstrap: "compose")
    return tmp_path / "calls"


def test_what_it_started_is_stopped(docker_calls: Path) -> None:
    with DockerBroker(COMPOSE_FILE) as kafka:
        assert kafka.bootstrap == "127.0.0.1:9092"

    assert docker_calls.read_text().split() == ["ps", "up", "stop"]


def test_what_ran_before_keeps_running(docker_calls: Path) -> None:
    docker_calls.with_name("running").write_text("container\n")

    with DockerBroker(COMPOSE_FILE):
        pass

    assert docker_calls.read_text().split() == ["ps", "up"]


def test_a_machine_without_docker_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerUnavailable, match="no docker on the path"):
        DockerBroker(COMPOSE_FILE).start()


def test_the_compose_file_runs_the_same_kafka_with_the_same_settings() -> None:
    text = COMPOSE_FILE.read_text()
    settings = {
        name.lower().replace("_", "."): value.strip('"') for name, value in re.findall(r"^ +KAFKA_([A-Z_]+): (.+)$", text, re.MULTILINE)
    }
    kafka = next(jar.version for jar in jars.locked() if jar.artifact == "kafka_2.13")
    shared = embedded.PROPERTIES.keys() - OF_A_MACHINE - OF_A_TEST - OF_A_SMALL_DISK - OF_THE_NETWORK

    assert set(re.findall(r"image: apache/kafka:(\S+)", text)) == {kafka}
    assert {name: settings.get(name) for name in shared} == {name: embedded.PROPERTIES[name] for name in shared}


@pytest.mark.faults
def test_an_engine_brings_up_kafka_with_its_topics_and_no_engine_is_a_plain_refusal() -> None:
    try:
        DockerClient.from_env().ping()
    except DockerException:
        with pytest.raises(BrokerUnavailable, match=r"docker compose ps failed|no docker on the path"):
            DockerBroker(COMPOSE_FILE).start()
        return
    names = sorted(topic.name for topic in topics.TOPICS)
    with DockerCompose(TOP, compose_file_name=COMPOSE_FILE.name, wait=False):
        deadline = time.monotonic() + TOPICS_SECONDS_MAX
        while (found := [topic.name for topic in admin.describe_topics(docker.BOOTSTRAP, names)]) != names and time.monotonic() < deadline:
            time.sleep(1)

        assert found == names
