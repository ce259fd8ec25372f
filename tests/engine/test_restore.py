"""Whatever lies in a changelog, a store is brought to its end and holds what a reader of committed records would; what it cannot be brought from is wiped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.engine import changelog
from streams.engine.failpoints import FailPoint
from streams.engine.reader import Reader
from streams.engine.restore import Source, follow, restore
from streams.engine.settings import EngineSettings
from streams.engine.store import LOADING_FROM, Memory, Owner, Position, Store

SECONDS_MAX = 120.0
"""For what hangs."""
DAY_MS = 86_400_000
MANY = 2 * LOADING_FROM
"""So many are loaded, not written."""


class Scene:
    """A changelog of one partition and a store."""

    def __init__(self, bootstrap: str, topic: str, path: Path) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.incarnation = "cluster/topic"
        self.said: list[str] = []
        self.progress: list[tuple[int, int, int]] = []
        self.told = threading.Event()
        self.settings = EngineSettings(app_id="app", bootstrap=bootstrap, state_dir=path)
        self.store = Store(path / "s", Owner("app", "t", 0), Memory(self.settings))

    def write(self, *rows: tuple[bytes, bytes | None], abort: bool = False) -> None:
        """One transaction."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": self.topic})
        producer.init_transactions(SECONDS_MAX)
        producer.begin_transaction()
        for key, value in rows:
            producer.produce(self.topic, key=key, value=value)
            producer.poll(0)
        if abort:
            assert producer.flush(SECONDS_MAX) == 0  # Or nothing would have got there.
            producer.abort_transaction(20)
        else:
            producer.commit_transaction(20)

    def restore(self) -> int:
        """Bring the store to the end, as a worker would: fenced first, or a transaction may still wait for its marker."""
        Producer({"bootstrap.servers": self.bootstrap, "transactional.id": self.topic}).init_transactions(SECONDS_MAX)
        source = Source(self.topic, 0, self.incarnation, DAY_MS)

        async def restored() -> int:
            reader = Reader(self.settings, self.topic, 0, 1)
            return await restore(self.store, source, reader, FailPoint(""), lambda *at: self.progress.append(at), self.said.append)

        return asyncio.run(restored())

    @contextmanager
    def following(self) -> Iterator[list[int]]:
        """Restored, then kept at the end, in a thread; yields how far behind it was, each time it said so."""
        self.restore()
        source, behind = Source(self.topic, 0, self.incarnation, DAY_MS), []

        async def follow_until_told() -> None:
            reader = Reader(self.settings, self.topic, 0, 1)
            following = asyncio.create_task(follow(self.store, source, reader, lambda offsets, rows: behind.append(offsets)))
            while not self.told.is_set() and not following.done():
                await asyncio.sleep(0.02)
            following.cancel()
            await asyncio.wait([following])
            if not following.cancelled():
                raise following.exception() or AssertionError("it follows for ever")

        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(asyncio.run, follow_until_told())
            try:
                yield behind
            finally:
                self.told.set()
                running.result(SECONDS_MAX)

    def await_held(self, expected: dict[bytes, bytes]) -> None:
        """Until the store holds this; it may take a few seconds."""
        give_up = time.monotonic() + SECONDS_MAX
        while self.held() != expected:
            assert time.monotonic() < give_up, f"it holds {len(self.held())} rows, not {len(expected)}"
            time.sleep(0.05)

    def held(self) -> dict[bytes, bytes]:
        """What the store holds."""
        return dict(self.store.scan(b"\x01", b"\xff"))

    def read(self) -> tuple[list[tuple[bytes, bytes | None]], int]:
        """All that another client reads of it, and its end."""
        options = {"group.id": "look", "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest"}
        consumer, found = Consumer({"bootstrap.servers": self.bootstrap, **options}), []
        consumer.assign([TopicPartition(self.topic, 0, 0)])
        while (message := consumer.poll(SECONDS_MAX)) is not None and message.error() is None:
            found.append((message.key(), message.value()))
        end = consumer.get_watermark_offsets(TopicPartition(self.topic, 0), timeout=SECONDS_MAX)[1]
        consumer.close()
        return found, end

    def expected(self) -> dict[bytes, bytes]:
        """What the store must hold."""
        return {key: value for key, value in dict(self.read()[0]).items() if value is not None}

    def truncate(self, before: int) -> None:
        """Delete all records below an offset."""
        client = AdminClient({"bootstrap.servers": self.bootstrap})  # What it promises is kept only while it lives.
        for done in client.delete_records([TopicPartition(self.topic, 0, before)]).values():
            done.result(SECONDS_MAX)


