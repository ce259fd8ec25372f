"""A real Kafka of one node as a child process. It never outlives the program that started it, and its data outlives both.

Everything it keeps lies in one directory that the caller names: Kafka's logs, `cluster.id`, `ports`, `server.properties`, `broker.log`. A lock on that
directory is inherited by Kafka itself, so it is free only when the last Kafka on it is really gone. A cluster that answers with another id is refused.
"""

from __future__ import annotations

import base64
import fcntl
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker import admin, jars, ports
from streams.broker.errors import BrokerUnavailable

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 15.0
LOCK_SECONDS_MAX = 20.0
MESSAGE_BYTES_MAX = 5 * 1024 * 1024
_STARTED = b"Kafka Server started"
_PORT_TAKEN = b"Address already in use"  # Somebody was quicker between our choice of a port and Kafka's bind.
_ATTEMPTS = 3
_POLL_SECONDS = 0.02

# The guardian reads a pipe that only this program holds open for writing. Its end of file means that the program is gone, however it went.
_GUARDIAN = """
PATH=/usr/bin:/bin
read -r word && exit 0
kill -TERM "$1"; kill -CONT "$1"
tries=0
while kill -0 "$1" && [ $tries -lt 80 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1"
"""

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",  # A misspelt topic is an error, not a new topic.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # After a kill the controller takes the broker back only when its old session is over.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "2",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",  # What a dead writer left open ends soon after its time-out.
    "group.initial.rebalance.delay.ms": "0",  # The first worker need not wait three seconds for company.
    # Kafka would hold back each offset that a transaction carries for 5 ms, to write several at once: a transaction of little takes 12 ms instead of 20 at p50.
    "group.coordinator.append.linger.ms": "0",
    "message.max.bytes": str(MESSAGE_BYTES_MAX),
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.segment.delete.delay.ms": "1000",
}

_JVM_OPTIONS = (
    "-Xms256m",
    "-Xmx1g",
    "-XX:+UseSerialGC",
    # The virtual machine's second compiler takes as much as Kafka itself for minutes, on the worker's own cores: without it a commit of little takes a third of
    # the time (p50 of a hop at 2,000 interactions/s 57 ms instead of 230), and of 215,728 interactions of `make bench` each cost it 88 us, not 97.
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Djava.awt.headless=true",
)


