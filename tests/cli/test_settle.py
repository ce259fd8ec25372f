"""Settled is nothing left to read and no transaction open; markers at an end are nothing left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.broker.embedded import EmbeddedBroker
from streams.cli.settle import Watch

Group = tuple[str, str, Consumer, Producer, Watch]


@pytest.fixture
def group(broker: EmbeddedBroker, app_id: str, new_topic: Callable[..., str]) -> Iterator[Group]:
    """An input and an internal topic, a consumer of the group, a transactional producer, and the watch over both."""
    source, internal = new_topic("in", 2), new_topic("internal", 2)
    member = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": app_id})
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": app_id, "log_level": 2})
    producer.init_transactions()
    watch = Watch(broker.bootstrap, app_id, [source, internal], 2)
    yield source, internal, member, producer, watch
    watch.close()
    member.close()


def _is_settled(watch: Watch) -> bool:
    return watch.is_settled(watch.look())


def _commit(member: Consumer, producer: Producer, *offsets: TopicPartition) -> None:
    producer.send_offsets_to_transaction(list(offsets), member.consumer_group_metadata())
    producer.commit_transaction()


def test_nothing_sent_is_settled(group: Group) -> None:
    *_, watch = group

    assert _is_settled(watch)


def test_a_record_that_was_not_read_is_not_settled(group: Group, broker: EmbeddedBroker) -> None:
    source, _, _, _, watch = group
    player = Producer({"bootstrap.servers": broker.bootstrap})
    player.produce(source, b"x", partition=1)
    player.flush()

    assert not _is_settled(watch)
    assert watch.look().lag(source) == 1


def test_an_open_transaction_is_not_settled(group: Group) -> None:
    _, internal, _, producer, watch = group
    producer.begin_transaction()
    producer.produce(internal, b"x", partition=0)
    producer.flush()

    assert not _is_settled(watch)
    producer.abort_transaction()


def test_markers_and_aborted_records_beyond_the_group_are_settled(group: Group) -> None:
    source, internal, member, producer, watch = group
    producer.begin_transaction()
    producer.produce(internal, b"x", partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    producer.produce(internal, b"never", partition=0)
    producer.flush()
    producer.abort_transaction()
    assert not _is_settled(watch)

    producer.begin_transaction()
    _commit(member, producer, TopicPartition(internal, 0, 1))

    give_up = time.monotonic() + 60
    while not _is_settled(watch):  # the commit's own marker on the offsets may come a moment later
        assert time.monotonic() < give_up
    seen = watch.look()
    assert (seen.lag(internal), seen.lag(source), seen.done(internal)) == (3, 0, 1)


def test_offsets_that_are_being_committed_hide_none_that_are(group: Group) -> None:
    source, _, member, producer, watch = group
    producer.begin_transaction()
    _commit(member, producer, TopicPartition(source, 0, 3))
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition(source, 0, 5)], member.consumer_group_metadata())

    assert watch.look().done(source) == 3
    producer.abort_transaction()


def test_a_message_that_the_group_sent_itself_is_not_settled(group: Group) -> None:
    _, internal, member, producer, watch = group
    producer.begin_transaction()
    producer.produce(internal, b"first", partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    producer.produce(internal, b"go on", partition=1)
    _commit(member, producer, TopicPartition(internal, 0, 1))

    assert not any(_is_settled(watch) for _ in range(10))


class _Electing:
    """A Kafka whose topics are so new that they have no leader at first: the client tells that of one partition, or of the whole request."""

    def __init__(self, code: int) -> None:
        self.asked, self._code = 0, code

    def offsets_for_times(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.asked += 1
        if self.asked < 3:
            raise KafkaException(KafkaError(self._code))
        return [TopicPartition(place.topic, place.partition, 7) for place in places]


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH])
def test_a_topic_that_elects_its_leaders_is_asked_again(group: Group, code: int) -> None:
    *_, watch = group
    electing = _Electing(code)

    assert set(watch._ends(electing).values()) == {7}  # type: ignore[arg-type]  # as much of a consumer as is asked
    assert electing.asked == 3
