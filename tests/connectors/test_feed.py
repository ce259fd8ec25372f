"""A feed and its Kafka: whatever Kafka does, the feed goes on looking, ends when it is told to, and goes on where it was."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.runtime.deliverer import Position
from connectors.runtime.feed import Feed, Reading
from connectors.runtime.fetched import Fetched
from connectors.runtime.waiting import Place
from schemas import topics
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared
from tests.connectors.deliveries import moments, publish, wait_for
from tests.connectors.outputs import moment

AWAY_SECONDS = 15.0
LOOKS_SECONDS_MAX = 13.0
"""Between two looks, also while the machine is busy."""


class Hands:
    """Takes whatever comes, and has always done something more."""

    room = 100

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.held: dict[Place, Position] = {}

    def assigned(self, positions: Mapping[Place, Position]) -> None:
        self.held |= positions

    async def revoked(self, places: Sequence[Place], seconds_max: float) -> dict[Place, Position]:
        return {place: self.held.pop(place) for place in places if place in self.held}

    def lost(self, places: Sequence[Place]) -> None:
        for place in places:
            self.held.pop(place, None)

    async def take(self, records: Sequence[Fetched]) -> None:
        self.taken += [record.offset for record in records]
        self.held |= {(record.topic, record.partition): Position(record.offset + 1, "") for record in records}

    def positions(self) -> dict[Place, Position]:
        self.held = {place: Position(position.offset, str(time.monotonic())) for place, position in self.held.items()}
        return dict(self.held)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs beside the test."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def feeding(kafka: EmbeddedBroker, hands: Hands, loop: asyncio.AbstractEventLoop) -> Feed:
    """One that has its partitions."""
    admin.create_topics(kafka.bootstrap, declared(2))
    feed = Feed(Reading(bootstrap=kafka.bootstrap, group="feed", topics=(topics.MOMENTS,)), hands, loop)
    feed.start()
    wait_for(lambda: feed.is_assigned and hands.held)
    return feed


def say(kafka: EmbeddedBroker, numbers: Sequence[int]) -> None:
    publish(kafka, moments(moment("cart", number) for number in numbers))


def committed(kafka: EmbeddedBroker) -> int:
    """Of both partitions together."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "feed"})
    places = consumer.committed([TopicPartition(topics.MOMENTS, each) for each in range(2)], timeout=120)
    consumer.close()
    return sum(max(0, place.offset) for place in places)


def silence(feed: Feed, until: Callable[[], bool]) -> float:
    """The longest that the feed has not looked, up to then."""
    longest = 0.0
    while not until():
        longest = max(longest, time.monotonic() - feed.looked_at)
        time.sleep(0.05)
    return longest


@pytest.mark.faults
def test_while_kafka_is_away_a_feed_goes_on_looking_and_then_goes_on(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as kafka:
        hands = Hands()
        feed = feeding(kafka, hands, loop)
        say(kafka, range(10))
        wait_for(lambda: len(hands.taken) == 10)

        kafka.kill()
        back_at = time.monotonic() + AWAY_SECONDS
        assert silence(feed, lambda: time.monotonic() > back_at) < LOOKS_SECONDS_MAX
        assert feed.is_away

        kafka.start()
        say(kafka, range(10, 20))
        assert silence(feed, lambda: len(hands.taken) >= 20) < LOOKS_SECONDS_MAX
        wait_for(lambda: committed(kafka) == 20)
        wait_for(lambda: not feed.is_away)
        feed.stop()
        feed.join(120)
        assert not feed.is_alive() and feed.failure is None


@pytest.mark.faults
def test_a_feed_that_is_told_to_stop_while_kafka_is_away_does(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as kafka:
        hands = Hands()
        feed = feeding(kafka, hands, loop)
        say(kafka, range(10))
        wait_for(lambda: len(hands.taken) == 10)

        kafka.kill()
        wait_for(lambda: feed.is_away)
        feed.stop()
        feed.join(20)

        assert not feed.is_alive() and feed.failure is None
