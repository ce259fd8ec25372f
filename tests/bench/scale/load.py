"""What a case of the scale bench begins with, a changelog of one row for every customer, and what it then gets, interactions of any of them.

The rule this module owns: a customer's number says the partition, so that rows and interactions meet without any hashing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from streams.broker import admin
from streams.engine import changelog
from streams.engine.settings import EngineSettings
from tests.bench.scale.worker import Count, Counts

ROW_BYTES = 300
SEED = 1
_STAMPED = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 << 20)}
_PRODUCER = {"enable.idempotence": True, "linger.ms": 20, "batch.size": 500_000, "queue.buffering.max.messages": 500_000, "log_level": 2}
_POLL_EVERY = 5000
_NOISE = random.Random(SEED).randbytes(1 << 16)


def key(customer: int) -> bytes:
    """Of the interactions; the row's has the tag before it."""
    return b"customer-%012d" % customer


def row(customer: int) -> bytes:
    """300 bytes with the key, half of them as good as random."""
    begin = customer * 131 % (len(_NOISE) - ROW_BYTES)
    noise = _NOISE[begin : begin + ROW_BYTES // 2]
    told = b'{"visits":0,"last":"2026-01-01T00:00:00.000Z","channels":{"web":1,"email":2}}'
    size = ROW_BYTES - len(key(customer)) - len(Counts.tag)
    return bytes(Counts.encode(Count(0, (told + noise).ljust(size - len(Counts.encode(Count(0, b""))) - 1))))


def interactions(events: int, customers: int, partitions: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of each; every customer is as likely as any other."""
    chance = random.Random(SEED)
    for number in range(events):
        customer = chance.randrange(customers)
        value = {
            "messageId": f"m{number:08d}",
            "type": "track",
            "event": "Product Viewed",
            "userId": f"u{customer}",
            "timestamp": f"2026-01-01T00:00:{number % 60:02d}.000Z",
            "channel": "web",
            "properties": {"sku": f"s{number % 97}", "price": number % 100 + 0.5, "n": number},
            "context": {"page": {"url": f"https://shop.example/p/{number % 97}"}, "userAgent": "x" * 148},
        }
        yield customer % partitions, key(customer), orjson.dumps(value)


def fill(bootstrap: str, app_id: str, source: str, table: str, customers: int, partitions: int) -> dict[int, int]:
    """Make both topics and write the rows; returns where each partition of the changelog ends."""
    admin.create_topics(bootstrap, [admin.NewTopic(source, partitions, _STAMPED)])
    kept = changelog.changelog_topic(app_id, table)
    changelog.prepare(EngineSettings(app_id=app_id, bootstrap=bootstrap, state_dir=Path()), [source], [table])
    rows = ((customer % partitions, Counts.tag + key(customer), row(customer)) for customer in range(customers))
    _write(bootstrap, kept, rows, {"compression.type": "zstd"})
    return {partition: end for (_, partition), end in admin.end_offsets(bootstrap, [kept]).items()}


def send(bootstrap: str, source: str, made: list[tuple[int, bytes, bytes]]) -> None:
    """Interactions that were made before, as fast as the broker takes them."""
    _write(bootstrap, source, iter(made), {})


def _write(bootstrap: str, topic: str, records: Iterator[tuple[int, bytes, bytes]], options: dict[str, Any]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, **_PRODUCER, **options})
    for number, (partition, named, value) in enumerate(records):
        while True:
            try:
                producer.produce(topic, key=named, value=value, partition=partition)
                break
            except BufferError:
                producer.poll(0.05)
        if number % _POLL_EVERY == 0:
            producer.poll(0)
    assert producer.flush(120) == 0, f"the broker did not take all of {topic}"
