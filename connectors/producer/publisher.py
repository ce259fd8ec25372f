"""Publishes interactions from a program's own code.

The rule this module owns: what `publish` took is on Kafka when `flush` returns, or when the `with` ends; else PublishFailed says that it is not. One
customer's interactions keep their order: they share a partition, and no key is sent, so none holds personal data.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from hashlib import blake2b
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.runtime.instants import rfc3339
from schemas import topics
from schemas.interaction import RECORD_BYTES_MAX, Interaction, Source
from schemas.record import encode

DELIVERY_SECONDS_MAX = 120.0
CONNECT_SECONDS_MAX = 30.0
_FIRST = ("user_id", "anonymous_id")


class NotAnInteraction(ValueError):
    """Kairos would refuse it; the text says why."""


class PublishFailed(Exception):
    """Kafka did not take what was published; the text says how many, and why the first."""


class Publisher:
    """Publishes to one Kafka; use it from one thread, and in a `with`.

    `source` names the system that speaks (shop, call-center). Raises PublishFailed where no broker answers or the topic is not there.
    """

    def __init__(self, bootstrap: str, source: str, topic: str = topics.INTERACTIONS) -> None:
        self._source, self._topic = source, topic
        self._failures: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 64 * 1024,
                "delivery.timeout.ms": int(DELIVERY_SECONDS_MAX * 1000),
                "log_level": 2,
            }
        )
        try:
            found = self._producer.list_topics(topic, timeout=CONNECT_SECONDS_MAX).topics[topic]
        except KafkaException as error:
            raise PublishFailed(f"No broker answers: {error}") from None
        if found.error is not None:
            raise PublishFailed(f"Topic {topic}: {found.error.str()}")
        self._partitions = len(found.partitions)

    def publish(self, interaction: Mapping[str, Any] | Interaction) -> str:
        """Send one: a dictionary with Segment's names, or an Interaction. Its message id, made here where it has none, as its timestamp is (now).

        Returns when it is in hand, which waits where too much is. Raises NotAnInteraction, and PublishFailed for what was published before.
        """
        said, value = written(interaction, self._source)
        if len(value) > RECORD_BYTES_MAX:
            raise NotAnInteraction(f"it has {len(value)} bytes; at most {RECORD_BYTES_MAX} are taken.")
        while True:
            try:
                self._producer.produce(self._topic, value, partition=self._partition(said), on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)
        self._raise_failures()
        return str(said.message_id)

    def flush(self) -> None:
        """Wait until Kafka has all that was published. Raises PublishFailed."""
        while self._producer.flush(1.0):
            self._raise_failures()
        self._raise_failures()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.flush()
        else:
            self._producer.flush(1.0)

    def _partition(self, said: Interaction) -> int:
        """Where this customer's go: by the first identifier it names."""
        named = next((str(value) for field in _FIRST if (value := getattr(said, field)) is not None), None)
        if named is None:
            named = encode(said.identifiers or said.traits or {}).decode()
        return int.from_bytes(blake2b(named.encode(), digest_size=4).digest(), "big") % self._partitions

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(error.str())

    def _raise_failures(self) -> None:
        if self._failures:
            failures, self._failures = self._failures, []
            raise PublishFailed(f"{len(failures)} interactions were not taken; the first: {failures[0]}")


def written(interaction: Mapping[str, Any] | Interaction, source: str) -> tuple[Interaction, bytes]:
    """An interaction as it is read, and as it goes onto the topic: with what it lacked, and all that it says. Raises NotAnInteraction."""
    try:
        said = msgspec.json.decode(encode(interaction), type=Interaction)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as wrong:
        raise NotAnInteraction(str(wrong)) from None
    named = (said.user_id, said.anonymous_id, said.identifiers, said.traits, said.context, said.case_id, said.session_id)
    is_addressed = said.outcome is not None and said.outcome.token is not None
    if all(value is None for value in named) and not is_addressed:
        raise NotAnInteraction("nothing says whose it is: userId, anonymousId, identifiers or traits.")
    if said.type == "track" and not said.event:
        raise NotAnInteraction("a track interaction has an event.")
    added: dict[str, Any] = {}
    if said.message_id is None:
        said.message_id = added["messageId"] = str(uuid.uuid4())
    if said.timestamp is None and said.original_timestamp is None:
        said.timestamp = added["timestamp"] = rfc3339(time.time_ns() // 1000)
    said.source = said.source or Source()
    said.source.system = said.source.system or source
    if isinstance(interaction, Interaction):
        return said, encode(said)
    added["source"] = {**(interaction.get("source") or {}), "system": said.source.system}
    return said, encode({**interaction, **added})
