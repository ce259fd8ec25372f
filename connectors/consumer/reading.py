"""Reads a topic's records. The rule this module owns: the end is a position that Kafka names, never a count of records.

Transactions leave markers and aborted records between those that a `read_committed` reader is given, so offsets have holes, also at the end.
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.runtime.passing import asked

TIMEOUT_SECONDS = 30
_FETCHED_MAX = 5_000
_POLL_SECONDS = 0.05
"""A fetch is given out when it is full, or after this long."""


class Record(NamedTuple):
    """One record as it lies on its topic; `timestamp_ms` is the broker's."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


class ReadFailed(Exception):
    """Kafka did not answer, or there is no such topic."""


def read_topic(bootstrap: str, topic: str, isolation: str = "read_committed", timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[Record]:
    """All records from the beginning to the end as it is now, each partition in its order.

    Under `read_committed` the end lies before the first transaction that is still open. Raises ReadFailed, also where nothing comes for
    `timeout_seconds`.
    """
    consumer = open_consumer(bootstrap, isolation)
    try:
        partitions = partitions_of(consumer, topic, OFFSET_BEGINNING, timeout_seconds)
        # The ends are asked for before anything is fetched, so that an end that is met lies beyond them.
        ends = {one.partition: end_of(consumer, one, timeout_seconds) for one in partitions}
        consumer.assign(partitions)
        unread = {partition for partition, end in ends.items() if end > 0}
        heard = time.monotonic()
        while unread:
            messages = consumer.consume(_FETCHED_MAX, _POLL_SECONDS)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > timeout_seconds:
                raise ReadFailed(f"{topic}: nothing came for {timeout_seconds} s; partitions {sorted(unread)} are not read to their ends.")
            for message in messages:
                if is_end(message):
                    unread.discard(message.partition() or 0)
                    continue
                record = record_of(message)
                if record.offset < ends[record.partition]:
                    yield record
                if record.offset >= ends[record.partition] - 1:
                    unread.discard(record.partition)
    finally:
        consumer.close()


def follow_topic(
    bootstrap: str,
    topic: str,
    isolation: str = "read_committed",
    from_beginning: bool = False,
    is_over: Callable[[], bool] = lambda: False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[Record | None]:
    """Records as they come, from now on or from the beginning, until `is_over`; None at least once a second while there is nothing new."""
    consumer = open_consumer(bootstrap, isolation)
    try:
        consumer.assign(partitions_of(consumer, topic, OFFSET_BEGINNING if from_beginning else OFFSET_END, timeout_seconds))
        while not is_over():
            fetched = [message for message in consumer.consume(500, 0.25) if not is_end(message)]
            yield from map(record_of, fetched)
            if not fetched:
                yield None
    finally:
        consumer.close()


def open_consumer(bootstrap: str, isolation: str) -> Consumer:
    """A client that reads what it is assigned, says where a partition ends, and commits nothing."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"kairos-reading-{uuid.uuid4().hex}",  # Asked for by the client; nothing is ever committed to it.
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
            "queued.max.messages.kbytes": 32 * 1024,
            "log_level": 2,  # What goes wrong is raised, not printed beside what the caller prints.
        }
    )


def partitions_of(consumer: Consumer, topic: str, offset: int, timeout_seconds: float) -> list[TopicPartition]:
    """Every partition of a topic, at this offset. Raises ReadFailed."""
    try:
        found = consumer.list_topics(topic, timeout=timeout_seconds).topics[topic]
    except KafkaException as error:
        raise ReadFailed(f"No broker answers: {error}") from error
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise ReadFailed(
            f"There is no topic {topic} here: `kairos topics create` makes those of the contract, the first worker of an app id its changelog."
        )
    if found.error is not None:
        raise ReadFailed(f"Topic {topic}: {found.error.str()}")
    return [TopicPartition(topic, partition, offset) for partition in sorted(found.partitions)]


def end_of(consumer: Consumer, partition: TopicPartition, timeout_seconds: float) -> int:
    """The offset behind the last record; 0 where there is none. Raises ReadFailed."""
    try:
        first, end = asked(lambda: consumer.get_watermark_offsets(partition, timeout=timeout_seconds), timeout_seconds)
    except KafkaException as error:
        raise ReadFailed(f"{partition.topic}[{partition.partition}]: {error}") from error
    return end if end > first else 0


def is_end(message: Message) -> bool:
    """Whether this says that a partition is read to its end; any other error is raised."""
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise ReadFailed(f"{message.topic()}[{message.partition()}]: {error.str()}")


def record_of(message: Message) -> Record:
    """A message that is no end, as a record."""
    _, timestamp_ms = message.timestamp()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.key(),
        message.value(),
        message.headers() or (),  # type: ignore[arg-type]  # a list of pairs, as librdkafka gives it
        timestamp_ms,
    )
