"""Feeds a shadow: what a plan names of the live topics, onto the shadow's own, with the time at which it came.

The rule this module owns: what is fed, and how far the live topics were read, become visible in one transaction. So whoever is killed at it leaves off
between two of them, and the next one goes on there: nothing is fed twice, nothing is left out. Nothing but the shadow's topics is written.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage

from schemas import rewritten, topics
from schemas.interaction import DETAIL_HEADER, ORIGIN_HEADER, REFUSED_HEADER, TIME_HEADER
from schemas.record import encode
from schemas.rewritten import Rewritten
from streams import instants
from streams.replay import reading, repair
from streams.replay.plan import Plan, Range
from streams.replay.reading import Message
from streams.replay.repair import Letters

FETCHED_MAX = 5_000
POLL_SECONDS = 0.1
THROTTLE_SECONDS = 0.25
"""Under a rate, what is fed at once is what may come in this time."""
TIME_EVERY_MS = 3_600_000
"""Where the live clock is the wall's, a shadow is told the time when so much of it has gone by."""
TRANSACTION_MS_MAX = 60_000
REQUEST_SECONDS = 60.0

Place = tuple[str, int]
Counts = Mapping[str, int]
"""What became of what was read: `fed`, `repaired`, `outside` (the scope), `unreadable` (its scope cannot be told), `times`, `moved` (a copy of a record
that was mended by itself)."""

PRODUCER: dict[str, str | int | bool] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "batch.size": 512 * 1024,
    "message.max.bytes": 4 * 1024 * 1024,
    "queue.buffering.max.kbytes": 256 * 1024,
    "transaction.timeout.ms": TRANSACTION_MS_MAX,
    "log_level": 2,
}


class Fed(NamedTuple):
    """How far it is: offsets read and to be read, and what became of them."""

    done: int
    offsets: int
    counts: Counts


_FINISHED = "finished"
"""Among a partition's counts: that it was read to its end, and told so."""
_COUNTS = msgspec.json.Decoder(dict[str, int]).decode


def mended(bootstrap: str, plan: Plan) -> Letters:
    """The records that were refused and that the plan's mapping mends."""
    if not plan.repairs:
        return repair.NONE
    ends = {(topics.DEAD_LETTERS, partition): end for partition, (_, end) in enumerate(plan.letters)}
    return repair.mend(reading.read(bootstrap, ends), plan.repairs)


