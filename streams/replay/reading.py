"""Reads topics from their beginning to offsets that were noted before.

The rule this module owns: an end is a position that was named, so what comes meanwhile is not read, and holes before the end do not matter.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from streams.broker.errors import BrokerUnavailable

Place = tuple[str, int]
"""A topic and a partition."""
SILENCE_SECONDS_MAX = 60.0
_FETCHED_MAX = 5_000
_POLL_SECONDS = 0.1


class Message(NamedTuple):
    """One record as it lies on its topic; `timestamp_ms` is the broker's."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


def consumer(bootstrap: str, group: str, isolation: str = "read_committed") -> Consumer:
    """A reader that tells the end of a partition, and commits nothing by itself."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
            "queued.max.messages.kbytes": 32 * 1024,
            "log_level": 2,
        }
    )


def read(bootstrap: str, ends: Mapping[Place, int], isolation: str = "read_committed") -> Iterator[Message]:
    """All records before the ends, each partition in its order; committed ones, unless told otherwise."""
    waiting = {place for place, end in ends.items() if end > 0}
    reader = consumer(bootstrap, f"kairos-replay-reading-{uuid.uuid4().hex}", isolation)  # Nothing is ever committed to it.
    try:
        reader.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in sorted(waiting)])
        heard = time.monotonic()
        while waiting:
            fetched = reader.consume(_FETCHED_MAX, _POLL_SECONDS)
            heard = alive(bool(fetched), heard)
            for one in fetched:
                place = (one.topic() or "", one.partition() or 0)
                if is_end(one):
                    waiting.discard(place)
                    continue
                message = message_of(one)
                if message.offset < ends[place]:
                    yield message
                if message.offset >= ends[place] - 1:
                    waiting.discard(place)
    finally:
        reader.close()


def alive(came: bool, heard: float) -> float:
    """When something last came; BrokerUnavailable where that is too long ago."""
    now = time.monotonic()
    if came:
        return now
    if now - heard > SILENCE_SECONDS_MAX:
        raise BrokerUnavailable(
            f"Kafka has sent nothing for {SILENCE_SECONDS_MAX:g} s, and topics are not read to their ends: is it still running?"
        )
    return heard


def is_end(message: KafkaMessage) -> bool:
    """Whether this says that a partition is read to its end; any other error is raised."""
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise KafkaException(error)


def message_of(message: KafkaMessage) -> Message:
    """A record as a value."""
    _, timestamp_ms = message.timestamp()
    headers = message.headers() or ()
    return Message(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value(),
        headers,  # type: ignore[arg-type]  # a list of pairs, as librdkafka gives it
        timestamp_ms,
    )
