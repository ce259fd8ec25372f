"""A small Kafka in memory that runs the identity protocol over several partitions, as unkindly as the guarantees allow.

What it keeps: a batch is all or nothing, and one sender's messages to one partition stay in order. All else it leaves to chance: which partition
runs next, how long its batch is, how the messages of different senders interleave, which senders are slow, how often a message is doubled, which
batches crash and after how many writes.
A make-believe customer pass inserts what was applied and keeps a fold row for every customer, so that rows have to follow people.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from schemas import topics
from streams.boundary import Kind, Outgoing
from streams.identity import afterwards, changes, messages, protocol, settling
from streams.identity import policy as policies
from streams.identity.component import COMPONENT, NODE, PARKED, STASH, identifiers
from streams.identity.messages import Cannot, Erase, Event, Message
from streams.identity.past import Mark
from streams.identity.policy import Policy
from streams.identity.resolve import resolve
from streams.identity.sweep import PARTITION, SWEPT
from streams.rows import CHECKPOINT, FOLD, PERSON_SUBJECT, TIMELINE, NodeKey, Touch, decode_touch, encode_touch, uid


class Crash(Exception):
    """The worker died in the middle of a batch."""


class Clock(NamedTuple):
    now: int = 0
    replayed: bool = False


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp_ms: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class DictRows:
    """Rows of one partition out of a dictionary; live values are shared between batches, so that a change in place is found out."""

    def __init__(
        self, store: dict[bytes, bytes], live: dict[bytes, Any], partition: int, partitions: int, short_circuit: bool = True
    ) -> None:
        self.store, self.live, self.partition, self.partitions, self.short_circuit = store, live, partition, partitions, short_circuit
        self.written: dict[bytes, tuple[Kind[Any], Any]] = {}
        self.writes_left = 1 << 60

    def holds(self, key: bytes) -> bool:
        return self.short_circuit and crc32(key) % self.partitions == self.partition

    def get(self, kind: Kind[Any], keys: Sequence[bytes]) -> list[Any]:
        return [self._one(kind, kind.tag + key) for key in keys]

    def _one(self, kind: Kind[Any], key: bytes) -> Any:
        if key in self.written:
            return self.written[key][1]
        if key not in self.live and key in self.store:
            self.live[key] = kind.decode(self.store[key])
        return self.live.get(key)

    def scan(self, kind: Kind[Any], first: bytes, end: bytes) -> Iterator[tuple[bytes, Any]]:
        low, high = kind.tag + first, kind.tag + end
        for key in sorted({key for key in (*self.store, *self.written) if low <= key < high}):
            row = self._one(kind, key)
            if row is not None:
                yield key[len(kind.tag) :], row

    def put(self, kind: Kind[Any], key: bytes, row: Any) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise Crash
        self.written[kind.tag + key] = (kind, row)

    def commit(self) -> None:
        """Make the writes the store's own, as bytes and as live values."""
        for key, (kind, row) in self.written.items():
            if row is None:
                self.store.pop(key, None)
                self.live.pop(key, None)
            else:
                self.store[key] = kind.encode(row)
                self.live[key] = row
        self.written = {}


class People(NamedTuple):
    """Who is who at rest: identifier -> canonical identifier, customer -> the uids of its touches."""

    person: dict[NodeKey, NodeKey]
    touches: dict[NodeKey, set[bytes]]


