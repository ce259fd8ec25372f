"""A person is forgotten at once: after `--deep` no file of a topic with a retention holds her, though it is of days; of the others nothing is lost, nothing
comes twice, and whoever kills it in between, the same command finishes it."""

from __future__ import annotations

import json
import signal
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.consumer import read_topic
from schemas import rewritten, topics
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli import state
from tests.pipeline.harness import Pipeline, Worker
from tests.pipeline.test_commands import _give, _receipt
from tests.pipeline.test_forgotten import ANN, KAFKA, NAME, PARTITIONS, PLACE, RETAINED, Shop, held, of_kafka, until

ERASE = ("erase", f"email:{ANN['email']}", "--why", "asked for it", "--yes", "--deep", "--wait", "10")
DEAD = {"user_id": ANN["user_id"], "email": ANN["email"]}
COUNTED = ("kairos_interactions_applied", "kairos_interactions_dead", "kairos_interactions_too_late", "kairos_interactions_duplicate")
COUNTED += ("kairos_interactions_erased", "kairos_commands_dead", "kairos_moments", "kairos_stage_changes", "kairos_segment_changes")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka"), KAFKA) as started:
        yield started


@contextmanager
def a_shop_in_business(bootstrap: str) -> Iterator[Shop]:
    """Others go on buying all the while."""
    shop, over = Shop(bootstrap), threading.Event()

    def buy() -> None:
        while not over.wait(0.05):
            shop.others(1)

    buying = threading.Thread(target=buy)
    buying.start()
    try:
        yield shop
    finally:
        over.set()
        buying.join()


def of_others(pipeline: Pipeline, topic: str) -> Counter[tuple[bytes | None, bytes | None]]:
    """How often each record of a topic is there that does not hold her, by key and value."""
    records = [(record.key, record.value) for record in read_topic(pipeline.bootstrap, topic)]
    hers = [needle.encode() for needle in (*ANN.values(), NAME, PLACE)]
    said = [b64decode(json.loads(value or b"")["original"]) if topic == topics.DEAD_LETTERS else value or b"" for _, value in records]
    return Counter(record for record, text in zip(records, said, strict=True) if not any(needle in text for needle in hers))


