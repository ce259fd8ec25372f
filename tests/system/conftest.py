"""One stack for all tests of the folder, and a brand at work on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.source import TOP
from tests.system.load import Load, items
from tests.system.receiver import Receiver

START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 60.0
SECRET = "a secret of the tests"
SOURCES = ("web", "tills", "call-centre")
COMMANDS = (("link", "user_id:v1", "user_id:v2"), ("unlink", "user_id:v3", "user_id:v4"))


class Running(NamedTuple):
    """A stack that is up: where what listens, and where its state lies."""

    addresses: dict[str, str]
    directory: Path

    def cli(self, *words: str, service: str = "worker-1") -> str:
        """What a command of Kairos says, as an operator of that service would type it."""
        words = (sys.executable, "-m", "streams.cli", *words)
        done = subprocess.run(words, env=self.environment(service), capture_output=True, text=True, check=False, cwd=self.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environment(self, service: str) -> dict[str, str]:
        """What a process that belongs to it is told."""
        return {
            **os.environ,
            "KAIROS_SECRET": SECRET,
            "KAIROS_DATA_DIR": str(self.directory / service),
            "KAIROS_BOOTSTRAP": self.addresses["kafka"],
            "PYTHONPATH": str(TOP),
        }


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    """Kafka, workers, collector and Prometheus, as `make stack` starts them."""
    directory = Path(tempfile.mkdtemp(prefix="kairos-stack-"))
    words = [sys.executable, "-m", "deploy.stack", "--directory", str(directory), "--json"]
    environment = {**os.environ, "KAIROS_SECRET": SECRET, "PYTHONPATH": str(TOP)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True, cwd=TOP)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, "the stack has said why above"
        yield Running(json.loads(said), directory)
        process.terminate()
        assert process.wait(STOP_SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def receiver(stack: Running) -> Iterator[Receiver]:
    """An endpoint, and a deliverer that Prometheus is told of."""
    receiving, directory = Receiver(), stack.directory / "deliver"
    directory.mkdir()
    (directory / "secret").write_text(stack.cli("deliver", "secret"))
    (directory / "secret").chmod(0o600)
    (directory / "endpoints.toml").write_text(
        f'[endpoints.crm]\nurl = "{receiving.url}"\nsecrets = ["file:secret"]\ntopics = ["moments", "segments"]\nallow_private_addresses = true\n'
    )
    words = [sys.executable, "-m", "streams.cli", "deliver", "--endpoints", "endpoints.toml", "--metrics-port", "0", "--json"]
    process = subprocess.Popen(words, env=stack.environment("deliver"), cwd=directory, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", said)
        assert found is not None, said
        port = int(found[1])
        threading.Thread(target=process.stdout.read, daemon=True).start()
        stack.addresses["deliver"] = f"http://127.0.0.1:{port}"
        (stack.directory / "prometheus/targets/deliver.json").write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"]}]))
        yield receiving
        process.terminate()
        assert process.wait(STOP_SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait()
        receiving.close()


@pytest.fixture(scope="session")
def load(stack: Running, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Producers that send, an operator who gives commands."""
    keys = [json.loads(stack.cli("keys", "create", source, "--json", service="collector"))["writeKey"] for source in SOURCES]
    with Load(stack.addresses["collector"], keys, items(tmp_path_factory.mktemp("brand")), receiver.outcomes) as sending:
        for kind, one, other in COMMANDS:
            stack.cli("identity", kind, one, other, "--why", "a test")
        yield sending
    assert not sending.failed, sending.failed[:3]
    assert sending.sent > 1_000
