"""Sends interactions at a rate, each when it is due: `python -m tests.bench.latency.sender`, told by a line of JSON, answers by one.

The rule this module owns: the times at which they are due are fixed before the first is sent. Who is late sends late, and the delay counts. So does what
the client waits for company (linger.ms, 5 ms as librdkafka ships it): without it every interaction is a request, and Kafka is busy with those.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
from confluent_kafka import Producer

from tests.bench.engine.load import interactions

PAUSE_SECONDS = 0.0005


class Order(msgspec.Struct, frozen=True):
    """What is to be sent; `begin` is a time of this machine's monotonic clock, a `rate` of 0 is as fast as it can."""

    bootstrap: str
    topic: str
    events: int
    customers: int
    rate: float
    first: int
    """The number in the id of the first; those before it are left out."""


class Sent(msgspec.Struct, frozen=True):
    """When the first was due, by the monotonic clock, and by how much the sender was late, at most, in seconds."""

    began: float
    late: float


def main() -> None:
    """Make everything, say `ready`, wait for a line, send, say how it went."""
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    made = list(interactions(order.events, order.customers, order.first))
    print("ready", flush=True)
    sys.stdin.readline()
    producer = Producer({
        "bootstrap.servers": order.bootstrap,
        "enable.idempotence": True,
        "queue.buffering.max.messages": 2_000_000,
        "partitioner": "murmur2_random",
        "log_level": 2,
    })  # fmt: skip
    producer.list_topics(order.topic, 10)
    began = time.monotonic()
    late = _send(producer, order, made, began)
    assert producer.flush(60) == 0, "the broker did not take everything"
    print(msgspec.json.encode(Sent(began, late)).decode(), flush=True)


def _send(producer: Producer, order: Order, made: list[tuple[bytes, bytes]], began: float) -> float:
    produce, late, sent = producer.produce, 0.0, 0
    options: dict[str, Any] = {"topic": order.topic}
    while sent < order.events:
        now = time.monotonic() - began
        due = min(order.events, int(now * order.rate) + 1) if order.rate else order.events
        if sent < due and order.rate:
            late = max(late, now - sent / order.rate)
        for key, value in made[sent:due]:
            produce(key=key, value=value, **options)
        sent = due
        producer.poll(0)
        time.sleep(PAUSE_SECONDS)
    return late


if __name__ == "__main__":
    main()