class EmbeddedBroker:
    """One Kafka on free loopback ports, its data in `data_directory`; start and stop as often as needed, ports and data stay the same."""

    def __init__(self, data_directory: Path | str, properties: dict[str, str] | None = None) -> None:
        """`properties` are added to Kafka's own configuration, or replace parts of it."""
        self.data_directory = Path(data_directory).resolve()
        self.log_path = self.data_directory / "broker.log"
        self.bootstrap = ""
        self.cluster_id = ""
        self._extra = properties or {}
        self._kafka: subprocess.Popen[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of Kafka itself; an error while it does not run."""
        if self._kafka is None:
            raise BrokerUnavailable("the embedded Kafka is not running")
        return self._kafka.pid

    def check(self) -> None:
        """Raise BrokerUnavailable, with the end of its log, where Kafka has ended by itself."""
        if self._kafka is not None and self._kafka.poll() is not None:
            raise BrokerUnavailable(f"Kafka has ended with {self._kafka.returncode}. The end of {self.log_path}:\n{self._log_tail()}")

    def start(self) -> None:
        """Returns when Kafka answers, about two seconds later; raises BrokerUnavailable with the end of its log when it does not."""
        if self._kafka is not None:
            raise BrokerUnavailable("the embedded Kafka is already running")
        java, class_path = jars.java(), jars.classpath()
        self.data_directory.mkdir(parents=True, exist_ok=True)
        lock = self._lock()
        try:
            for attempt in range(1, _ATTEMPTS + 1):
                ports = self._ports()
                self.cluster_id = self._format(java, class_path, ports)
                self._launch([str(java), *_JVM_OPTIONS, "-cp", class_path, "kafka.Kafka", str(self._properties(ports))], lock)
                self.bootstrap = f"127.0.0.1:{ports[0]}"
                try:
                    self._await_started()
                    self._recognise()
                    return
                except BrokerUnavailable:
                    self.kill()
                    if _PORT_TAKEN not in self.log_path.read_bytes() or attempt == _ATTEMPTS:
                        raise
        finally:
            os.close(lock)

    def stop(self) -> None:
        """Kafka closes its logs and ends, by force after 15 s; harmless while it does not run."""
        if self._kafka is not None:
            self._kafka.terminate()
            self._kafka.send_signal(signal.SIGCONT)
            try:
                self._kafka.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._kafka.kill()
            self._forget()

    def kill(self) -> None:
        """Kafka is gone at once, as after a power cut; `start` recovers its logs."""
        if self._kafka is not None:
            self._kafka.kill()
            self._forget()

    def pause(self) -> None:
        """Kafka keeps its connections and answers nothing, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _lock(self) -> int:
        descriptor = os.open(self.data_directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise BrokerUnavailable(
                        f"Another Kairos uses the broker in {self.data_directory}: end it, or name its address with --broker."
                    ) from None
                time.sleep(0.1)

    def _ports(self) -> tuple[int, int]:
        """The ports of last time if they are still free: a worker that outlived a restart finds its broker again."""
        file = self.data_directory / "ports"
        remembered = [int(word) for word in file.read_text().split()] if file.exists() else []
        first, second = remembered if len(remembered) == 2 and all(map(ports.is_free, remembered)) else ports.free(2)
        file.write_text(f"{first} {second}\n")
        return first, second

    def _properties(self, ports: tuple[int, int]) -> Path:
        kafka, controller = ports
        settings = {
            **PROPERTIES,
            "listeners": f"PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.data_directory / "logs"),
            **self._extra,
        }
        path = self.data_directory / "server.properties"
        path.write_text("".join(f"{name}={_escaped(value)}\n" for name, value in settings.items()))
        return path

    def _format(self, java: Path, class_path: str, ports: tuple[int, int]) -> str:
        """The cluster's id, made with the data once and then read."""
        file = self.data_directory / "cluster.id"
        if file.exists():
            return file.read_text().strip()
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        command = [str(java), "-XX:TieredStopAtLevel=1", "-cp", class_path, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        done = subprocess.run(
            [*command, f"--cluster-id={cluster_id}", "-c", str(self._properties(ports))], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BrokerUnavailable(f"Kafka could not prepare {self.data_directory}:\n{done.stdout}{done.stderr}")
        file.write_text(cluster_id + "\n")
        return cluster_id

    def _launch(self, command: list[str], lock: int) -> None:
        with self.log_path.open("wb") as log:
            self._kafka = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
                cwd=self.data_directory,
            )
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", _GUARDIAN, "kairos-broker-guardian", str(self._kafka.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _await_started(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while _STARTED not in self.log_path.read_bytes():
            if self._kafka is None or self._kafka.poll() is not None:
                raise BrokerUnavailable(f"The embedded Kafka ended while it started. The end of {self.log_path}:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"The embedded Kafka did not start in {START_SECONDS_MAX:.0f} s. The end of {self.log_path}:\n{self._log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def _recognise(self) -> None:
        answered = admin.cluster_id(self.bootstrap)
        if answered != self.cluster_id:
            raise BrokerUnavailable(f"Another Kafka answers at {self.bootstrap}: its cluster is {answered}, ours is {self.cluster_id}.")

    def _forget(self) -> None:
        """Reap Kafka, then dismiss its guardian: in this order no other process can have got Kafka's id."""
        if self._kafka is not None:
            self._kafka.wait()
        if self._guardian is not None:
            self._guardian.communicate(b"done\n")
        self._kafka = self._guardian = None

    def _log_tail(self, lines: int = 25) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def _escaped(value: str) -> str:
    """A value as a Java properties file wants it."""
    return value.replace("\\", "\\\\")
