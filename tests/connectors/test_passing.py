"""A Kafka that elects its leaders or looks for a group's coordinator is asked again; everything else it says is heard at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.consumer import reading
from connectors.runtime import groups, notices
from connectors.runtime.passing import PASSING, asked
from schemas import topics
from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.cli.topics import declared


def failing(codes: list[int]) -> Callable[[], str]:
    """Fails with each of these in turn, then answers."""

    def ask() -> str:
        if codes:
            raise KafkaException(KafkaError(codes.pop(0)))
        return "answered"

    return ask


@pytest.mark.parametrize("code", sorted(PASSING))
def test_what_passes_is_asked_again(code: int) -> None:
    assert asked(failing([code, code]), 60) == "answered"


def test_what_does_not_pass_is_said_at_once() -> None:
    left = [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.NOT_COORDINATOR]
    with pytest.raises(KafkaException, match="authorization failed"):
        asked(failing(left), 60)
    assert left == [KafkaError.NOT_COORDINATOR]


def test_what_never_passes_is_said_in_the_end() -> None:
    with pytest.raises(KafkaException, match="leader"):
        asked(failing([KafkaError.NOT_LEADER_FOR_PARTITION] * 100), 0.3)


class Electing(Consumer):
    """Hears once of each question that it came to the wrong broker."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.answered: set[str] = set()

    def get_watermark_offsets(self, *words: Any, **more: Any) -> tuple[int, int]:  # type: ignore[override]  # Its stub names each parameter.
        self._once("end", KafkaError.NOT_LEADER_FOR_PARTITION)
        return super().get_watermark_offsets(*words, **more)

    def committed(self, *words: Any, **more: Any) -> list[TopicPartition]:
        self._once("group", KafkaError.NOT_COORDINATOR)
        return super().committed(*words, **more)

    def _once(self, question: str, code: int) -> None:
        if question not in self.answered:
            self.answered.add(question)
            raise KafkaException(KafkaError(code))


def test_who_looks_at_groups_switches_and_ends_while_leaders_are_elected_sees_them(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.create_topics(broker.bootstrap, declared(2))
    group = f"seen-{uuid.uuid4().hex}"
    member = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "enable.auto.commit": False})
    member.commit(offsets=[TopicPartition(topics.MOMENTS, 0, 0)], asynchronous=False)
    member.close()
    for module in (groups, notices, reading):
        monkeypatch.setattr(module, "Consumer", Electing)

    assert groups.standing(broker.bootstrap, group, [topics.MOMENTS]) is not None
    switches = notices.Switches(broker.bootstrap, 30)
    switches.close()
    consumer = reading.open_consumer(broker.bootstrap, "read_committed")
    assert reading.end_of(consumer, TopicPartition(topics.IDENTITY_CONFLICTS, 0), 30) >= 0
    consumer.close()
