"""Topics are made once, and never with other partitions than asked for."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaError, UnknownBrokerIdError

from streams.broker import admin
from streams.broker.embedded import EmbeddedBroker
from streams.broker.errors import BrokerUnavailable


def test_creating_twice_creates_once(broker: EmbeddedBroker, topic_prefix: str) -> None:
    topics = [admin.NewTopic(topic_prefix + "a", 3, {"cleanup.policy": "compact"}), admin.NewTopic(topic_prefix + "b", 1, {})]

    assert admin.create_topics(broker.bootstrap, topics[:1]) == [topic_prefix + "a"]
    assert admin.create_topics(broker.bootstrap, topics) == [topic_prefix + "b"]

    found = admin.describe_topics(broker.bootstrap, [topic_prefix + "a", topic_prefix + "none"])
    assert [(topic.partitions, topic.config["cleanup.policy"]) for topic in found] == [(3, "compact")]


def client_that_fails(times: int, error: KafkaError) -> tuple[type[KafkaAdminClient], list[str]]:
    """A client that goes to the wrong broker so often, and what it was asked then."""
    asked: list[str] = []

    class Astray(KafkaAdminClient):
        def list_topics(self) -> Any:
            if len(asked) < times:
                asked.append("list_topics")
                raise error
            return super().list_topics()

    return Astray, asked


@pytest.mark.parametrize("error", [UnknownBrokerIdError(-1), KafkaConnectionError("111 ECONNREFUSED")])
def test_a_client_that_went_to_the_wrong_broker_of_a_cluster_is_asked_again(
    broker: EmbeddedBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch, error: KafkaError
) -> None:
    client, asked = client_that_fails(2, error)
    monkeypatch.setattr(admin, "KafkaAdminClient", client)

    assert admin.create_topics(broker.bootstrap, [admin.NewTopic(topic_prefix + "a", 1, {})]) == [topic_prefix + "a"]
    assert len(asked) == 2


def test_one_that_does_so_again_and_again_says_what_may_be_wrong(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = client_that_fails(1000, KafkaConnectionError("111 ECONNREFUSED"))
    monkeypatch.setattr(admin, "KafkaAdminClient", client)
    monkeypatch.setattr(admin, "_PAUSE_SECONDS", 0.01)

    with pytest.raises(BrokerUnavailable, match=r"A broker of this Kafka does not answer .*ECONNREFUSED"):
        admin.topics_like(broker.bootstrap, "any")


def test_other_partitions_are_refused(broker: EmbeddedBroker, topic_prefix: str) -> None:
    admin.create_topics(broker.bootstrap, [admin.NewTopic(topic_prefix + "a", 4, {})])

    with pytest.raises(BrokerUnavailable, match="has 4 partitions, not 16"):
        admin.create_topics(broker.bootstrap, [admin.NewTopic(topic_prefix + "a", 16, {})])


def test_deleted_topics_are_gone(broker: EmbeddedBroker, topic_prefix: str) -> None:
    admin.create_topics(broker.bootstrap, [admin.NewTopic(topic_prefix + "a", 1, {})])

    admin.delete_topics(broker.bootstrap, [topic_prefix + "a", topic_prefix + "none"])

    assert admin.describe_topics(broker.bootstrap, [topic_prefix + "a"]) == []


@pytest.mark.parametrize(
    ("said", "stays"), [("OK", False), ("GroupIdNotFoundError", False), ("NonEmptyGroupError", True), ("NotCoordinatorError", True)]
)
def test_a_group_that_cannot_be_deleted_yet_is_named(monkeypatch: pytest.MonkeyPatch, said: str, stays: bool) -> None:
    class Client:
        def delete_groups(self, groups: list[str]) -> dict[str, str]:
            return dict.fromkeys(groups, said)

    monkeypatch.setattr(admin, "_client", lambda _: nullcontext(Client()))

    assert admin.delete_groups("nowhere:1", ["a"]) == (["a"] if stays else [])


def test_a_group_that_must_not_be_deleted_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def delete_groups(self, groups: list[str]) -> dict[str, str]:
            return dict.fromkeys(groups, "GroupAuthorizationFailedError")

    monkeypatch.setattr(admin, "_client", lambda _: nullcontext(Client()))

    with pytest.raises(BrokerUnavailable, match=r"a \(GroupAuthorizationFailedError\)"):
        admin.delete_groups("nowhere:1", ["a"])