class World:
    """Partitions, their rows and the messages between them; produce, step, and look at the people once it is idle."""

    def __init__(
        self,
        partitions: int,
        policy: Policy,
        seed: int,
        *,
        crashes: float = 0.0,
        duplicates: float = 0.0,
        batch_records_max: int = 20,
        short_circuit: bool = True,
        slow_channels: float = 0.3,
    ) -> None:
        self.chance = Random(seed)
        self.partitions, self.policy = partitions, policy
        self.crashes, self.duplicates, self.batch_records_max, self.short_circuit = crashes, duplicates, batch_records_max, short_circuit
        channels = [(sender, receiver) for sender in range(partitions) for receiver in range(partitions)]
        self.slow = {channel for channel in channels if self.chance.random() < slow_channels}
        self.store: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        self.live: list[dict[bytes, Any]] = [{} for _ in range(partitions)]
        self.log: list[deque[tuple[bytes, bytes]]] = [deque() for _ in range(partitions)]
        self.under_way: dict[tuple[int, int], deque[tuple[bytes, bytes]]] = defaultdict(deque)
        self.again: list[tuple[int, bytes, bytes]] = []
        self.versions: dict[NodeKey, int] = {}
        self.redirects: dict[NodeKey, NodeKey] = {}
        self.erased: set[NodeKey] = set()
        self.tally: dict[tuple[str, ...], int] = defaultdict(int)
        self.conflicts: list[protocol.Conflict] = []
        self.changes: list[settling.Change] = []
        self.batches = 0

    def produce(self, message: Message, key: NodeKey | None = None) -> None:
        """Put a message into the log of its partition; an Event goes to its anchor."""
        to = message.anchor if isinstance(message, Event) else key
        assert to is not None
        self._append(crc32(to) % self.partitions, to, messages.encode(message))

    def cannot(self, left: NodeKey, right: NodeKey, apart: bool, order: int) -> None:
        """Command, to both ends, that two identifiers be kept apart, or no longer."""
        for end in (left, right):
            self.produce(Cannot((left, right), apart, order, ()), end)

    def erase(self, identifier: NodeKey, at: int, order: int) -> None:
        """Command that whoever holds an identifier be forgotten."""
        self.produce(Erase(identifier, at, order, ()), identifier)

    def _append(self, partition: int, key: bytes, value: bytes) -> None:
        self.log[partition].append((key, value))
        if self.duplicates and self.chance.random() < self.duplicates:
            self.again.append((partition, key, value))

    def step(self) -> bool:
        """Let one thing happen: messages arrive, or a partition takes a batch; False when nothing is left to happen."""
        chance = self.chance
        slow_too = chance.random() < 0.03
        channels = [channel for channel, waiting in self.under_way.items() if waiting and (slow_too or channel not in self.slow)]
        busy = [partition for partition in range(self.partitions) if self.log[partition]]
        if not channels and not busy and not self.again:
            channels = [channel for channel, waiting in self.under_way.items() if waiting]
            if not channels:
                return False
        if self.again and (chance.random() < 0.1 or not (channels or busy)):
            partition, key, value = self.again.pop(chance.randrange(len(self.again)))
            self.log[partition].append((key, value))
        elif channels and (not busy or chance.random() < 0.5):
            sender, receiver = chance.choice(channels)
            channel = self.under_way[sender, receiver]
            for _ in range(chance.randint(1, len(channel))):
                self._append(receiver, *channel.popleft())
        elif busy:
            self._batch(chance.choice(busy))
        return True

    def switch(self, policy: Policy) -> None:
        """Every worker goes, and comes back with another policy."""
        self.policy = policy
        for live in self.live:
            live.clear()

    def tick(self, partition: int) -> None:
        """A batch without records, as time brings it; it may die like any."""
        self._batch(partition, is_tick=True)

    def swept(self) -> bool:
        """Whether everything is resolved under the policy in force."""
        found = [DictRows(self.store[place], {}, place, self.partitions).get(SWEPT, [PARTITION])[0] for place in range(self.partitions)]
        return all(one is None or (one.policy == policies.version(self.policy) and one.at is None) for one in found)

    def run_until_idle(self, steps_max: int = 1_000_000) -> None:
        for _ in range(steps_max):
            if not self.step():
                return
        raise AssertionError("it never comes to rest")

    def _batch(self, partition: int, is_tick: bool = False) -> None:
        log = self.log[partition]
        size = 0 if is_tick else min(len(log), self.chance.randint(1, self.batch_records_max))
        records = [Record(log[place][0], log[place][1], partition) for place in range(size)]
        rows = DictRows(self.store[partition], self.live[partition], partition, self.partitions, self.short_circuit)
        if self.chance.random() < self.crashes:
            rows.writes_left = self.chance.randint(0, 12)
        try:
            advanced = protocol.advance(records, rows, Clock(), self.policy)
            published = [self._customers(change, rows) for change in advanced.changes]
        except Crash:
            self.tally["crash",] += 1
            if self.chance.random() < 0.5:
                self.live[partition].clear()
            return
        rows.commit()
        self.batches += 1
        for _ in range(size):
            log.popleft()
        for outgoing in advanced.send:
            self._send(partition, outgoing)
        for versions, redirects, erased in published:
            self._publish(versions, redirects, erased)
        for name, count in advanced.tally.items():
            self.tally[name] += count
        self.conflicts += advanced.conflicts
        self.changes += advanced.changes

    def _send(self, partition: int, outgoing: Outgoing) -> None:
        assert outgoing.topic == topics.IDENTITY and outgoing.key is not None and outgoing.value is not None
        self.under_way[partition, crc32(outgoing.key) % self.partitions].append((outgoing.key, outgoing.value))

    def _customers(self, change: settling.Change, rows: DictRows) -> tuple[dict[NodeKey, int], dict[NodeKey, NodeKey], set[NodeKey]]:
        """Insert what was applied, fold who changed; the versions given, the redirects of who vanished, and who was erased."""
        for applied in change.applied:
            key = applied.fragment + applied.uid
            known = rows.get(TIMELINE, [key])[0]
            if known is None or (applied.occurred_at, applied.touch) < (decode_touch(known).occurred_at, known):
                rows.put(TIMELINE, key, applied.touch)
        held = {fragment for person in change.after for fragment in person.fragments}
        assert {applied.fragment for applied in change.applied} <= held, "a touch that came before its anchor"
        members = identifiers(rows.get(COMPONENT, [change.root])[0])
        folds = {}
        forgotten = {}
        for person in change.erased:
            row = rows.get(FOLD, [PERSON_SUBJECT + person.canonical])[0]
            assert row is not None, "a customer whose fold row did not come along"
            forgotten[person.canonical] = msgspec.msgpack.decode(row)[0]
            for kind, key in ((FOLD, b""), (CHECKPOINT, bytes(24))):
                rows.put(kind, PERSON_SUBJECT + person.canonical + key, None)
        for person in change.before:
            assert members.issuperset(person.fragments), "people of another component"
            row = rows.get(FOLD, [PERSON_SUBJECT + person.canonical])[0]
            assert row is not None, "a customer whose fold row did not come along"
            folds[person.canonical] = msgspec.msgpack.decode(row)
        changed = set(change.before) != set(change.after)
        floor = max([change.floor, *forgotten.values(), *(version for version, _ in folds.values())]) + 1
        versions = dict.fromkeys(forgotten, floor)
        gone: dict[NodeKey, NodeKey] = {}
        if changed or forgotten:
            afterwards.settle(rows, change.root, floor)
        if changed:
            gone = changes.successors(change.before, change.after)
            for vanished in gone:
                versions[vanished] = floor
                rows.put(FOLD, PERSON_SUBJECT + vanished, None)
        for person in change.after:
            touches = sorted(key[16:] for fragment in person.fragments for key, _ in rows.scan(TIMELINE, fragment, fragment + b"\xff" * 17))
            version = floor if changed else folds[person.canonical][0] + 1
            if changed or change.moved or touches != folds[person.canonical][1]:
                versions[person.canonical] = version
                rows.put(FOLD, PERSON_SUBJECT + person.canonical, msgspec.msgpack.encode((version, touches)))
                rows.put(CHECKPOINT, PERSON_SUBJECT + person.canonical + bytes(24), b"")
        living = {person.canonical for person in change.after}
        return versions, gone, {canonical for canonical in forgotten if canonical not in living}

    def _publish(self, versions: dict[NodeKey, int], redirects: dict[NodeKey, NodeKey], erased: set[NodeKey]) -> None:
        for customer, version in versions.items():
            assert version > self.versions.get(customer, 0), "a version that goes back"
            self.versions[customer] = version
            self.redirects.pop(customer, None)
            self.erased.discard(customer)
        self.redirects.update(redirects)
        self.erased |= erased

    def marks(self) -> dict[NodeKey, Mark]:
        """The identifiers that were erased, each at one root, unless it has come to be shared by too many since."""
        found: dict[NodeKey, Mark] = {}
        shared = {key[1:] for live in self.store for key, row in live.items() if key[:1] == NODE.tag and NODE.decode(row).generic}
        for partition in range(self.partitions):
            for _, component in DictRows(self.store[partition], {}, partition, self.partitions).scan(COMPONENT, b"", b"\xff" * 17):
                for key, mark in () if component.past is None else component.past.erased.items():
                    assert key not in found or key in shared
                    found[key] = mark
        return found

    @property
    def is_full(self) -> bool:
        """Whether a component became so large that it took in nobody any more; others may then name identifiers that it holds."""
        return any(key[:1] == COMPONENT.tag and COMPONENT.decode(row).full for store in self.store for key, row in store.items())

    def result(self) -> People:
        """The people at rest, having checked that every row is where it belongs and none is left over."""
        person: dict[NodeKey, NodeKey] = {}
        touches: dict[NodeKey, set[bytes]] = {}
        placed: set[tuple[NodeKey, bytes]] = set()
        for partition in range(self.partitions):
            rows = DictRows(self.store[partition], {}, partition, self.partitions)
            for key, row in self.live[partition].items():
                kind = {NODE.tag: NODE, COMPONENT.tag: COMPONENT}.get(key[:1])
                assert kind is None or kind.encode(row) == self.store[partition][key], "a row was changed in place"
            assert not list(rows.scan(PARKED, b"", b"\xff" * 33)), "a message still waits"
            assert all(row == b"" for _, row in rows.scan(STASH, b"", b"\xff" * 40)), "a slice is left"
            customers = self._component_people(rows, person, touches, placed)
            folds = {key[1:] for key, _ in rows.scan(FOLD, b"", b"\xff" * 18)}
            assert folds == customers, "fold rows and customers differ"
            left = {key[:16] for key, _ in rows.scan(TIMELINE, b"", b"\xff" * 33)}
            assert left <= {fragment for fragment, _ in placed}, "a timeline without its component"
        return People(person, touches)

    def _component_people(
        self, rows: DictRows, person: dict[NodeKey, NodeKey], touches: dict[NodeKey, set[bytes]], placed: set[tuple[NodeKey, bytes]]
    ) -> set[NodeKey]:
        customers = set()
        is_full = self.is_full
        for root, component in rows.scan(COMPONENT, b"", b"\xff" * 17):
            assert crc32(root) % self.partitions == rows.partition
            assert not component.parked
            for one in resolve(component, self.policy).people:
                for member in one.members:
                    assert is_full or member not in person, "an identifier in two people"
                    person[member] = one.canonical
                if not one.fragments:
                    continue
                customers.add(one.canonical)
                held = set()
                for fragment in one.fragments:
                    for key, row in rows.scan(TIMELINE, fragment, fragment + b"\xff" * 17):
                        assert (fragment, key[16:]) not in placed, "a touch in two places"
                        placed.add((fragment, key[16:]))
                        assert key[16:] == _uid(decode_touch(row))
                        held.add(key[16:])
                touches[one.canonical] = held
                fold = msgspec.msgpack.decode(rows.get(FOLD, [PERSON_SUBJECT + one.canonical])[0])
                assert set(fold[1]) == held, "a fold of other touches"
        return customers


def _uid(touch: Touch) -> bytes:
    return uid(b"", touch.source, touch.id)


def event(ids: Sequence[NodeKey], occurred_at: int, message_id: str) -> Event:
    """An interaction with these identifiers, as intake would send it."""
    touch = Touch(message_id, "test", occurred_at, occurred_at, "track", "Seen", "web", "", (), b"{}")
    ordered = tuple(sorted(set(ids)))
    return Event(ordered[0], ordered, _uid(touch), occurred_at, encode_touch(touch))
