"""Runs the toy as processes against a real broker, and says what its answer ought to be. Imports nothing of the engine: the answer is worked out here."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.faults import ledger

NO_ROW = b"\0\0"
"""Begins the keys of what a changelog holds beside rows."""
ROOT = Path(__file__).resolve().parents[2]
TOY = """
import runpy, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
runpy.run_module("tests.faults.toy", run_name="__main__")
"""
"""Until it listens, SIGINT ends it: it would be lost where a shell has begun the tests in the background, or where Python meets it in what ignores errors."""
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
"""Mounts of one's own, without being root."""
DEADLINE_SECONDS = 240.0
"""For what hangs: nothing is said of how fast it should be."""
STOP_SECONDS_MAX = 10.0
LOADED_SECONDS = 6.0
"""What a loaded machine needs to end a process."""
SAID_KEYS = 8
NOT_LED_YET = ("NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "OFFSET_NOT_AVAILABLE")
NOT_KNOWN_YET = ("COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "_TIMED_OUT", "_WAIT_COORD")


class ToyRun:
    """One input, any number of workers one after the other or together, one answer."""

    def __init__(self, bootstrap: str, directory: Path, partitions: int = 4, replication: int = 1) -> None:
        self.bootstrap = bootstrap
        self.directory = directory
        self.partitions = partitions
        self.name = f"toy{uuid.uuid4().hex[:8]}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.sums: dict[bytes, tuple[int, int]] = {}
        self.outputs: Counter[bytes] = Counter()
        self.sent = 0
        self._made: list[ledger.Made] = []
        self._idle_from: list[float] = []
        self._figures: dict[str, dict[str, float]] = {}
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._create(["raw", "keyed", "out", "dead"], replication)
        # Idempotent, or a retry changes the order, and with it the answer.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 20,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "message.max.bytes": 8 << 20,
            }
        )

    @property
    def state_dir(self) -> Path:
        return self.directory / "state"

    def feed(self, count: int, keys: int = 300, seed: int = 1, to: str = "raw") -> None:
        """Numbers for so many keys; all of a key come through one partition, so their order is fixed.

        Of many keys each gets few numbers, so one number in twenty is for one of a few of them, or nothing would ever be said.
        """
        chance = random.Random(seed)
        for number in range(count):
            among = keys if number % 20 else min(keys, SAID_KEYS)
            self.number(b"k%d" % chance.randrange(among), chance.randrange(100), to)
        self.flush()

    def number(self, key: bytes, number: int, to: str = "raw", padding: int = 1) -> None:
        """One number, and what it must lead to; `padding` bytes make its record wide."""
        self.raw(key, b"%s%s%d" % (key, b" " * padding, number), to)
        before = self.sums.get(key, (0, 0))
        now = self.sums[key] = (before[0] + 1, before[1] + number)
        if now[0] % 10 == 0:
            self.outputs[b"%s %d %d" % (key, *now)] += 1

    def raw(self, key: bytes, value: bytes, to: str = "raw") -> None:
        """Any record; `to` the topic of numbers as they come, or of those that are forwarded."""
        while True:
            try:
                self._producer.produce(f"{self.name}-{to}", key=key, value=value)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent += 1

    def flush(self) -> None:
        """All that was fed is on the broker."""
        assert self._producer.flush(DEADLINE_SECONDS) == 0

    def worker(self, failpoint: str = "", mount: str = "", **options: Any) -> subprocess.Popen[bytes]:
        """Start one. `mount`: its state lies on a file system in memory, with these options, which nobody else sees."""
        number = len(self.workers)
        toy = {
            "run": self.name,
            "bootstrap": self.bootstrap,
            "state_dir": str(self.state_dir),
            "batch_records_max": 200,
            "session_timeout_seconds": 6.0,
            "heartbeat_seconds": 1.0,
            "instance_id": "one",
            **options,
        }
        with (self.directory / f"worker{number}.log").open("wb") as log:
            environment = {**os.environ, "TOY": json.dumps(toy), "KAIROS_FAILPOINT": failpoint}
            command = [sys.executable, "-c", TOY]
            if mount:
                Path(toy["state_dir"]).mkdir(exist_ok=True)
                command = [
                    *UNSHARE,
                    'mount -t tmpfs -o "$1" state "$2" && shift 2 && exec "$@"',
                    "mount",
                    mount,
                    toy["state_dir"],
                    *command,
                ]
            before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # It waits until the process can die of it.
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.workers.append(process)
        return process

    def suffers(self, fault: str, detail: str = "", lag: bool = True) -> None:
        """This is about to happen, or just did, to this run (ledger.FAULTS); while there is work left, unless told otherwise."""
        assert fault in ledger.FAULTS, fault
        assert not lag or self.lag() > 0, f"{fault}: there is nothing left that could be lost"
        self._made.append(ledger.Made(fault, detail, time.time()))

    def noted(self, name: str, figure: float) -> None:
        """Something that was measured of the fault that was made last, with its unit in its name; the greatest is kept."""
        of_it = self._figures.setdefault(self._made[-1].fault, {})
        of_it[name] = max(figure, of_it.get(name, figure))

    def run_until_killed(self, failpoint: str, fault: str = "fail point", **options: Any) -> float:
        """A worker that must die at its fail point, with work left; returns when, by the monotonic clock."""
        process = self.worker(failpoint, **options)
        try:
            code = process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{failpoint}: never reached, {self.lag()} left\n{self.log(process)}") from None
        died = time.monotonic()
        assert code == -signal.SIGKILL, f"{failpoint}: ended with {code}\n{self.log(process)}"
        self.suffers(fault, failpoint.partition(":")[0])
        return died

    def run_until_done(self, failpoint: str = "", **options: Any) -> None:
        """A worker that finishes everything, and stops when told to."""
        process = self.worker(failpoint, **options)
        self.await_done([process])
        self.stop(process)

    def run_until_counted(self, counts: dict[str, int], failpoint: str = "", **options: Any) -> None:
        """The same, and it was told of that many committed batches before it stops: where a commit's answer fails, that comes later than the commit."""
        process = self.worker(failpoint, counts=str(self.directory / "counts.json"), **options)
        self.await_done([process])
        self.await_counted(counts)
        self.stop(process)
        assert self.counts() | {"ticks": 0} == counts | {"ticks": 0}

    def await_counted(self, counts: dict[str, int]) -> None:
        """A worker was told of just so much; ticks do not matter."""
        give_up = time.monotonic() + DEADLINE_SECONDS
        while (said := self.counts() | {"ticks": 0}) != counts | {"ticks": 0}:
            assert time.monotonic() < give_up, f"{said} were counted, not {counts}\n" + "\n".join(map(self.log, self.workers))
            time.sleep(0.1)

    def await_done(self, processes: Iterable[subprocess.Popen[bytes]]) -> None:
        """Every input is committed to its end."""
        give_up = time.monotonic() + DEADLINE_SECONDS
        while self.lag() > 0:
            for process in processes:
                assert process.poll() is None, f"ended with {process.returncode}\n{self.log(process)}"
            assert time.monotonic() < give_up, f"{self.lag()} left after {DEADLINE_SECONDS:g} s\n" + "\n".join(map(self.log, processes))
            time.sleep(0.2)
        self._idle_from.append(time.time())

    def stop(self, process: subprocess.Popen[bytes], begun: bool = True) -> float:
        """SIGTERM; returns how long it took. One that may not have `begun` may die of it: it does not listen before it runs."""
        start = time.monotonic()
        process.terminate()
        code = process.wait(DEADLINE_SECONDS)
        assert time.monotonic() - start < STOP_SECONDS_MAX + LOADED_SECONDS, self.log(process)
        assert code == 0 or (not begun and code == -signal.SIGTERM), f"stopped with {code}\n{self.log(process)}"
        return time.monotonic() - start

    def close(self) -> None:
        """Whatever still runs does not any longer; topics go."""
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        names = [name for name in self._admin.list_topics(timeout=60).topics if name.startswith(self.name)]
        for done in self._admin.delete_topics(names).values() if names else ():
            done.result()

    def lag(self) -> int:
        """Offsets between what is committed and the very ends of both inputs: what lies in an open transaction is to come."""
        inputs = [TopicPartition(f"{self.name}-{topic}", number) for topic in ("raw", "keyed") for number in range(self.partitions)]
        reader = self._reader("read_uncommitted", f"{self.name}-toy")  # It joins nothing; AdminClient's way to ask crashes librdkafka 2.16.
        try:
            committed = {(each.topic, each.partition): max(0, each.offset) for each in reader.committed(inputs, timeout=60)}
            return sum(_end(reader, target) - committed[target.topic, target.partition] for target in inputs)
        except KafkaException as error:
            if error.args[0].name() in NOT_KNOWN_YET:
                return 1
            raise
        finally:
            reader.close()

    def counts(self, name: str = "counts.json") -> dict[str, int]:
        """What a worker was told of committed batches so far."""
        try:
            counts: dict[str, int] = json.loads((self.directory / name).read_text())
        except FileNotFoundError:
            return {}
        return counts

    def health(self, name: str) -> dict[str, Any]:
        """What a worker said of itself last: alive, ready, running (partitions), restored (rows), copies (how far each is behind), at."""
        try:
            said: dict[str, Any] = json.loads((self.directory / name).read_text())
        except FileNotFoundError:
            return {"alive": None, "ready": False, "running": [], "restored": 0, "copies": [], "at": 0.0}
        return said

    def await_health(self, name: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first thing the worker says of itself that fits."""
        give_up = time.monotonic() + DEADLINE_SECONDS
        while not fits(said := self.health(name)):
            assert time.monotonic() < give_up, f"after {DEADLINE_SECONDS:g} s it still says {said}\n" + "\n".join(
                map(self.log, self.workers)
            )
            time.sleep(0.05)
        return said

    def await_counts(self, *names: str) -> None:
        """Every one of these workers has added something."""
        give_up = time.monotonic() + DEADLINE_SECONDS
        while not all(self.counts(name).get("added") for name in names):
            assert time.monotonic() < give_up, "a worker got nothing to do\n" + "\n".join(map(self.log, self.workers))
            time.sleep(0.1)

    def feed_until_shared(self, *names: str) -> None:
        """Every one of these workers has added something; all are fed until the last has, however late it joins."""
        give_up = time.monotonic() + DEADLINE_SECONDS
        while not all(self.counts(name).get("added") for name in names):
            assert time.monotonic() < give_up, "a worker got nothing to do\n" + "\n".join(map(self.log, self.workers))
            self.feed(200, seed=self.sent)
            time.sleep(0.2)

    def assert_exact(self, outputs_once: bool = True) -> None:
        """Nothing is lost, nothing applied or said twice, as a reader of committed records sees it; without `outputs_once` outputs may come again."""
        assert self.outputs, "nothing was to be said, so nothing that is said twice would be seen"
        found, outputs = self._sums(), self.messages(f"{self.name}-out")
        said = Counter(message.value() for message in outputs if message.value() is not None)
        lost, twice = ledger.lost_and_twice((found, said), self.expected(), outputs_once)
        if self._made and not outputs_once:
            self.noted("outputs again", (said - self.outputs).total())
        written = [message.timestamp()[1] / 1000 for message in outputs]
        ledger.keep(self._made, lost, twice, self._idle_from, written, self._figures)
        self._made, self._figures = [], {}
        assert (lost, twice) == (0, 0), f"{lost} lost, {twice} twice"
        assert found == self.sums
        assert set(said) == set(self.outputs)

    def answer(self) -> tuple[dict[bytes, tuple[int, int]], Counter[bytes]]:
        """What a reader of committed records sees: the sums in the changelog, the outputs and how often each came."""
        return self._sums(), Counter(value for _, value in self.read(f"{self.name}-out") if value is not None)

    def expected(self) -> tuple[dict[bytes, tuple[int, int]], Counter[bytes]]:
        """What the answer must be."""
        return self.sums, self.outputs

    def read(self, topic: str) -> list[tuple[bytes, bytes | None]]:
        """Every committed record of a topic, partition by partition."""
        return [(message.key(), message.value()) for message in self.messages(topic)]

    def messages(self, topic: str) -> list[Message]:
        """The same, with their offsets. Waits for a transaction that is still open: one is committed before every partition has its marker."""
        reader, found = self._reader(), []
        targets = [TopicPartition(topic, number, 0) for number in range(self.partitions)]
        looker = self._reader("read_uncommitted")
        ends = {target.partition: _end(looker, target) for target in targets}
        looker.close()
        give_up = time.monotonic() + DEADLINE_SECONDS
        try:
            reader.assign(targets)
            running = set(range(self.partitions))
            while running:
                assert time.monotonic() < give_up, f"a transaction is open on {topic} {sorted(running)}"
                for message in reader.consume(1000, timeout=0.2):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    elif error.name() != "_PARTITION_EOF":
                        raise AssertionError(error)
                    elif message.offset() >= ends[message.partition()]:
                        running.discard(message.partition())
        finally:
            reader.close()
        return found

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """The end of what a worker said."""
        text = (self.directory / f"worker{self.workers.index(process)}.log").read_text(errors="replace")
        return text[-20_000:]

    def _sums(self) -> dict[bytes, tuple[int, int]]:
        sums: dict[bytes, tuple[int, int]] = {}
        for key, value in self.read(f"{self.name}-toy-sums-changelog"):
            if key.startswith(NO_ROW):
                continue
            assert value is not None
            count, total, *_ = msgspec.msgpack.decode(value)
            sums[key[1:]] = (count, total)
        return sums

    def _reader(self, isolation: str = "read_committed", group: str = "look") -> Consumer:
        options = {
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
        }
        return Consumer({"bootstrap.servers": self.bootstrap, "auto.offset.reset": "earliest", **options})

    def _create(self, topics: list[str], replication: int) -> None:
        config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 << 20)}
        wanted = [NewTopic(f"{self.name}-{topic}", self.partitions, replication, config=config) for topic in topics]
        for done in self._admin.create_topics(wanted).values():
            done.result()


def _end(reader: Consumer, target: TopicPartition) -> int:
    """The end of a partition; a topic that was made a moment ago may not have told everyone who leads it."""
    for _ in range(50):
        try:
            return int(reader.get_watermark_offsets(target, timeout=60)[1])
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].name() not in NOT_LED_YET:
                raise
            time.sleep(0.2)
    raise AssertionError(f"nobody leads {target}")
