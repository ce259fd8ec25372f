"""A whole Kairos in memory: its own intake and customer decisions over simulated topics and partitions, in any order that a seed decides.

A step takes some records of one partition, decides them over a copy-on-write view of that partition's rows, and either commits all
(records out, rows, position) or, where it crashes, nothing.
"""

import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import murmurhash2

from schemas import topics
from streams.boundary import Decision, Kind, Outgoing, Rows
from streams.customer import decision, horizon
from streams.customer.horizon import Limits
from streams.identity import messages
from streams.identity.messages import Erase
from streams.identity.policy import Policy
from streams.instants import DAY
from streams.intake import commands, steps
from streams.journeys.identity_policy import identity_policy
from streams.language import Rulebook
from streams.rows import NodeKey

POLICY = identity_policy(b"a secret of the tests", "GB")
WIDE = horizon.limits(1_000_000, 100 * 366 * DAY)
"""A horizon that nothing of a history lies beyond."""
RECEIVED = 1_767_225_600_000
"""2026-01-01T00:00:00Z in milliseconds: when every record was received, unless a test says otherwise."""


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own producers send a key."""
    return (murmurhash2.murmurhash2(key, 0x9747B28C) & 0x7FFFFFFF) % partitions


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int
    partition: int
    offset: int


class Clock(NamedTuple):
    now: int
    replayed: bool


class Store:
    """The rows of one partition, by key, and their keys in order."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.keys: list[bytes] = []

    def put(self, key: bytes, row: bytes | None) -> None:
        if row is None:
            if self.rows.pop(key, None) is not None:
                del self.keys[bisect_left(self.keys, key)]
            return
        if key not in self.rows:
            insort(self.keys, key)
        self.rows[key] = row


class View:
    """The rows of one partition as a batch sees them; every row goes through its bytes, so that none is shared."""

    def __init__(self, stored: Store, partition: int, partitions: int) -> None:
        self._stored = stored
        self._partition = partition
        self._partitions = partitions
        self.written: dict[bytes, bytes | None] = {}

    def holds(self, key: bytes) -> bool:
        return partition_of(key, self._partitions) == self._partition

    def get(self, kind: Kind[Any], keys: Sequence[bytes]) -> list[Any]:
        found = [self._bytes(kind.tag + key) for key in keys]
        return [None if row is None else kind.decode(row) for row in found]

    def scan(self, kind: Kind[Any], first: bytes, end: bytes) -> Iterator[tuple[bytes, Any]]:
        low, high = kind.tag + first, kind.tag + end
        stored = self._stored.keys[bisect_left(self._stored.keys, low) : bisect_left(self._stored.keys, high)]
        for key in sorted({*stored, *(key for key in self.written if low <= key < high)}):
            row = self._bytes(key)
            if row is not None:
                yield key[len(kind.tag) :], kind.decode(row)

    def put(self, kind: Kind[Any], key: bytes, row: Any) -> None:
        self.written[kind.tag + key] = None if row is None else bytes(kind.encode(row))

    def _bytes(self, key: bytes) -> bytes | None:
        return self.written[key] if key in self.written else self._stored.rows.get(key)


