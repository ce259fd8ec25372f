"""Playing onto a real broker, and reading it back: all of it, in order, keyed without personal data, to the very end."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from connectors.consumer import Record, follow_topic, read_topic
from connectors.consumer.reading import ReadFailed
from connectors.jsonl.source import READER
from connectors.producer import Played, PlayFailed, play
from schemas.interaction import REFUSED_HEADER, TIME_HEADER
from streams.broker.admin import NewTopic, create_topics
from streams.broker.embedded import EmbeddedBroker

PARTITIONS = 4
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker.bootstrap


@pytest.fixture
def topic(bootstrap: str, request: pytest.FixtureRequest) -> str:
    name: str = request.node.name.replace("[", ".").replace("]", "")
    create_topics(bootstrap, [NewTopic(name, PARTITIONS, {"max.message.bytes": str(4 * 1024 * 1024)})])
    return name


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Ten days of fifty people, each identified by an e-mail address, and one line that is none."""
    lines = [
        json.dumps(
            {
                "messageId": f"{day}-{person}",
                "identifiers": {"email": [f"p{person}@kairos.test"]},
                "timestamp": f"2026-01-{day:02}T00:{person:02}:00Z",
            }
        )
        for day in range(1, 11)
        for person in range(50)
    ]
    path = tmp_path / "source.jsonl"
    path.write_text("\n".join([*lines[:250], "no json", *lines[250:]]))
    return path


def _header(record: Record, name: str) -> bytes | None:
    return dict(record.headers).get(name)


def _interactions(records: list[Record]) -> list[Record]:
    return [record for record in records if not record.headers]


def test_a_play_loses_nothing_and_keeps_each_customers_order(bootstrap: str, topic: str, source: Path) -> None:
    progress: list[Played] = []

    played = play(bootstrap, READER, source, topic=topic, partitions=PARTITIONS, on_progress=progress.append)

    records = list(read_topic(bootstrap, topic))
    lives = defaultdict(list)
    for record in _interactions(records):
        value = json.loads(record.value or b"")
        lives[value["identifiers"]["email"][0]].append((record.partition, value["timestamp"]))
    assert (played.interactions, played.refused, played.read, played.duplicates) == (500, {"unreadable": 1}, 501, 0)
    assert progress[-1]._replace(seconds=0) == played._replace(seconds=0)
    assert len(lives) == 50
    for life in lives.values():
        assert len(life) == 10
        assert life == sorted(life)
    assert [(record.value, _header(record, REFUSED_HEADER)) for record in records if _header(record, REFUSED_HEADER)] == [
        (b"no json", b"unreadable")
    ]


def test_no_key_holds_personal_data(bootstrap: str, topic: str, source: Path) -> None:
    play(bootstrap, READER, source, topic=topic, partitions=PARTITIONS, secret=b"salt")

    keys = {record.key for record in _interactions(list(read_topic(bootstrap, topic)))}
    assert len(keys) == 50
    assert all(key is not None and len(key) == 16 for key in keys)


def test_time_reaches_every_partition_after_all_that_is_earlier(bootstrap: str, topic: str, source: Path) -> None:
    played = play(bootstrap, READER, source, topic=topic, partitions=PARTITIONS, duplicates=0.1, until=1_800_000_000_000_000)

    assert played.times == 11
    assert played.duplicates > 0
    for partition in range(PARTITIONS):
        records = [record for record in read_topic(bootstrap, topic) if record.partition == partition]
        said = [
            (place, json.loads(record.value or b"")["time"])
            for place, record in enumerate(records)
            if _header(record, TIME_HEADER) is not None
        ]
        assert len(said) == 11
        assert said[-1] == (len(records) - 1, "2027-01-15T08:00:00Z")
        for place, time in said:
            assert all(json.loads(later.value or b"")["timestamp"] >= time for later in _interactions(records[place:]))


def test_a_shuffled_play_sends_the_same_in_another_order(bootstrap: str, topic: str, source: Path) -> None:
    played = play(bootstrap, READER, source, topic=topic, partitions=PARTITIONS, shuffle_seed=7, duplicates=0.05, until=1)

    values = [record.value for record in _interactions(list(read_topic(bootstrap, topic)))]
    assert set(values) == {line.encode() for line in source.read_text().splitlines() if line != "no json"}
    assert len(values) == 500 + played.duplicates
    assert played.times == 1


def test_a_rate_is_kept(bootstrap: str, topic: str, source: Path) -> None:
    played = play(bootstrap, READER, source, topic=topic, partitions=PARTITIONS, rate=1_000)

    assert 0.4 < played.seconds < 20


def test_another_number_of_partitions_is_refused(bootstrap: str, topic: str, source: Path) -> None:
    with pytest.raises(PlayFailed, match="4 partitions, not 5"):
        play(bootstrap, READER, source, topic=topic, partitions=5)


def test_a_record_that_kafka_does_not_take_fails_the_play(bootstrap: str, tmp_path: Path) -> None:
    create_topics(bootstrap, [NewTopic("narrow", 1, {"max.message.bytes": "2000"})])
    (tmp_path / "wide.jsonl").write_text(json.dumps({"userId": "1", "text": "".join(map(chr, range(0x4E00, 0x7E00)))}))

    with pytest.raises(PlayFailed):
        play(bootstrap, READER, tmp_path / "wide.jsonl", topic="narrow", partitions=1)


def test_a_reader_of_what_is_committed_ends_behind_aborted_and_marked_offsets(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "reading", "log_level": 2})
    producer.init_transactions(30)
    for name, commits in ((b"one", True), (b"two", False), (b"three", True), (b"four", False)):
        producer.begin_transaction()
        for partition in range(PARTITIONS):
            producer.produce(topic, name, partition=partition)
        producer.flush()
        producer.commit_transaction(30) if commits else producer.abort_transaction(30)

    committed = [(record.partition, record.value) for record in read_topic(bootstrap, topic, timeout_seconds=5)]
    everything = [record.value for record in read_topic(bootstrap, topic, isolation="read_uncommitted", timeout_seconds=5)]

    assert sorted(committed) == sorted((partition, value) for partition in range(PARTITIONS) for value in (b"one", b"three"))
    assert len(everything) == 4 * PARTITIONS


def test_an_open_transaction_ends_what_is_committed(bootstrap: str, topic: str) -> None:
    plain = Producer({"bootstrap.servers": bootstrap})
    plain.produce(topic, b"before", partition=0)
    plain.flush()
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "open", "log_level": 2})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush()

    records = list(read_topic(bootstrap, topic, timeout_seconds=5))

    producer.abort_transaction(30)
    assert [record.value for record in records] == [b"before"]


def test_an_empty_topic_is_read_at_once(bootstrap: str, topic: str) -> None:
    assert list(read_topic(bootstrap, topic)) == []


def test_a_topic_that_is_not_there_is_no_empty_one(bootstrap: str) -> None:
    with pytest.raises(ReadFailed):
        list(read_topic(bootstrap, "nowhere", timeout_seconds=5))


def test_following_gives_what_comes_later(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"old", key=b"k", partition=0)
    producer.flush()
    seen: list[bytes | None] = []
    waits = 0

    for record in follow_topic(bootstrap, topic, is_over=lambda: len(seen) == 2):
        if record is not None:
            seen.append(record.value)
            continue
        waits += 1
        assert waits < 60
        if waits % 8 == 4:
            producer.produce(topic, b"new", key=b"k", partition=0)
            producer.flush()

    assert seen == [b"new", b"new"]
    assert next(record for record in follow_topic(bootstrap, topic, from_beginning=True) if record is not None).value == b"old"
