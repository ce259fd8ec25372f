"""Kafka's side of a delivery: one consumer of one endpoint's own group, in a thread of its own.

The rule this module owns: an offset is committed only as the deliverer says, with its note; so a dead endpoint's group lags, and nobody else notices.
What is read at once is bounded by the room that the deliverer has; without room the partitions are paused, and the group is kept alive. A commit is
never waited for but where partitions go: Kafka's client may hold one back for as long as Kafka is away.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec import Struct

from connectors.runtime.deliverer import Position
from connectors.runtime.fetched import Fetched
from connectors.runtime.passing import PASSING
from connectors.runtime.waiting import Place

T = TypeVar("T")
POLL_SECONDS = 0.1
COMMIT_SECONDS = 1.0
COMMIT_SECONDS_MAX = 120.0
"""After this a commit of which nothing was heard is no longer waited for."""
KAFKA_SECONDS_MAX = 20.0
FETCHED_MAX = 200
REVOKE_SECONDS_MAX = 65.0
"""So long what is under way may take to end before its partition is another's."""


class Reading(Struct, frozen=True, kw_only=True):
    """What to read: the group and its topics; where a partition begins that the group has no offset of (microseconds UTC; None: at its end, as it is
    now); whether to stop at the ends, as they are when they are first met."""

    bootstrap: str
    group: str
    topics: tuple[str, ...]
    since: int | None = None
    is_bounded: bool = False
    session_seconds: float = 10.0
    """After this without a sign of life a process's partitions go to the others."""
    instance_id: str | None = None
    """A name that a process keeps over its restarts: then it goes on at once after a kill."""


class Taker(Protocol):
    """What the feed needs of a deliverer; its methods are called in the loop, `room` from the feed's thread."""

    @property
    def room(self) -> int: ...
    def assigned(self, positions: Mapping[Place, Position]) -> None: ...
    async def revoked(self, places: Sequence[Place], seconds_max: float) -> dict[Place, Position]: ...
    def lost(self, places: Sequence[Place]) -> None: ...
    async def take(self, records: Sequence[Fetched]) -> None: ...
    def positions(self) -> dict[Place, Position]: ...