def committed(bootstrap: str, group: str, topic: str, offset: int | None = None) -> list[int]:
    """Where a group stands, which is put to an offset first, or to all that there is (-1)."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    try:
        if offset is not None:
            ends = admin.end_offsets(bootstrap, [topic])
            put = [TopicPartition(topic, each.partition, ends[topic, each.partition] if offset < 0 else offset) for each in places]
            consumer.commit(offsets=put, asynchronous=False)
        return [each.offset for each in consumer.committed(places, timeout=120)]
    finally:
        consumer.close()


def counts(worker: Worker) -> dict[tuple[str, ...], int]:
    return {name: number for name, number in worker.counts().items() if name[0] in COUNTED}


def played(pipeline: Pipeline, worker: Worker) -> None:
    """Forty customers and her, with what was refused of both; she is on every partition, and others lie before and behind her."""
    shop = Shop(pipeline.bootstrap)
    shop.others(20)
    for kind, value in ANN.items():
        shop.send({kind: value}, place=PLACE)
    shop.send(ANN, place=PLACE, revenue="much")
    for number in range(40):
        shop.send(ANN, place=PLACE, revenue=10 + 100 * (number == 7))
    shop.send({"user_id": "other-3"}, revenue="much")
    shop.others(40)
    pipeline.await_settled([worker])


@pytest.mark.faults
def test_nothing_of_the_erased_is_left_at_once(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    with Pipeline(kafka.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as pipeline:
        (worker,) = pipeline.start(1)
        played(pipeline, worker)
        seen = held(of_kafka(kafka.data_directory, RETAINED))
        for topic in (topics.INTERACTIONS, topics.IDENTITY, topics.DEAD_LETTERS):
            assert {what for where, what in seen if where == topic} & {ANN["email"]}, f"the search finds nothing in {topic}"
        before = {topic: of_others(pipeline, topic) for topic in (topics.INTERACTIONS, topics.DEAD_LETTERS)}
        committed(kafka.bootstrap, "slow", topics.INTERACTIONS, 0)
        committed(kafka.bootstrap, "crm", topics.INTERACTIONS, -1)
        config = {topic.name: topic.config for topic in admin.describe_topics(kafka.bootstrap, RETAINED)}

        refused = _give(pipeline, *ERASE)
        assert refused.returncode == 1, refused.stdout
        assert "slow (4 partitions)" in refused.stderr and "crm" not in refused.stderr, refused.stderr
        assert of_others(pipeline, topics.INTERACTIONS) == before[topics.INTERACTIONS]
        assert held(of_kafka(kafka.data_directory, [topics.INTERACTIONS])), "what was refused was done"
        assert admin.delete_groups(kafka.bootstrap, ["slow"]) == []
        pipeline.await_settled([worker])
        had, folded = counts(worker), state.totals(read_topic(kafka.bootstrap, pipeline.changelog))

        for point in ("copy:30", "commit:3", "delete_records:2"):
            killed = _give(pipeline, *ERASE, module="tests.pipeline.killed", KAIROS_KILLED=point)
            assert killed.returncode == -signal.SIGKILL, (point, killed.stdout, killed.stderr)
        receipt = _receipt(pipeline, *ERASE)

        until(lambda: not held(of_kafka(kafka.data_directory, RETAINED)), lambda: sorted(held(of_kafka(kafka.data_directory, RETAINED))))
        assert {topic.name: topic.config for topic in admin.describe_topics(kafka.bootstrap, RETAINED)} == config
        pipeline.await_settled([worker])
        assert {topic: of_others(pipeline, topic) for topic in before} == before, "of others something is lost, or there twice"
        assert counts(worker) == had
        assert state.totals(read_topic(kafka.bootstrap, pipeline.changelog)) == folded
        moved = sum(rewritten.of(record.headers) is not None for record in read_topic(kafka.bootstrap, topics.INTERACTIONS))
        assert 0 < moved <= worker.counts()["kairos_interactions_moved",]
        assert {one["topic"] for one in receipt["rewritten"]} == {*RETAINED} - {*topics.HASHES_ONLY}
        begins = admin.begin_offsets(kafka.bootstrap, [topics.INTERACTIONS])
        places = range(PARTITIONS)
        assert all(
            stands >= begins[topics.INTERACTIONS, place]
            for place, stands in zip(places, committed(kafka.bootstrap, "crm", topics.INTERACTIONS), strict=True)
        )

        worker.stop()
        (again,) = pipeline.start(1)
        Shop(kafka.bootstrap).others(4)
        pipeline.await_settled([again])
        assert again.counts()["kairos_interactions_read",] == 4, "who begins again goes on where it was"
        again.stop()


@pytest.mark.faults
def test_others_go_on_all_the_while(kafka: EmbeddedBroker, tmp_path: Path) -> None:
    with Pipeline(kafka.bootstrap, tmp_path / "run", PARTITIONS, ("retail",), clock="live") as pipeline:
        workers = pipeline.start(2)
        played(pipeline, workers[0])
        committed(kafka.bootstrap, "slow", topics.STAGES, 0)
        with a_shop_in_business(kafka.bootstrap):
            time.sleep(1)
            receipt = _receipt(pipeline, *ERASE, "--although-others-lag")
            time.sleep(1)
        pipeline.await_settled(workers)

        until(lambda: not held(of_kafka(kafka.data_directory, RETAINED)), lambda: sorted(held(of_kafka(kafka.data_directory, RETAINED))))
        told: dict[str, dict[str, Any]] = {one["topic"]: one for one in receipt["rewritten"]}
        assert told[topics.INTERACTIONS]["moved"] > 60 and told[topics.INTERACTIONS]["removed"] == 46
        assert told[topics.STAGES]["removed"] > 0 and told[topics.MOMENTS]["removed"] > 0
        records = [json.loads(record.value or b"") for record in read_topic(kafka.bootstrap, topics.INTERACTIONS)]
        ids = Counter(record["messageId"] for record in records)
        read = sum(worker.counts()["kairos_interactions_read",] for worker in workers)
        assert read == sum(ids.values()) + 46, "copies are not read"
        living = {json.loads(record.value)["customerId"] for record in read_topic(kafka.bootstrap, topics.PROFILES) if record.value}
        assert len(living) >= 40
        for worker in workers:
            worker.stop()
