"""How far the groups of endpoints are, seen from outside. Its rule: it changes nothing but a group that is over."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.runtime.ledger import noted
from connectors.runtime.passing import asked

TIMEOUT_SECONDS = 20.0


class Standing(NamedTuple):
    """Of a group: records that it has not read (the ends of transactions among them count as such), or not done, and of the latter how many were tried
    in vain."""

    unread: int
    undone: int
    tried: int


def standing(bootstrap: str, group: str, topics: Sequence[str]) -> Standing | None:
    """How far a group is; None where it has never begun. Raises KafkaException."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "log_level": 2,
    }
    consumer = Consumer({**settings, "isolation.level": "read_committed"})
    try:
        places = []
        for topic in topics:
            found = consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            places += [TopicPartition(topic, partition) for partition in found.partitions]
        committed = asked(lambda: _committed(consumer, places), TIMEOUT_SECONDS)
        if not committed:
            return None
        unread = undone = tried = 0
        for each in committed:
            end = asked(partial(consumer.get_watermark_offsets, each, timeout=TIMEOUT_SECONDS), TIMEOUT_SECONDS)[1]
            read_to, opened, in_vain = noted(each.offset, each.metadata or "")
            if end > read_to and _is_record_at(consumer, each.topic, each.partition, read_to):
                unread += end - read_to
            undone += opened
            tried += in_vain
        return Standing(unread, undone, tried)
    finally:
        consumer.close()


def _committed(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """Those of which the group has an offset. Raises KafkaException."""
    found = consumer.committed(places, timeout=TIMEOUT_SECONDS)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return [each for each in found if each.offset != OFFSET_INVALID]


def _is_record_at(consumer: Consumer, topic: str, partition: int, offset: int) -> bool:
    """Whether anything lies from there on but the end of a transaction."""
    consumer.assign([TopicPartition(topic, partition, offset)])
    message = consumer.poll(TIMEOUT_SECONDS)
    error = None if message is None else message.error()
    return error is None or error.code() != KafkaError._PARTITION_EOF


def is_known(bootstrap: str, group: str) -> bool:
    """Whether Kafka has heard of a group. Raises KafkaException."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    return group in {found.group_id for found in client.list_consumer_groups(request_timeout=TIMEOUT_SECONDS).result(TIMEOUT_SECONDS).valid}


def forget(bootstrap: str, group: str) -> None:
    """Delete a group that nobody is in any more. Raises KafkaException."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})  # Answers come only as long as there is one.
    for future in client.delete_consumer_groups([group]).values():
        future.result(TIMEOUT_SECONDS)
