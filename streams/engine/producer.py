"""One producer for one partition. A fenced one writes in transactions: what its predecessor had open is aborted, and the predecessor can write no more.

The rule: a producer that failed once is never used again. It is discarded, which wakes up whoever waits for it, and nobody waits for it to be gone.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiokafka.producer.sender
import cramjam
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from streams.engine.errors import RecordTooLarge
from streams.engine.overlay import Change
from streams.engine.overrides import ask_until_one_is_named
from streams.engine.request import ProduceOnce
from streams.engine.settings import MEBIBYTE, RECORD_OVERHEAD_BYTES, EngineSettings

BATCH_BYTES = MEBIBYTE
"""A full batch of this size passes Kafka's default max.message.bytes."""
ROWS_BYTES = 3 * MEBIBYTE
"""Without transactions rows go in record batches of this size: few writes need more than one, and what does not compress stays below the topic's 4 MiB."""
ROWS_CODEC = DefaultRecordBatch.CODEC_ZSTD
ROWS_LEVEL = 1
"""Rows of the `brand` journey (1,095 bytes an interaction) take 305 and 3.3 us with zstd at this level, 255 and 4.5 at its default, 396 and 2.7 with snappy.
Kafka reads zstd from 2.1 on."""
REQUEST_BYTES_MAX = 64 * MEBIBYTE
RETRY_MS = 2
"""A transaction that carries offsets only waits for this once; with the default of 100 ms it lasts 103."""
CONCURRENT_SECONDS = 0.001
"""The markers of the last transaction are still being written when the next begins: ask again after this, not after 20 ms."""

NO_HEADERS: list[tuple[str, bytes]] = []


class Packed(NamedTuple):
    """Records of one topic partition, packed as Kafka's record batches, in order."""

    topic: str
    partition: int
    builders: list[Any]


