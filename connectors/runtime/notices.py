"""What the runner itself writes onto Kafka: dead letters of deliveries, and that an endpoint was switched off or on.

The rule this module owns: `bury` and `switch` return when Kafka has the record, and raise Unwritten if it has not.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from connectors.runtime.passing import asked
from schemas import topics
from schemas.delivery import DeadDelivery, EndpointSwitch
from schemas.record import cloud_event_headers, encode

SOURCE = "kairos-deliver"
WRITE_SECONDS_MAX = 30.0


class Unwritten(Exception):
    """Kafka did not take it; the text says why."""


class Notices:
    """One producer for a process."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": int(WRITE_SECONDS_MAX * 1000),
                "log_level": 2,
            }
        )

    async def bury(self, letter: DeadDelivery) -> None:
        """Write a dead letter. Raises Unwritten."""
        event = f"{letter.endpoint}-{letter.topic}-{letter.partition}-{letter.offset}"
        await self._write(topics.DEAD_DELIVERIES, letter.customer_id, encode(letter), event, letter.last_attempt_at)

    async def switch(self, switch: EndpointSwitch) -> None:
        """Write that an endpoint was switched. Raises Unwritten."""
        await self._write(topics.ENDPOINTS, switch.endpoint, encode(switch), f"{switch.endpoint}-{switch.since}", switch.since)

    async def _write(self, topic: str, key: str, value: bytes, event_id: str, at: str | None) -> None:
        failed: list[KafkaError] = []

        def answered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        headers: list[tuple[str, str | bytes | None]] = list(cloud_event_headers(event_id, topic, SOURCE, at or "1970-01-01T00:00:00Z"))
        try:
            self._producer.produce(topic, value, key.encode(), headers=headers, on_delivery=answered)
            left = await asyncio.to_thread(self._producer.flush, WRITE_SECONDS_MAX + 1)
        except (BufferError, KafkaException) as error:
            raise Unwritten(str(error)) from None
        if failed or left:
            raise Unwritten(failed[0].str() if failed else "no answer")


class Switches:
    """Follows which endpoints are switched off. Its rule: `look` never waits."""

    def __init__(self, bootstrap: str, timeout_seconds: float = 30.0) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "kairos-deliver-switches",  # Asked for by the client; nothing is ever committed to it.
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "log_level": 2,
            }
        )
        self.states: dict[str, EndpointSwitch] = {}
        found = self._consumer.list_topics(topics.ENDPOINTS, timeout=timeout_seconds).topics[topics.ENDPOINTS]
        if found.error is not None:
            raise KafkaException(found.error)
        places = [TopicPartition(topics.ENDPOINTS, partition, 0) for partition in found.partitions]
        ends = {place.partition: self._end(place, timeout_seconds) for place in places}
        self._consumer.assign(places)
        self._read_to(ends, timeout_seconds)

    def look(self) -> dict[str, EndpointSwitch]:
        """The newest state of each endpoint that was ever switched."""
        for message in self._consumer.consume(100, 0):
            self._note(message)
        return self.states

    def close(self) -> None:
        """Let go of Kafka."""
        self._consumer.close()

    def _end(self, place: TopicPartition, timeout_seconds: float) -> int:
        return asked(lambda: int(self._consumer.get_watermark_offsets(place, timeout=timeout_seconds)[1]), timeout_seconds)

    def _read_to(self, ends: dict[int, int], timeout_seconds: float) -> None:
        quiet = 0.0
        while any(_position(place) < ends[place.partition] for place in self._consumer.position(self._consumer.assignment())):
            messages = self._consumer.consume(100, 0.2)
            quiet = 0.0 if messages else quiet + 0.2
            if quiet > timeout_seconds:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topics.ENDPOINTS} is not read to its end"))
            for message in messages:
                self._note(message)

    def _note(self, message: Message) -> None:
        value = message.value()
        if message.error() is not None or value is None:
            return
        with suppress(msgspec.DecodeError):  # What another program wrote there switches nothing.
            switch = msgspec.json.decode(value, type=EndpointSwitch)
            self.states[switch.endpoint] = switch


def _position(place: TopicPartition) -> int:
    return max(0, place.offset)
