"""What was let in, on its way to Kafka.

The rule this module owns: a delivery is over when Kafka has acknowledged every record of it, and raises if it has not. Who gets the error sends again, and a
record that was taken all the same comes twice with one id, which the timeline sees.

Kafka's client is asked for its answers in the loop itself, for as long as there are any to come: a thread for that would have to wait for the loop's work
before each of them.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.collector.config import Config
from connectors.collector.mapping import Item
from connectors.collector.problem import Problem
from schemas.interaction import DETAIL_HEADER, REFUSED_HEADER

ANSWERS_SECONDS = 0.001
"""So often it is looked whether Kafka has answered."""
LINGER_MS = 2
"""So long a record waits for company; the more there is under way already, the longer Kafka's client has it wait by itself."""
_QUEUED_MESSAGES_MAX = 2_000_000
"""Never met: what waits is bounded by bytes, and a record has its overhead counted."""
OVERHEAD_BYTES = 400
"""Of a record in Kafka's client, beside its value."""
CLOSE_SECONDS_MAX = 1.0
"""Whoever waited for an answer has got one before."""
READY_SECONDS = 1.0
"""So long Kafka may take to answer, and so long its answer counts."""


def held_bytes(items: Sequence[Item]) -> int:
    """What they take in memory until Kafka has them."""
    return sum(len(item.value) for item in items) + OVERHEAD_BYTES * len(items)


class Delivery:
    """One request's records on their way; its future is done when each has its answer."""

    __slots__ = ("_error", "_future", "_left")

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._left = count
        self._future: asyncio.Future[None] = loop.create_future()
        self._error: KafkaError | None = None
        if not count:
            self._future.set_result(None)

    def answered(self, error: KafkaError | None, _: Message | None = None) -> None:
        """One record was taken, or was not; called in the loop."""
        self._left -= 1
        self._error = self._error or error
        if self._left == 0:
            self._done()

    async def over(self) -> None:
        """Problem 503 if one was not taken."""
        await self._future

    def _done(self) -> None:
        if self._future.cancelled():
            return
        if self._error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(Problem(503, "kafka_unavailable", f"Kafka did not take it: {self._error.str()}. Send it again."))


class Sender:
    """One producer; made in the loop that it answers in."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.TimerHandle | None = None
        self._asked: asyncio.Future[bool] | None = None
        self._answered_at = 0.0
        self._producer = Producer({
            "bootstrap.servers": config.bootstrap,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": LINGER_MS,
            "batch.size": 512 * 1024,
            "queue.buffering.max.messages": _QUEUED_MESSAGES_MAX,
            "queue.buffering.max.kbytes": 2 * config.held_bytes_max // 1024,
            "delivery.timeout.ms": int(config.delivery_seconds_max * 1000),
            "log_level": 2,
        })  # fmt: skip

    def send(self, items: Sequence[Item]) -> Delivery:
        """They are on their way; Kafka's client has copies. Problem 503."""
        delivery = Delivery(len(items), self._loop)
        produce, topic, answered = self._producer.produce, self._config.topic, delivery.answered
        if self._looking is None:
            self._looking = self._loop.call_later(ANSWERS_SECONDS, self._look)
        for item in items:
            options: dict[str, Any] = {}
            if item.refused is not None:
                options["headers"] = [(REFUSED_HEADER, item.refused.encode()), (DETAIL_HEADER, item.detail.encode())]
            try:
                produce(topic, item.value, on_delivery=answered, **options)
            except (BufferError, KafkaException) as failed:
                raise Problem(503, "kafka_unavailable", f"Kafka did not take it: {failed}. Send it again.") from None
        return delivery

    async def reachable(self) -> bool:
        """Whether a broker tells of the topic just now; all who ask within a second share one answer."""
        if self._asked is None or (self._asked.done() and time.monotonic() - self._answered_at > READY_SECONDS):
            self._asked = asyncio.get_running_loop().run_in_executor(None, self._reach)
        return await asyncio.shield(self._asked)

    async def close(self) -> None:
        """Wait for what is on its way, but not for ever."""
        give_up = self._loop.time() + CLOSE_SECONDS_MAX
        while self._looking is not None and self._loop.time() < give_up:
            await asyncio.sleep(ANSWERS_SECONDS)
        if self._looking is not None:
            self._looking.cancel()

    def _reach(self) -> bool:
        try:
            return not self._producer.list_topics(self._config.topic, timeout=READY_SECONDS).topics[self._config.topic].error
        except KafkaException:
            return False
        finally:
            self._answered_at = time.monotonic()

    def _look(self) -> None:
        """Hear what Kafka has answered; again soon, while there is more to come."""
        try:
            self._producer.poll(0)
        finally:
            self._looking = self._loop.call_later(ANSWERS_SECONDS, self._look) if len(self._producer) else None