class Memory:
    """Topics and partitions; `produce`, `run`, then look at `log` (records by topic), `rows` (by partition), `tally`, `gauges` and `since`."""

    def __init__(
        self,
        rulebook: Rulebook,
        partitions: int,
        seed: int = 0,
        *,
        policy: Policy = POLICY,
        crash: float = 0.0,
        batch: int = 20,
        replayed: bool = True,
        now: int = RECEIVED * 1000,
        limits: Limits = WIDE,
    ) -> None:
        self._random = random.Random(seed)
        self._rulebook = rulebook
        self._policy = policy
        self._crash = crash
        self._limits = limits
        self._batch = batch
        self.partitions = partitions
        self.replayed = replayed
        self.now = now
        self.inputs: dict[tuple[str, int], list[Record]] = {
            (topic, partition): [] for topic in (topics.INTERACTIONS, topics.COMMANDS, topics.IDENTITY) for partition in range(partitions)
        }
        self.positions: dict[tuple[str, int], int] = dict.fromkeys(self.inputs, 0)
        self.rows = [Store() for _ in range(partitions)]
        self.log: dict[str, list[Outgoing]] = defaultdict(list)
        self.tally: dict[tuple[str, ...], int] = defaultdict(int)
        self.gauges: list[dict[tuple[str, ...], float]] = [{} for _ in range(partitions)]
        self.since: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self.changelog: list[tuple[int, bytes, bytes | None]] = []
        self.crashes = 0

    def produce(self, value: bytes | dict[str, Any], *, key: bytes = b"", headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Put an interaction onto a partition."""
        written = value if isinstance(value, bytes) else msgspec.json.encode(value)
        self._append(topics.INTERACTIONS, partition_of(key or written, self.partitions), key, written, headers)

    def tell_time(self, instant: str) -> None:
        """Say on every partition that nothing earlier is still to come."""
        for partition in range(self.partitions):
            self._append(topics.INTERACTIONS, partition, b"", msgspec.json.encode({"time": instant}), [("kairos-time", b"1")])

    def command(self, value: dict[str, Any]) -> None:
        """Put a command onto the partition of its id."""
        key = str(value["id"]).encode()
        self._append(topics.COMMANDS, partition_of(key, self.partitions), key, msgspec.json.encode(value), ())

    def erase(self, identifier: NodeKey, at: int, order: int) -> None:
        """Command that whoever holds an identifier be forgotten."""
        target = partition_of(identifier, self.partitions)
        self._append(topics.IDENTITY, target, identifier, messages.encode(Erase(identifier, at, order, ())), ())

    def run(self, steps_max: int = 1_000_000) -> None:
        """Step until nothing is left to read."""
        for _ in range(steps_max):
            if not self.step():
                return
        raise AssertionError("it does not come to rest")

    def step(self) -> bool:
        """One batch of one partition, as chance will; False where nothing is left."""
        waiting = [place for place, position in self.positions.items() if position < len(self.inputs[place])]
        if not waiting:
            return False
        topic, partition = place = self._random.choice(waiting)
        position = self.positions[place]
        records = self.inputs[place][position : position + self._random.randint(1, self._batch)]
        view = View(self.rows[partition], partition, self.partitions)
        decided = self.decide(topic, records, view)
        if self._random.random() < self._crash:
            self.crashes += 1
            return True
        self._commit(partition, view, decided)
        self.positions[place] += len(records)
        return True

    def decide(self, topic: str, records: Sequence[Record], rows: Rows) -> Decision:
        """What the agent of a topic makes of some of its records; rows are put."""
        clock = Clock(self.now, self.replayed)
        decides: dict[str, Callable[[], Decision]] = {
            topics.INTERACTIONS: lambda: steps.decide(records, clock, self._policy, self.partitions),
            topics.COMMANDS: lambda: commands.decide(records, clock, self._policy),
            topics.IDENTITY: lambda: decision.decide(records, rows, clock, self._policy, self._rulebook, self.partitions, self._limits),
        }
        return decides[topic]()

    def tick(self) -> None:
        """A batch without records for every partition, as the live clock brings it."""
        for partition in range(self.partitions):
            view = View(self.rows[partition], partition, self.partitions)
            self._commit(partition, view, self.decide(topics.IDENTITY, [], view))

    def _commit(self, partition: int, view: View, decided: Decision) -> None:
        for key, row in view.written.items():
            self.rows[partition].put(key, row)
            self.changelog.append((partition, key, row))
        for outgoing in decided.send:
            if outgoing.topic == topics.IDENTITY:
                target = outgoing.partition
                if target is None:
                    assert outgoing.key is not None
                    target = partition_of(outgoing.key, self.partitions)
                self._append(topics.IDENTITY, target, outgoing.key, outgoing.value, outgoing.headers)
            else:
                self.log[outgoing.topic].append(outgoing)
        for name, number in decided.tally.items():
            self.tally[name] += number
        self.gauges[partition].update(decided.dials.gauges)
        for name, began in decided.dials.since.items():
            self.since[name] += began

    def _append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> None:
        records = self.inputs[topic, partition]
        records.append(Record(key, value, headers, self.now // 1000, partition, len(records)))