class Feed(threading.Thread):
    """One endpoint's consumer; `start` it, and `stop` it: what is under way then is waited for and committed."""

    def __init__(self, reading: Reading, taker: Taker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name=f"feed-{reading.group}", daemon=True)
        self._reading, self._taker, self._loop = reading, taker, loop
        self._stopping = threading.Event()
        self._committed: dict[Place, Position] = {}
        self._committing: dict[Place, Position] = {}
        self._committing_until = 0.0
        self._begun: dict[Place, Position] = {}
        """Where partitions began that the group had no offset of: the same where they come again before that is committed."""
        self._ends: dict[Place, int] = {}
        self._unread: set[Place] = set()
        self._expected = 0
        self._paused = False
        self.looked_at = self._commit_at = time.monotonic()
        self.is_assigned = self.is_away = False
        self.lag_records = 0
        self.failure: BaseException | None = None
        self._consumer = Consumer(
            {
                "bootstrap.servers": reading.bootstrap,
                "group.id": reading.group,
                **({} if reading.instance_id is None else {"group.instance.id": reading.instance_id}),
                "session.timeout.ms": int(reading.session_seconds * 1000),
                "heartbeat.interval.ms": int(min(1.0, reading.session_seconds / 4) * 1000),
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",  # Where a topic no longer has what is next: what it has.
                # Of all topics the same partitions, where the same customers are; and all are given back before any is another's, so that they are
                # given back with what was done.
                "partition.assignment.strategy": "range",
                "enable.partition.eof": reading.is_bounded,
                "fetch.wait.max.ms": 50,
                "queued.max.messages.kbytes": 8 * 1024,
                "fetch.message.max.bytes": 4 * 1024 * 1024,
                "error_cb": self._erred,
                "on_commit": self._answered,
                "log_level": 2,
            }
        )

    @property
    def is_finished(self) -> bool:
        """All was read that was to be: bounded feeds only."""
        return 0 < self._expected == len(self._ends) and not self._unread

    def stop(self) -> None:
        """Ask for the end; join to wait for it."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped, or until it fails; `failure` says how."""
        try:
            if self._reading.is_bounded:
                self._expected = sum(map(self._partitions_of, self._reading.topics))
            self._consumer.subscribe(list(self._reading.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
            while not self._stopping.is_set():
                self._look()
        except Exception as failure:  # noqa: BLE001 - The loop's side raises it; a thread has nobody to raise it to.
            self.failure = failure
        finally:
            self._consumer.close()

    def _look(self) -> None:
        room = min(FETCHED_MAX, self._taker.room)
        self._pause(room <= 0)
        first = self._consumer.poll(POLL_SECONDS)
        messages = [] if first is None else [first, *(self._consumer.consume(room - 1, 0) if room > 1 else [])]
        now = time.monotonic()
        ended: set[Place] = set()
        records = [self._fetched(message) for message in messages if self._is_record(message, ended)]
        if records:
            self._in_loop(self._taker.take(records))
        self._unread -= ended
        self.looked_at = now
        if now >= self._commit_at:
            self._commit_at = now + COMMIT_SECONDS
            self._commit(now)
            self.lag_records = self._lag()
            if self.is_away:
                self.is_away = not self._is_there()

    def _pause(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            assignment = self._consumer.assignment()
            (self._consumer.pause if paused else self._consumer.resume)(assignment)

    def _is_record(self, message: Message, ended: set[Place]) -> bool:
        """Whether this is a record to take; a partition that is at its end with it has `ended`."""
        place = (message.topic() or "", message.partition() or 0)
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                ended.add(place)
                return False
            if error.fatal() or error.code() in _HOPELESS:
                raise KafkaException(error)
            return False
        self.is_away = False
        if self._reading.is_bounded and place in self._ends:
            offset = message.offset() or 0
            if offset >= self._ends[place] - 1:
                ended.add(place)
            return offset < self._ends[place]
        return True

    def _fetched(self, message: Message) -> Fetched:
        return Fetched(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            message.key(),
            message.value(),
            dict(message.headers() or ()),  # type: ignore[arg-type]  # a list of pairs, as librdkafka gives it
            message.timestamp()[1],
        )

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Partitions come: each begins where the group was, or where it shall begin, which is committed at once."""
        if not partitions:
            consumer.assign([])
            self.is_assigned = True
            return
        known = self._patiently(lambda: _known(consumer, partitions))
        new = [each for each in partitions if _place(each) not in known]
        begun = {_place(each): self._begun.get(_place(each)) or Position(self._beginning(consumer, each), "") for each in new}
        positions = known | begun
        if begun:
            self._begun |= begun
            with suppress(KafkaException):  # The group has changed meanwhile; where they come again they begin there again.
                consumer.commit(offsets=_offsets(begun), asynchronous=False)
                self._committed |= begun
        if self._reading.is_bounded:
            for each in partitions:
                self._ends[_place(each)] = self._end(consumer, each)
                self._unread.add(_place(each))
        self._call(lambda: self._taker.assigned(positions))
        consumer.assign([TopicPartition(topic, partition, position.offset) for (topic, partition), position in positions.items()])
        self._paused = False
        self.is_assigned = True

    def _beginning(self, consumer: Consumer, place: TopicPartition) -> int:
        since = self._reading.since
        if since is not None:
            asked = TopicPartition(place.topic, place.partition, since // 1000)
            found = self._patiently(lambda: consumer.offsets_for_times([asked], timeout=KAFKA_SECONDS_MAX)[0].offset)
            if found >= 0:
                return found
        return self._end(consumer, place)

    def _end(self, consumer: Consumer, place: TopicPartition) -> int:
        return self._patiently(lambda: int(consumer.get_watermark_offsets(place, timeout=KAFKA_SECONDS_MAX)[1]))

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What Kafka answers; while it starts or elects its leaders it is asked again, until the feed is to stop. Raises KafkaException."""
        while True:
            try:
                return ask()
            except KafkaException as error:
                if self._stopping.is_set() or error.args[0].code() not in _PASSING:
                    raise
            self.looked_at = time.monotonic()
            self._stopping.wait(POLL_SECONDS)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = [_place(each) for each in partitions]
        left = self._in_loop(self._taker.revoked(places, REVOKE_SECONDS_MAX))
        if left and not self.is_away:
            try:
                consumer.commit(offsets=_offsets(left), asynchronous=False)
            except KafkaException:  # They are another's already: what was done since the last commit comes again.
                self._committed.clear()
        self._forget(places)
        consumer.unassign()

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        places = [_place(each) for each in partitions]
        self._call(lambda: self._taker.lost(places))
        self._forget(places)
        consumer.unassign()

    def _forget(self, places: Sequence[Place]) -> None:
        for place in places:
            self._committed.pop(place, None)
            self._committing.pop(place, None)
            self._unread.discard(place)

    def _commit(self, now: float) -> None:
        """What has changed since the last time, unless that is still under way; what Kafka does not take, the next time."""
        if self._committing and now < self._committing_until:
            return
        positions = self._call(self._taker.positions)
        changed = {place: position for place, position in positions.items() if self._committed.get(place) != position}
        if changed:
            self._committing, self._committing_until = changed, now + COMMIT_SECONDS_MAX
            try:
                self._consumer.commit(offsets=_offsets(changed), asynchronous=True)
            except KafkaException:
                self._committing = {}

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """A commit was taken, or was not; called within poll."""
        taken = [] if error is not None else [_place(each) for each in partitions if each.error is None]
        self._committed |= {place: self._committing[place] for place in taken if place in self._committing}
        self._committing = {}

    def _lag(self) -> int:
        """Records between where it reads and the ends, as far as the client has heard of them."""
        lag = 0
        for place in self._consumer.position(self._consumer.assignment()):
            end = self._consumer.get_watermark_offsets(place, cached=True)[1]
            if place.offset >= 0 and end >= 0:
                lag += max(0, end - place.offset)
        return lag

    def _partitions_of(self, topic: str) -> int:
        return self._patiently(lambda: len(self._consumer.list_topics(topic, timeout=KAFKA_SECONDS_MAX).topics[topic].partitions))

    def _is_there(self) -> bool:
        try:
            return bool(self._consumer.list_topics(self._reading.topics[0], timeout=1.0).brokers)
        except KafkaException:
            return False

    def _erred(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.is_away = True

    def _in_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _call(self, act: Any) -> Any:
        async def acted() -> Any:
            return act()

        return self._in_loop(acted())


_HOPELESS = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


_PASSING = PASSING | {
    *(KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.REQUEST_TIMED_OUT),
    KafkaError._UNKNOWN_PARTITION,
}
"""What Kafka answers while it starts, or does not because it is away."""


def _known(consumer: Consumer, partitions: list[TopicPartition]) -> dict[Place, Position]:
    """Where the group is, of those partitions that it has an offset of. Raises KafkaException."""
    found = consumer.committed(partitions, timeout=KAFKA_SECONDS_MAX)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return {_place(each): Position(each.offset, each.metadata or "") for each in found if each.offset != OFFSET_INVALID}


def _place(partition: TopicPartition) -> Place:
    return partition.topic, partition.partition


def _offsets(positions: Mapping[Place, Position]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, position.offset, position.note) for (topic, partition), position in positions.items()]