@pytest.fixture
def scene(broker: EmbeddedBroker, new_topic: Callable[..., str], tmp_path: Path) -> Iterator[Scene]:
    """An empty changelog, an empty store. Only what is deleted anyway may be truncated."""
    made = Scene(broker.bootstrap, new_topic("changelog", 1, {"cleanup.policy": "compact,delete"}), tmp_path)
    yield made
    made.store.close()


def rows(first: int, last: int, value: bytes = b"v") -> list[tuple[bytes, bytes | None]]:
    return [(b"k%06d" % number, b"%s%d" % (value, number)) for number in range(first, last)]


@pytest.mark.parametrize("count", [300, MANY])
def test_gaps_of_aborted_transactions_and_tombstones_lead_to_what_is_committed(scene: Scene, count: int) -> None:
    scene.write(*rows(0, 40, b"aborted"), abort=True)
    scene.write(*rows(0, count))
    scene.write(*rows(0, 100, b"aborted"), abort=True)
    scene.write(*[(key, None) for key, _ in rows(0, 20)], *rows(20, 40, b"new"))
    scene.write(*rows(count, count + 50, b"aborted"), abort=True)

    replayed = scene.restore()

    read, end = scene.read()
    assert replayed == len(read) == count + 40
    assert scene.held() == scene.expected()
    assert len(scene.held()) == count - 20
    assert scene.store.position is not None and scene.store.position.offset == end
    assert scene.progress[0] == (0, end, 0) and scene.progress[-1] == (end, end, replayed)
    assert not scene.said


def test_a_store_that_is_behind_gets_what_it_lacks(scene: Scene) -> None:
    scene.write(*rows(0, 100))
    scene.restore()
    scene.write(*rows(50, 60, b"new"), (b"k000000", None))

    assert scene.restore() == 11

    assert scene.held() == scene.expected()
    assert scene.restore() == 0
    assert not scene.said


def test_the_only_row_at_the_very_first_offset_is_restored(scene: Scene) -> None:
    scene.write(*rows(0, 1))

    assert scene.restore() == 1

    assert scene.held() == {b"k000000": b"v0"}


def test_an_empty_changelog_is_an_empty_store(scene: Scene) -> None:
    assert scene.restore() == 0

    assert scene.store.position is not None and scene.store.position.offset == 0
    assert scene.held() == {}
    assert not scene.said


def test_a_store_before_a_changelog_that_was_emptied_is_wiped(scene: Scene) -> None:
    scene.write(*rows(0, 100))
    scene.restore()
    scene.write(*rows(100, 110))
    scene.truncate(-1)

    assert scene.restore() == 0

    assert scene.held() == {}
    assert scene.store.position is not None and scene.store.position.offset == scene.read()[1]
    assert len(scene.said) == 1 and "restored from the beginning: it stands at 101, the changelog begins at 112" in scene.said[0]


def test_a_store_before_a_truncated_changelog_begins_where_it_begins(scene: Scene) -> None:
    scene.write(*rows(0, 100))
    scene.restore()
    scene.write(*rows(100, 200))
    scene.write(*rows(0, 10, b"new"))
    scene.truncate(150)

    scene.restore()

    assert scene.held() == scene.expected()
    assert b"k000050" not in scene.held() and scene.held()[b"k000005"] == b"new5"
    assert len(scene.said) == 1 and "it stands at 101, the changelog begins at 150" in scene.said[0]


