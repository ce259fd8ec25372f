"""The mock speaks Kafka's protocol over a socket, with the topics that it was given."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer, TopicPartition

from streams.broker.mock import MockBroker


def test_what_is_produced_to_the_mock_is_consumed_from_it() -> None:
    with MockBroker({"pairs": 3}) as mock:
        producer = Producer({"bootstrap.servers": mock.bootstrap})
        producer.produce("pairs", b"one", partition=2)
        assert producer.flush(60) == 0

        consumer = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": "reader"})
        consumer.assign([TopicPartition("pairs", 2, 0)])
        message = consumer.poll(60)
        partitions = len(consumer.list_topics("pairs", timeout=60).topics["pairs"].partitions)
        consumer.close()

    assert message is not None
    assert (message.value(), partitions) == (b"one", 3)
