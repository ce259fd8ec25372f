"""One partition: its end is brought into a file of its own, records are copied behind it, what lies before is deleted.

The rule this module owns: a copy is known by where its record lay first, so what was copied is seen and not copied again. Copies become visible a
few thousand at a time: an open transaction holds up whoever reads the partition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from schemas import rewritten, topics
from schemas.rewritten import Rewritten
from streams.broker import admin
from streams.broker.errors import BrokerUnavailable
from streams.replay.reading import Message, Place

TRANSACTION_RECORDS_MAX = 5_000
TRANSACTION_BYTES_MAX = 8 << 20
REQUEST_SECONDS = 60.0
ROLLING_MS = 499
"""A topic's `segment.ms` while its newest files are closed: nobody else would choose it, so one that was left there is known."""
ROLLING_SECONDS = 1.5
"""So long after that every newest file is older, and the broker knows."""


class Moved(NamedTuple):
    """Of a partition: how many records were copied, how many were left out, and their bytes; what was past its retention counts as neither."""

    moved: int = 0
    moved_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0


class Writer:
    """Writes one partition; a context manager. Of two at once the later is the only one, and what the first had open is undone."""

    def __init__(self, bootstrap: str, place: Place) -> None:
        self._place = place
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": f"kairos-rewrite-{place[0]}-{place[1]}",
                "transaction.timeout.ms": int(REQUEST_SECONDS * 1000),
                "compression.type": "lz4",
                "linger.ms": 5,
                "message.max.bytes": topics.BATCH_BYTES_MAX,
                "log_level": 2,
            }
        )
        self._waiting = self._bytes = 0

    def __enter__(self) -> Writer:
        self._producer.init_transactions(REQUEST_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            with suppress(KafkaException):  # It is aborted when its time is over, or by the next.
                self._producer.abort_transaction(REQUEST_SECONDS)
        self._producer.purge()

    def end(self) -> int:
        """The offset behind a record that nobody gets to see: appended, and its transaction aborted."""
        places: list[int] = []

        def appended(error: object, message: KafkaMessage) -> None:
            if error is None:
                places.append(message.offset() or 0)

        self._producer.begin_transaction()
        self._producer.produce(self._place[0], partition=self._place[1], on_delivery=appended)
        self._producer.flush(REQUEST_SECONDS)
        self._producer.abort_transaction(REQUEST_SECONDS)
        if not places:
            raise BrokerUnavailable(f"{self._place[0]}[{self._place[1]}] takes no record: is Kafka still running?")
        return places[0] + 1

    def copy(self, message: Message, header: tuple[str, bytes]) -> None:
        """Append a record once more, with the header in the place of what it had of that name."""
        if not self._waiting:
            self._producer.begin_transaction()
        headers = [each for each in message.headers if each[0] != rewritten.HEADER]
        while True:
            try:
                self._producer.produce(
                    self._place[0],
                    message.value,
                    message.key,
                    self._place[1],
                    timestamp=message.timestamp_ms,
                    headers=[*headers, header],
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._waiting += 1
        self._bytes += size(message)
        if self._waiting >= TRANSACTION_RECORDS_MAX or self._bytes >= TRANSACTION_BYTES_MAX:
            self.commit()

    def commit(self) -> None:
        """Make what was copied visible."""
        if self._waiting:
            self._producer.commit_transaction(REQUEST_SECONDS)
            self._waiting = self._bytes = 0


def roll(bootstrap: str, topic: str, writers: Mapping[Place, Writer]) -> dict[Place, int]:
    """Close the newest files of these partitions of a topic; offsets before which nothing lies in a file with what comes."""
    (found,) = admin.describe_topics(bootstrap, [topic])
    usual = found.config.get("segment.ms", str(topics.SEGMENT_MS))
    admin.alter_topic(bootstrap, topic, {"segment.ms": str(ROLLING_MS)})
    try:
        time.sleep(ROLLING_SECONDS)
        return {place: writer.end() for place, writer in writers.items()}
    finally:
        admin.alter_topic(bootstrap, topic, {"segment.ms": usual})


def restore(bootstrap: str) -> None:
    """Give the topics their `segment.ms` back on which somebody was killed who was closing files."""
    for found in admin.describe_topics(bootstrap, topics.BY_NAME):
        if found.config.get("segment.ms") == str(ROLLING_MS):
            admin.alter_topic(bootstrap, found.name, {"segment.ms": str(topics.SEGMENT_MS)})


def first(message: Message) -> Rewritten:
    """Where a record lay first, and by whom it was read there as far as it says."""
    return rewritten.of(message.headers) or Rewritten(message.partition, message.offset, message.timestamp_ms)


class Copies:
    """The copies on a partition whose records may still lie there. One whose content is another's is none: only its header says so."""

    def __init__(self, messages: Iterable[Message] = (), begin: int = 0) -> None:
        """`begin`: the first offset that there is; where all before it was moved, only the copies are left."""
        self._newest: dict[int, tuple[int, int]] = {}
        for message in messages:
            moved = rewritten.of(message.headers)
            if moved is not None and moved.before > begin:
                self._newest[moved.offset] = (message.offset, _content(message))

    def has(self, message: Message) -> bool:
        """Whether a record, or a copy, lies further on once more."""
        offset, content = self._newest.get(first(message).offset, (-1, 0))
        return offset > message.offset and content == _content(message)


def _content(message: Message) -> int:
    return hash((message.key, message.value))


def copy(
    writer: Writer,
    messages: Iterable[Message],
    before: int,
    holds: Callable[[Message], bool],
    copies: Copies,
    readers: Mapping[str, int],
    since_ms: int,
    told: Callable[[int], None],
) -> Moved:
    """Copy what holds nobody and has no copy yet, each with the names of those who had read it; not what the broker took before `since_ms`.

    `messages`: all that lies before the offset `before`. What has a copy counts as moved.
    """
    moved = moved_bytes = removed = removed_bytes = 0
    for message in messages:
        told(1)
        if holds(message):
            removed, removed_bytes = removed + 1, removed_bytes + size(message)
            continue
        lay = first(message)
        if lay.timestamp_ms < since_ms:
            continue
        moved, moved_bytes = moved + 1, moved_bytes + size(message)
        if not copies.has(message):
            names = {*lay.groups, *[group for group, offset in readers.items() if message.offset < offset]}
            copied = Rewritten(lay.partition, lay.offset, lay.timestamp_ms, tuple(sorted(names)), before)
            writer.copy(message, rewritten.header(copied))
    writer.commit()
    return Moved(moved, moved_bytes, removed, removed_bytes)


def size(message: Message) -> int:
    """Bytes of its key, value and headers."""
    return len(message.key or b"") + len(message.value or b"") + sum(len(name) + len(value) for name, value in message.headers)