def test_an_offset_beyond_the_end_is_not_believed(scene: Scene) -> None:
    scene.write(*rows(0, 100))
    scene.restore()
    scene.store.write((), Position(scene.incarnation, 5000, int(time.time() * 1000)))
    scene.store.load({b"k-of-nobody": b"x"}, Position(scene.incarnation, 5000, int(time.time() * 1000)))

    assert scene.restore() == 100

    assert scene.held() == scene.expected()
    assert scene.said == [
        f"the store of {scene.topic}[0] is restored from the beginning: it stands at 5000, beyond the changelog's end at 101"
    ]


def test_a_changelog_that_was_made_anew_is_another_one(scene: Scene, new_topic: Callable[..., str]) -> None:
    source = new_topic("t", 1)
    app_id = scene.topic.removesuffix(".changelog")
    settings = EngineSettings(app_id=app_id, bootstrap=scene.bootstrap, state_dir=Path())
    scene.topic = changelog.changelog_topic(app_id, "rows")
    scene.incarnation = changelog.prepare(settings, [source], ["rows"]).incarnations[scene.topic]
    scene.write(*rows(0, 100))
    scene.restore()

    admin.delete_topics(scene.bootstrap, [scene.topic])
    scene.incarnation = changelog.prepare(settings, [source], ["rows"]).incarnations[scene.topic]
    scene.write(*rows(40, 240, b"new"))
    scene.restore()

    assert scene.held() == dict(rows(40, 240, b"new"))
    assert len(scene.said) == 1 and "the changelog was made anew" in scene.said[0]


@pytest.fixture
def compacting(tmp_path: Path) -> Iterator[Scene]:
    """On a Kafka that compacts at once."""
    with EmbeddedBroker(tmp_path / "kafka", {"log.cleaner.backoff.ms": "50"}) as kafka:
        config = {"cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0"}
        admin.create_topics(kafka.bootstrap, [admin.NewTopic("changelog", 1, config)])
        made = Scene(kafka.bootstrap, "changelog", tmp_path)
        yield made
        made.store.close()


def test_a_compacted_changelog_is_read_to_its_end(compacting: Scene) -> None:
    scene = compacting
    for version in range(5):
        scene.write(*rows(0, 1000, b"v%d-" % version))
        scene.write(*rows(0, 1000, b"aborted"), abort=True)
    scene.write(*[(key, None) for key, _ in rows(0, 1000)])
    give_up = time.monotonic() + SECONDS_MAX
    while len(scene.read()[0]) > 2:  # The newest segment is not compacted.
        assert time.monotonic() < give_up, "it was not compacted"
        time.sleep(0.3)
        scene.write((b"k-last", b"%d" % time.monotonic_ns()))

    scene.restore()

    assert scene.held() == scene.expected()
    assert scene.held().keys() == {b"k-last"}
    assert scene.store.position is not None and scene.store.position.offset == scene.read()[1] > 6000


def test_a_copy_follows_what_is_committed_and_nothing_else(scene: Scene) -> None:
    scene.write(*rows(0, 300))

    with scene.following() as behind:
        scene.write(*rows(100, 200, b"new"))
        scene.write(*rows(0, 300, b"aborted"), abort=True)
        scene.write(*[(key, None) for key, _ in rows(0, 20)], *rows(300, 310))
        expected = scene.expected()
        scene.await_held(expected)
        assert behind[-1] == 0

    assert len(expected) == 290 and expected[b"k000150"] == b"new150"
    assert scene.restore() == 0, "a copy that follows leaves nothing to be restored"


def test_a_copy_whose_changelog_no_longer_has_what_comes_next_says_so_and_is_restored_anew(scene: Scene) -> None:
    scene.write(*rows(0, 100))
    scene.restore()
    scene.write(*[(key, None) for key, _ in rows(0, 50)], *rows(200, 300))
    scene.truncate(before=scene.read()[1])

    async def goes_on() -> None:
        reader = Reader(scene.settings, scene.topic, 0, 1)
        await asyncio.wait_for(
            follow(scene.store, Source(scene.topic, 0, scene.incarnation, DAY_MS), reader, lambda *at: None), SECONDS_MAX
        )

    with pytest.raises(OffsetOutOfRangeError):
        asyncio.run(goes_on())

    scene.restore()
    assert scene.held() == scene.expected() == {}
    assert "is restored from the beginning" in scene.said[0]
