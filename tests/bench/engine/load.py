"""The input: interactions of 400 bytes on a topic of four partitions, and what folding them leads to.

The rule this module owns: the answer comes from the loop that writes the topic, in order, over a dict; no system has a part in it.
The producer is idempotent: what is sent again at the start would otherwise come behind what was sent after it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import orjson
from confluent_kafka import Producer

from streams.broker import admin
from tests.bench.engine.work import Answer, State, Sum, canonical, fold, output, read

PARTITIONS = 4
CHANNELS = ("web", "email", "store", "call_center")
SEED = 1
_SHARE_OF_REGULARS = 0.3
_PARETO = 1.2
_STAMPED = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 << 20)}
_PRODUCER = {
    "enable.idempotence": True,
    "linger.ms": 50,
    "batch.size": 500_000,
    "queue.buffering.max.messages": 500_000,
    "partitioner": "murmur2_random",
    "log_level": 2,
}


class Input(NamedTuple):
    """A topic, how many interactions it holds, and the answer."""

    topic: str
    events: int
    customers: int
    answer: Answer


def interactions(events: int, customers: int, first: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each, numbered from `first`: three in ten are of regulars (a Pareto distribution), the others of anyone."""
    chance = random.Random(SEED + first)
    for number in range(first, first + events):
        regular = chance.random() < _SHARE_OF_REGULARS
        customer = int(chance.paretovariate(_PARETO)) % customers if regular else chance.randrange(customers)
        value = {
            "messageId": f"m{number:08d}",
            "type": "track",
            "event": "Product Viewed",
            "userId": f"u{customer}",
            "timestamp": f"2026-01-01T00:00:{number % 60:02d}.000Z",
            "channel": CHANNELS[number % len(CHANNELS)],
            "properties": {"sku": f"s{number % 97}", "price": number % 100 + 0.5, "n": number},
            "context": {"page": {"url": f"https://shop.example/p/{number % 97}"}, "userAgent": "x" * 148},
        }
        yield b"u%d" % customer, orjson.dumps(value)


def make_topic(bootstrap: str, name: str) -> None:
    """A topic as input and outputs are: four partitions, stamped by the broker."""
    admin.create_topics(bootstrap, [admin.NewTopic(name, PARTITIONS, _STAMPED)])


def load(bootstrap: str, topic: str, events: int, customers: int) -> Input:
    """Fill a new topic; everything is on it when this returns."""
    make_topic(bootstrap, topic)
    producer = Producer({"bootstrap.servers": bootstrap, **_PRODUCER})
    states: dict[bytes, State] = {}
    said, kept = Sum(), Sum()
    for number, (key, value) in enumerate(interactions(events, customers)):
        producer.produce(topic, key=key, value=value)
        if number % 5000 == 0:
            producer.poll(0)
        state = states[key] = fold(states.get(key), read(value))
        told = output(state)
        if told is not None:
            said.add(key, told)
    assert producer.flush(60) == 0, "the broker did not take the input"
    for key, state in states.items():
        kept.add(key, canonical(state))
    return Input(topic, events, customers, Answer(said.count, said.digest, kept.count, kept.digest))
