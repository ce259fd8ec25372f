"""The Kafka of docker-compose.kafka.yml, brought up and, if it was not running before, stopped again; its data stays in its volume."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker import admin
from streams.broker.errors import BrokerUnavailable

COMPOSE_FILE = Path("docker-compose.kafka.yml")
BOOTSTRAP = "127.0.0.1:9092"
UP_SECONDS_MAX = 180


class DockerBroker:
    """The compose file's Kafka at 127.0.0.1:9092; needs a container engine and Docker's compose plug-in."""

    def __init__(self, compose_file: Path = COMPOSE_FILE) -> None:
        self.compose_file = compose_file
        self.bootstrap = BOOTSTRAP
        self._was_running = False

    def start(self) -> None:
        """Returns when Kafka answers; raises BrokerUnavailable with Docker's own words."""
        if not self.compose_file.exists():
            raise BrokerUnavailable(f"{self.compose_file} is not here: run this from the top of the repository.")
        self._was_running = bool(self._compose("ps", "--quiet", "--status", "running", "kafka").strip())
        self._compose("up", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS_MAX), "kafka")
        admin.cluster_id(self.bootstrap)

    def stop(self) -> None:
        """Stop what `start` started, and only that."""
        if not self._was_running:
            self._compose("stop")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _compose(self, *words: str) -> str:
        docker = shutil.which("docker")
        if docker is None:
            raise BrokerUnavailable("There is no docker on the path: `--broker auto` needs none.")
        done = subprocess.run([docker, "compose", "--file", str(self.compose_file), *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokerUnavailable(f"docker compose {words[0]} failed; `--broker auto` needs no Docker.\n{done.stderr.strip()}")
        return done.stdout
