"""One command sent, and its receipt awaited.

The rule this module owns: the ends of the topics that may answer are taken before the command is sent, so no answer is missed; a dead letter is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas import record, topics
from schemas.command import Command
from streams.broker import admin

ANSWERED_ON = (topics.IDENTITY_CHANGES, topics.DEAD_LETTERS)
_POLL_SECONDS = 0.25
_DELIVERY_SECONDS_MAX = 30.0


class Answer(NamedTuple):
    """What came back: the receipt, or the dead letter, as on the wire; neither where nothing came in time, or where Ctrl-C ended the wait
    (`is_left`). Of topics that are `missing` nothing was sent."""

    receipt: dict[str, Any] | None = None
    refused: dict[str, Any] | None = None
    is_left: bool = False
    missing: tuple[str, ...] = ()


def give(bootstrap: str, command: Command, seconds_max: float) -> Answer:
    """Send a command and wait for its answer. KafkaException where Kafka does not take it."""
    ends = admin.end_offsets(bootstrap, (topics.COMMANDS, *ANSWERED_ON), committed=False)
    missing = {topics.COMMANDS, *ANSWERED_ON} - {topic for topic, _ in ends}
    if missing:
        return Answer(missing=tuple(sorted(missing)))
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": f"kairos-command-{command.id}",  # Asked for by the client; nothing is ever committed to it.
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
        "log_level": 2,
    })  # fmt: skip
    try:
        consumer.assign([TopicPartition(topic, partition, end) for (topic, partition), end in ends.items() if topic in ANSWERED_ON])
        place = _send(bootstrap, command)
        try:
            return _answer(_come(consumer, seconds_max), command.id, place)
        except KeyboardInterrupt:
            return Answer(is_left=True)
    finally:
        consumer.close()


def _send(bootstrap: str, command: Command) -> tuple[int, int]:
    """Where Kafka keeps the command: partition and offset."""
    found: list[tuple[KafkaError | None, Message]] = []
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": int(_DELIVERY_SECONDS_MAX * 1000),
        "log_level": 2,
    })  # fmt: skip
    producer.produce(
        topics.COMMANDS, record.encode(command), command.id.encode(), on_delivery=lambda error, message: found.append((error, message))
    )
    producer.flush(_DELIVERY_SECONDS_MAX + 5)
    if not found:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
    error, message = found[0]
    if error is not None:
        raise KafkaException(error)
    return message.partition() or 0, message.offset() or 0


def _come(consumer: Consumer, seconds_max: float) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        message = consumer.poll(_POLL_SECONDS)
        if message is None:
            continue
        error = message.error()
        if error is not None:
            raise KafkaException(error)
        yield {"on": message.topic(), "value": orjson.loads(message.value() or b"{}")}


def _answer(come: Iterator[dict[str, Any]], command_id: str, place: tuple[int, int]) -> Answer:
    for one in come:
        value = one["value"]
        if one["on"] == topics.IDENTITY_CHANGES:
            if (value.get("command") or {}).get("id") == command_id:
                return Answer(receipt=value)
        elif (value["topic"], value["partition"], value["offset"]) == (topics.COMMANDS, *place):
            return Answer(refused=value)
    return Answer()
