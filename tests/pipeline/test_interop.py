"""Other Kafka clients: what three of them send, each in its own way, is understood; what Kairos publishes, each of them can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer
from kafka import KafkaConsumer, KafkaProducer

from schemas import topics
from streams.broker.embedded import EmbeddedBroker
from tests.pipeline.harness import Pipeline
from tests.pipeline.outcome import Outcome

USERS = 40
SECONDS_MAX = 120.0
HEADER = ("ce_type", topics.PROFILES.encode())

Records = list[tuple[bytes | None, bytes]]
Profiles = dict[str, Any]


def _kafka_python(bootstrap: str, compression: str, records: Records) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if compression == "none" else compression)
    for key, value in records:
        producer.send(topics.INTERACTIONS, value=value, key=key)
    producer.flush()
    producer.close()


def _confluent(bootstrap: str, compression: str, records: Records) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": compression})  # Keys are placed by CRC32, not by murmur2.
    for key, value in records:
        producer.produce(topics.INTERACTIONS, value, key)
    assert producer.flush(SECONDS_MAX) == 0


def _aiokafka(bootstrap: str, compression: str, records: Records) -> None:
    async def send() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=bootstrap, compression_type=None if compression == "none" else compression
        ) as producer:
            for key, value in records:
                await producer.send(topics.INTERACTIONS, value, key)

    asyncio.run(send())


SENDERS: dict[tuple[str, str], Callable[[str, str, Records], None]] = {
    **{("kafka-python", compression): _kafka_python for compression in ("none", "gzip")},
    **{("confluent-kafka", compression): _confluent for compression in ("none", "gzip", "snappy", "lz4", "zstd")},
    **{("aiokafka", compression): _aiokafka for compression in ("none", "gzip", "snappy", "lz4", "zstd")},
}
"""Every client with every compression that its installation here has."""


@pytest.fixture(scope="module")
def understood(broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Each client has sent an order of every user, and a page view without a key or an id; the broker keeps what they compressed as it is."""
    with Pipeline(broker.bootstrap, tmp_path_factory.mktemp("interop"), 4, ("retail",), clock="live") as pipeline:
        (worker,) = pipeline.start(1)
        for (client, compression), send in SENDERS.items():
            send(broker.bootstrap, compression, _records(f"{client}-{compression}"))
        pipeline.await_settled([worker])
        yield pipeline.outcome()
        worker.stop()


def test_what_every_client_sends_is_understood(understood: Outcome) -> None:
    facts = understood.facts

    assert (facts.applied, facts.dead, facts.duplicates, facts.merged) == (2 * USERS * len(SENDERS), 0, 0, 0)
    assert {profile["identifiers"]["user_id"][0]: profile["totals"]["GBP"] for profile in understood.profiles.values()} == {
        f"user-{number}": {
            "orders": len(SENDERS),
            "revenue": f"{0.1 * len(SENDERS):.1f}",
            "cancellations": 0,
            "cancelled": "0",
            "refunds": 0,
            "refunded": "0",
        }
        for number in range(USERS)
    }


def test_kafka_python_reads_profiles(broker: EmbeddedBroker, understood: Outcome, app_id: str) -> None:
    reader = KafkaConsumer(
        topics.PROFILES,
        bootstrap_servers=broker.bootstrap,
        group_id=app_id,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        consumer_timeout_ms=500,
    )
    found: Profiles = {}
    give_up = monotonic() + SECONDS_MAX
    while found != understood.profiles and monotonic() < give_up:
        for record in reader:
            assert HEADER in record.headers
            _take(found, record.key, record.value)
    reader.close()

    assert found == understood.profiles


def test_confluent_kafka_reads_profiles(broker: EmbeddedBroker, understood: Outcome, app_id: str) -> None:
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": app_id,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    reader.subscribe([topics.PROFILES])
    found: Profiles = {}
    give_up = monotonic() + SECONDS_MAX
    while found != understood.profiles and monotonic() < give_up:
        for message in reader.consume(500, 0.5):
            assert message.error() is None, message.error()
            assert HEADER in (message.headers() or [])
            _take(found, message.key(), message.value())
    reader.close()

    assert found == understood.profiles


def test_aiokafka_reads_profiles(broker: EmbeddedBroker, understood: Outcome, app_id: str) -> None:
    async def read() -> Profiles:
        found: Profiles = {}
        options = {"group_id": app_id, "auto_offset_reset": "earliest", "isolation_level": "read_committed"}
        async with AIOKafkaConsumer(topics.PROFILES, bootstrap_servers=broker.bootstrap, **options) as reader:
            give_up = monotonic() + SECONDS_MAX
            while found != understood.profiles and monotonic() < give_up:
                for records in (await reader.getmany(timeout_ms=500)).values():
                    for record in records:
                        assert HEADER in record.headers
                        _take(found, record.key, record.value)
        return found

    assert asyncio.run(read()) == understood.profiles


def _records(name: str) -> Records:
    """Two interactions of every user; the first has a key, the other the least that an interaction needs."""
    records: Records = []
    for number in range(USERS):
        order = {
            "messageId": f"{name}-{number}",
            "userId": f"user-{number}",
            "event": "Order Completed",
            "timestamp": "2026-03-01T08:59:00Z",
            "properties": {"revenue": 0.1, "currency": "GBP"},
        }
        viewed = {"userId": f"user-{number}", "event": "Page Viewed", "timestamp": "2026-03-01T09:00:00Z"}
        records.append((f"user-{number}".encode(), json.dumps(order).encode()))
        records.append((None, json.dumps(viewed).encode()))
    return records


def _take(found: Profiles, key: bytes | None, value: bytes | None) -> None:
    """Keep the newest of a customer."""
    assert value is not None
    profile = json.loads(value)
    assert key == profile["customerId"].encode()
    if profile["customerId"] not in found or found[profile["customerId"]]["version"] < profile["version"]:
        found[profile["customerId"]] = profile
