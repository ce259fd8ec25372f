"""docker-compose.kafka.yml without containers: the same processes with the same settings, an embedded Kafka, and the machine's own Prometheus.

The rule this module owns: nothing is said twice. What runs, and what it is told, is read from the compose file; only addresses and directories are others.
`python -m deploy.stack` runs it until Ctrl-C, which stops everything.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from ruamel.yaml import YAML

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared

TOP = Path(__file__).parents[1]
COMPOSE_FILE = TOP / "docker-compose.kafka.yml"
OURS = "kairos:"
"""Images that are ours begin so: what runs in them is run here."""
METRICS_PORT, COLLECTOR_PORT, PROMETHEUS_PORT = 9464, 8383, 9090
SETTLE_SECONDS_MAX, STOP_SECONDS_MAX, LOOK_SECONDS = 120.0, 20.0, 0.2
LOG_LINES_SHOWN = 20


class Service(NamedTuple):
    """A service of the compose file that runs one of our commands."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]


class Failed(Exception):
    """It could not be started, or something of it ended; the text says what."""


def services(environment: dict[str, str]) -> list[Service]:
    """Those of the compose file whose image is ours; ${NAME:-default} is taken from `environment`."""
    found = YAML(typ="safe").load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return [
        Service(name, said["command"], {key: _filled(str(value), environment) for key, value in said["environment"].items()})
        for name, said in found.items()
        if said["image"].startswith(OURS)
    ]


def _filled(value: str, environment: dict[str, str]) -> str:
    if not value.startswith("${"):
        return value
    name, _, default = value.removeprefix("${").removesuffix("}").partition(":-")
    return environment.get(name) or default


class Stack:
    """All of it, in one directory; `addresses` says where what listens."""

    def __init__(self, directory: Path, environment: dict[str, str], tell: Callable[[str], None]) -> None:
        self.directory, self._environment, self._tell = directory, {**environment, "KAIROS_SECRET": _secret(directory, environment)}, tell
        self.addresses: dict[str, str] = {}
        self._kafka = EmbeddedBroker(directory / "broker")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        if shutil.which("prometheus") is None:
            raise Failed("There is no prometheus on the path; on Debian and Ubuntu: apt install prometheus")
        self._kafka.start()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._kafka.stop()

    def check(self) -> None:
        """Failed for what has ended."""
        self._kafka.check()
        for name, process in self._processes.items():
            if process.poll() is not None:
                lines = self._log(name).read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
                raise Failed(f"{name} ended with exit code {process.returncode}. The end of {self._log(name)}:\n" + "\n".join(lines))

    def _start(self) -> None:
        ours = services(self._environment)
        self.addresses["kafka"] = self._kafka.bootstrap
        admin.create_topics(self._kafka.bootstrap, declared(int(ours[0].environment["KAIROS_PARTITIONS"])))
        targets: dict[str, list[str]] = {}
        for service in ours:
            self._run(service, targets)
        self._prometheus(targets)
        for name, ready in (*[(service.name, "readyz") for service in ours], ("prometheus", "-/ready")):
            self._await(name, f"{self.addresses[name]}/{ready}")

    def _run(self, service: Service, targets: dict[str, list[str]]) -> None:
        is_collector = "collector" in service.command
        port = _free(COLLECTOR_PORT if is_collector else METRICS_PORT + len(self._processes))
        here = {"kafka:19092": self._kafka.bootstrap, "0.0.0.0": "127.0.0.1", "/data": str(self.directory / service.name)}
        here |= {str(COLLECTOR_PORT if is_collector else METRICS_PORT): str(port)}
        settings = {name: here.get(value, value) for name, value in service.environment.items()}
        settings["KAIROS_METRICS_PORT"] = str(port)
        words = [sys.executable, "-m", "streams.cli", *[here.get(word, word) for word in service.command]]
        self._begin(service.name, words, settings)
        self.addresses[service.name] = f"http://127.0.0.1:{port}"
        targets.setdefault("collector" if is_collector else "worker", []).append(f"127.0.0.1:{port}")

    def _prometheus(self, targets: dict[str, list[str]]) -> None:
        configuration, port = self.directory / "prometheus", _free(PROMETHEUS_PORT)
        configure(configuration, targets)
        said: list[str] = YAML(typ="safe").load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]["prometheus"]["command"]
        here = {"/etc/prometheus": str(configuration), "/prometheus": str(configuration / "data")}
        words = [_elsewhere(word, here) for word in said]
        self._begin("prometheus", ["prometheus", *words, f"--web.listen-address=127.0.0.1:{port}"], {})
        self.addresses["prometheus"] = f"http://127.0.0.1:{port}"

    def _begin(self, name: str, words: list[str], settings: dict[str, str]) -> None:
        (self.directory / name).mkdir(parents=True, exist_ok=True)
        ours = {key: value for key, value in os.environ.items() if not key.startswith("KAIROS_")}
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                words,
                env={**ours, **settings, "PYTHONPATH": str(TOP)},
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the stack alone, which stops the others in order.
            )

    def _await(self, name: str, url: str) -> None:
        self._tell(f"waiting for {name}")
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while not _is_ok(url):
            self.check()
            if time.monotonic() > deadline:
                raise Failed(f"{name} is not ready after {SETTLE_SECONDS_MAX:g} s: {url}, {self._log(name)}")
            time.sleep(LOOK_SECONDS)

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def configure(directory: Path, targets: Mapping[str, Sequence[str]]) -> None:
    """Write the checked-in configuration of Prometheus and its targets by kind; those that an operator has put beside them stay."""
    (directory / "targets").mkdir(parents=True, exist_ok=True)
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(TOP / "deploy/prometheus" / name, directory)
    for kind, addresses in targets.items():
        (directory / "targets" / f"{kind}.json").write_text(json.dumps([{"targets": addresses}]))