class Producer:
    """What both kinds have in common; not to be used as it is."""

    transactional = False

    def __init__(self, settings: EngineSettings, **options: Any) -> None:
        aiokafka.producer.sender.ProduceRequest = ProduceOnce
        sys.modules[DefaultRecordBatchBuilder.__module__].zstd_encode = _compressed  # It has no parameter for the level.
        self._record_bytes_max = settings.record_bytes_max
        self.topic_prefix = settings.topic_prefix
        self._discarded: asyncio.Future[KafkaError] = asyncio.get_running_loop().create_future()
        self._kafka = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=max(1000, settings.transaction_timeout_ms),
            retry_backoff_ms=RETRY_MS,
            **options,
        )
        ask_until_one_is_named(self._kafka.client)

    async def fence(self) -> None:
        """Be ready to write; a fenced one is the only one with its transactional id from now on."""
        await self._kafka.start()

    async def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has; KafkaError if there is no such topic."""
        return len(await self._located(topic))

    def pack(
        self,
        topic: str,
        partition: int,
        rows: Sequence[tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]],
        compressed: bool = False,
        batch_bytes_max: int = BATCH_BYTES,
    ) -> Packed:
        """Records as (key, value, headers). RecordTooLarge before anything is sent: an empty batch would accept what the broker refuses.

        They go to the encoder below BatchBuilder, whose `append` costs twice what encoding does.
        """
        codec = ROWS_CODEC if compressed else DefaultRecordBatch.CODEC_NONE
        builders = [BatchBuilder(batch_bytes_max, codec, is_transactional=self.transactional)]
        append, count = builders[0]._builder.append, 0
        now, limit = int(time.time() * 1000), self._record_bytes_max - RECORD_OVERHEAD_BYTES
        for key, value, headers in rows:
            listed = list(headers) if headers else NO_HEADERS
            packed = append(count, now, key, value, listed)
            if packed is None:
                builders[-1]._relative_offset = count
                builders.append(BatchBuilder(batch_bytes_max, codec, is_transactional=self.transactional))
                append, count = builders[-1]._builder.append, 0
                packed = append(count, now, key, value, listed)
            if packed.size > limit:
                raise RecordTooLarge(topic, packed.size, limit)
            count += 1
        builders[-1]._relative_offset = count
        for builder in builders:
            builder.close()
        return Packed(topic, partition, builders)

    def pack_rows(self, changelog: str, partition: int, changes: Sequence[Change]) -> Packed:
        """Rows of a table."""
        return self.pack(changelog, partition, [(key, value, ()) for key, _, value in changes], compressed=True)

    async def send(self, packed: Packed) -> list[asyncio.Future[Any]]:
        """Hand batches over in order; each future is the broker's acknowledgement, with the offset of the batch's first record."""
        await self._located(packed.topic)
        return [await self._kafka.send_batch(builder, packed.topic, partition=packed.partition) for builder in packed.builders]

    def discard(self, error: KafkaError) -> asyncio.Task[None] | None:
        """Whoever waits for this producer gets `error`, now; its connections close in the background."""
        if self._discarded.done():
            return None
        self._discarded.set_result(error)
        kafka = self._kafka
        accumulator = kafka._message_accumulator
        waiting = [*accumulator._pending_batches, *(batch for queue in accumulator._batches.values() for batch in queue)]
        accumulator.fail_all(error)
        for batch in waiting:  # Whoever waits has the error; nobody else needs to be told that it was never read.
            for future in (batch.future, batch._drain_waiter):
                if future.done() and not future.cancelled():
                    future.exception()
        transactions = kafka._txn_manager
        if transactions._transaction_waiter is not None:
            if transactions.state is not TransactionState.FATAL_ERROR:
                transactions.fatal_error(error)
            transactions._transaction_waiter.exception()
        return asyncio.get_running_loop().create_task(self._close())

    async def _located(self, topic: str) -> set[int]:
        """The topic's partitions; what `discard` says where that comes first, for aiokafka waits for ever once its client is closed."""
        client = self._kafka.client
        known: set[int] | None = client.cluster.partitions_for_topic(topic)
        if known is not None:
            return known
        asking = asyncio.ensure_future(client._wait_on_metadata(topic))
        await asyncio.wait((asking, self._discarded), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
            raise self._discarded.result()
        return set(asking.result())

    async def _close(self) -> None:
        kafka = self._kafka
        kafka._closed = True
        sender = kafka._sender.sender_task
        if sender is not None and not sender.done():
            sender.remove_done_callback(kafka._sender._fail_all)  # `discard` has told everybody.
            sender.add_done_callback(_seen)
            sender.cancel()
            await asyncio.wait([sender], timeout=1.0)
        await kafka.client.close()


class FencedProducer(Producer):
    """Transactions of one partition, one at a time."""

    transactional = True

    def __init__(self, settings: EngineSettings, name: str) -> None:
        aiokafka.producer.sender.BACKOFF_OVERRIDE = CONCURRENT_SECONDS
        timeout_ms = settings.transaction_timeout_ms
        super().__init__(settings, client_id=name, transactional_id=name, transaction_timeout_ms=timeout_ms)
        self._group = settings.app_id

    async def begin(self) -> None:
        await self._kafka.begin_transaction()

    async def send_offset(self, topic: str, partition: int, next_offset: int) -> None:
        """The input's position becomes part of the transaction."""
        await self._kafka.send_offsets_to_transaction({TopicPartition(topic, partition): next_offset}, self._group)

    async def commit(self) -> None:
        await self._kafka.commit_transaction()


class AcknowledgedProducer(Producer):
    """No transactions; a request that is sent again after a time-out is written once (idempotent)."""

    def __init__(self, settings: EngineSettings, name: str) -> None:
        super().__init__(settings, client_id=name, enable_idempotence=True)
        # Without a transaction there is none, and aiokafka trips over that where its sender fails.
        self._kafka._txn_manager._transaction_waiter = asyncio.get_running_loop().create_future()

    def pack_rows(self, changelog: str, partition: int, changes: Sequence[Change]) -> Packed:
        """One record batch, which the broker takes whole or not; more where they are too many for one."""
        rows = [(key, value, ()) for key, _, value in changes]
        return self.pack(changelog, partition, rows, compressed=True, batch_bytes_max=ROWS_BYTES)


def _seen(task: asyncio.Task[Any]) -> None:
    """What a sender that is cancelled still trips over, as over a batch that it was about to send again, is no news."""
    if not task.cancelled():
        task.exception()


def _compressed(records: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(records, level=ROWS_LEVEL))