class Feeder:
    """Feeds one shadow; a context manager. Of two at once the later one is the only one: the first is fenced, and fails."""

    def __init__(self, bootstrap: str, plan: Plan, letters: Letters = repair.NONE, rate: float | None = None) -> None:
        """`letters`: the mended records; `rate`: so many records a second at most."""
        self._plan = plan
        self._shadow = plan.own
        self._letters = letters
        self._rate = rate
        self._clock = plan.clock.encode()
        self._consumer = reading.consumer(bootstrap, self._shadow.feeder)
        self._producer = Producer({**PRODUCER, "bootstrap.servers": bootstrap, "transactional.id": self._shadow.feeder})
        self._ranges: dict[Place, Range] = {
            (topic, partition): each for topic, ranges in plan.inputs.items() for partition, each in enumerate(ranges)
        }
        self._positions: dict[Place, int] = {}
        self._counts: dict[Place, Counter[str]] = {}
        self._said: dict[Place, int] = {}
        self._sent = 0

    def __enter__(self) -> Self:
        self._producer.init_transactions(REQUEST_SECONDS)  # What a predecessor left open is aborted, so its offsets are what it committed.
        self._recall()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()
        self._producer.purge()

    def progress(self) -> Fed:
        """How far it is."""
        done = sum(self._positions[place] - begin for place, (begin, _) in self._ranges.items())
        counts = sum(self._counts.values(), Counter[str]())
        del counts[_FINISHED]
        return Fed(done, self._plan.offsets(), dict(counts))

    def feed(self, told: Callable[[Fed], None]) -> Fed:
        """Feed all that is left, and tell how far it is after each transaction."""
        self._old_letters()
        self._finish([place for place, (_, end) in self._ranges.items() if self._positions[place] >= end])
        began, heard = time.monotonic(), time.monotonic()
        open_places = {place for place, (_, end) in self._ranges.items() if self._positions[place] < end}
        self._consumer.assign([TopicPartition(*place, self._positions[place]) for place in sorted(open_places)])
        while open_places:
            fetched = self._consumer.consume(self._portion(), POLL_SECONDS)
            heard = reading.alive(bool(fetched), heard)
            ended = self._take([one for one in fetched if not reading.is_end(one)], open_places)
            ended |= {(one.topic() or "", one.partition() or 0) for one in fetched if reading.is_end(one)} & open_places
            if ended:
                self._finish(sorted(ended))
                open_places -= ended
                self._consumer.pause([TopicPartition(*place) for place in ended])
            told(self.progress())
            self._throttle(began)
        return self.progress()

    def _recall(self) -> None:
        """Where the group stands, and what it has counted so far."""
        places = [TopicPartition(*place) for place in self._ranges]
        for found in self._consumer.committed(places, timeout=REQUEST_SECONDS):
            if found.error is not None:
                raise KafkaException(found.error)
            place = (found.topic, found.partition)
            begin, _ = self._ranges[place]
            self._positions[place] = max(begin, found.offset)
            self._counts[place] = Counter(_COUNTS(found.metadata) if found.offset >= 0 and found.metadata else {})

    def _old_letters(self) -> None:
        """Mended records that the topic itself will not bring, all at once and once only: before everything else, for they are the oldest."""
        place = (topics.DEAD_LETTERS, 0)
        old = {(p, o): one for (p, o), one in self._letters.mended.items() if not self._will_come(p, o)}
        (mark,) = self._consumer.committed([TopicPartition(*place)], timeout=REQUEST_SECONDS)
        self._counts[place] = Counter(_COUNTS(mark.metadata) if mark.offset >= 0 and mark.metadata else {})
        if mark.offset >= 0 or not old:
            return
        self._producer.begin_transaction()
        for (partition, offset), one in sorted(old.items()):
            within = self._plan.scope.has(partition, offset, one.timestamp_ms)
            verdict: str = self._plan.scope.verdict(one.value) if within else "outside"
            if verdict == "fed":
                self._send(topics.INTERACTIONS, partition, one.key, one.value, [self._origin(partition, offset, one.timestamp_ms)])
                verdict = "repaired"
            self._counts[place][verdict] += 1
        self._commit({place: 1})

    def _will_come(self, partition: int, offset: int) -> bool:
        begin, end = self._ranges.get((topics.INTERACTIONS, partition), (0, 0))
        return begin <= offset < end

    def _portion(self) -> int:
        return FETCHED_MAX if self._rate is None else max(1, min(FETCHED_MAX, int(self._rate * THROTTLE_SECONDS)))

    def _throttle(self, began: float) -> None:
        if self._rate is not None and (ahead := self._sent / self._rate - (time.monotonic() - began)) > 0:
            time.sleep(ahead)

    def _take(self, fetched: list[KafkaMessage], open_places: set[Place]) -> set[Place]:
        """Feed records in one transaction; the partitions that have come to their end by them."""
        ended: set[Place] = set()
        positions: dict[Place, int] = {}
        for one in fetched:
            message = reading.message_of(one)
            place = (message.topic, message.partition)
            if place not in open_places or place in ended:
                continue
            _, end = self._ranges[place]
            if message.offset < end:
                if not positions:
                    self._producer.begin_transaction()
                self._feed(place, message)
                positions[place] = message.offset + 1
            if message.offset >= end - 1:
                ended.add(place)
        if positions:
            self._commit(positions)
        return ended

    def _feed(self, place: Place, message: Message) -> None:
        counts = self._counts[place]
        headers = list(message.headers)
        if any(name == TIME_HEADER for name, _ in headers):
            if self._plan.clock == "replay" and place[0] == topics.INTERACTIONS:
                self._send(*place, message.key, message.value, headers)
                counts["times"] += 1
            return
        if place[0] == topics.INTERACTIONS:
            self._tell_time(place, message.timestamp_ms)
        value, verdict = message.value, "fed"
        moved = rewritten.of(headers) if place[0] == topics.INTERACTIONS else None
        left = None if moved is None else self._left(message, moved)
        if left is not None:
            counts[left] += 1
            return
        first = (message.partition, message.offset) if moved is None else (moved.partition, moved.offset)
        mended = self._letters.mended.get(first) if place[0] == topics.INTERACTIONS else None
        if mended is not None:
            value, verdict = mended.value, "repaired"
            headers = [header for header in headers if header[0] not in (REFUSED_HEADER, DETAIL_HEADER)]
        scoped = self._plan.scope.verdict(value) if place[0] == topics.INTERACTIONS else "fed"
        if scoped == "fed":
            origin = self._origin(message.partition, message.offset, message.timestamp_ms)
            self._send(*place, message.key, value, [*headers, origin])
        counts[verdict if scoped == "fed" else scoped] += 1

    def _left(self, message: Message, moved: Rewritten) -> str | None:
        """Why a copy of a record is not fed, if it is not: the record came before the time that is meant, or was among the old letters."""
        if not self._plan.scope.has(message.partition, message.offset, moved.timestamp_ms):
            return "outside"
        first = (moved.partition, moved.offset)
        return "moved" if first in self._letters.mended and not self._will_come(*first) else None

    def _origin(self, partition: int, offset: int, timestamp_ms: int) -> tuple[str, bytes]:
        return ORIGIN_HEADER, b"%d/%d/%d/%s" % (partition, offset, timestamp_ms, self._clock)

    def _tell_time(self, place: Place, timestamp_ms: int) -> None:
        """Where the wall's clock was the live one: it was this late when the record came."""
        if self._plan.clock == "live" and timestamp_ms // TIME_EVERY_MS > self._said.get(place, -1):
            self._said[place] = timestamp_ms // TIME_EVERY_MS
            self._say(place, timestamp_ms * 1_000)

    def _say(self, place: Place, instant: int) -> None:
        self._send(*place, None, encode({"time": instants.text(instant)}), [(TIME_HEADER, b"1")])
        self._counts[place]["times"] += 1

    def _finish(self, places: list[Place]) -> None:
        """These are read to their ends: the shadow is told how far time goes there, and the group stands at the end."""
        left = [place for place in places if not self._counts[place][_FINISHED]]
        if not left:
            return
        self._producer.begin_transaction()
        for place in left:
            if place[0] == topics.INTERACTIONS and self._plan.until is not None:
                self._say(place, self._plan.until)
            self._counts[place][_FINISHED] = 1
        self._commit({place: self._ranges[place][1] for place in left})

    def _send(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        produce(self._producer, self._shadow.topic(topic), value, key, partition, headers)
        self._sent += 1

    def _commit(self, positions: Mapping[Place, int]) -> None:
        """End the transaction with the group at these offsets, and with what has been counted."""
        offsets = [TopicPartition(*place, offset, encode(dict(self._counts[place])).decode()) for place, offset in positions.items()]
        self._producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), REQUEST_SECONDS)
        self._producer.commit_transaction(REQUEST_SECONDS)
        self._positions.update({place: offset for place, offset in positions.items() if place in self._ranges})


def produce(
    producer: Producer, topic: str, value: bytes | None, key: bytes | None, partition: int, headers: list[tuple[str, bytes]]
) -> None:
    """Hand a record over; where the producer has too many in hand, wait."""
    while True:
        try:
            producer.produce(topic, value, key, partition=partition, headers=headers)  # type: ignore[arg-type]  # a list of pairs, as they came
            return
        except BufferError:
            producer.poll(0.1)