def _elsewhere(word: str, here: dict[str, str]) -> str:
    """A flag whose value is a path in a container, with the path here."""
    flag, equals, value = word.partition("=")
    for inside, outside in here.items():
        if value == inside or value.startswith(f"{inside}/"):
            return f"{flag}{equals}{outside}{value.removeprefix(inside)}"
    return word


def _secret(directory: Path, environment: dict[str, str]) -> str:
    """The deployment's: from the environment, or made once and kept for its owner alone."""
    if environment.get("KAIROS_SECRET"):
        return environment["KAIROS_SECRET"]
    path = directory / "secret"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text()


def _free(port: int) -> int:
    """This port if nobody has it, else any."""
    for wanted in (port, 0):
        try:
            with socket.create_server(("127.0.0.1", wanted)) as found:
                return int(found.getsockname()[1])
        except OSError:
            continue
    raise Failed("there is no free port")


def _is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main(words: Sequence[str]) -> None:
    """Run it in the foreground."""
    told: Any = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    told.add_argument("--directory", type=Path, default=Path(".kairos/stack"), help="where all state and logs lie")
    told.add_argument("--json", action="store_true", dest="as_json", help="say where what listens as a line of JSON")
    asked = told.parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Both unwind, so that all is stopped.
    try:
        with Stack(asked.directory.resolve(), dict(os.environ), lambda words: print(words, file=sys.stderr, flush=True)) as stack:
            _say(stack, asked.as_json)
            while True:
                time.sleep(1.0)
                stack.check()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except Failed as failed:
        sys.exit(f"Error: {failed}")


def _say(stack: Stack, as_json: bool) -> None:
    if as_json:
        print(json.dumps(stack.addresses), flush=True)
        return
    for name, address in stack.addresses.items():
        print(f"{name:<11} {address}")
    print(f"logs and state: {stack.directory}; Ctrl-C stops all of it.", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
