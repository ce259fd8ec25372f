"""What is packed for a broker without transactions: rows in one record batch as long as they fit. With them, the name of a producer fences."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cramjam
import pytest
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from confluent_kafka import Consumer, TopicPartition

from streams.broker.embedded import EmbeddedBroker
from streams.engine.errors import FENCED, TRANSIENT
from streams.engine.overlay import Change
from streams.engine.producer import ROWS_BYTES, AcknowledgedProducer, FencedProducer, Packed
from streams.engine.settings import MEBIBYTE, EngineSettings
from tests.faults.proxy import Forgetful

SETTINGS = EngineSettings(app_id="a", bootstrap="127.0.0.1:1", state_dir=Path("nowhere"))
TOPIC_BYTES_MAX = 4 * MEBIBYTE


def packed_rows(kind: type[AcknowledgedProducer | FencedProducer], count: int, size: int) -> Packed:
    async def pack() -> Packed:
        producer = kind(SETTINGS, "a-t-0")
        return producer.pack_rows("a-rows-changelog", 0, [Change(b"%d" % number, False, os.urandom(size)) for number in range(count)])

    return asyncio.run(pack())


def test_rows_without_a_transaction_are_one_record_batch_as_long_as_they_fit() -> None:
    fitting = packed_rows(AcknowledgedProducer, 2_800, 1_024)
    larger = packed_rows(AcknowledgedProducer, 6_000, 1_024)

    assert [builder.record_count() for builder in fitting.builders] == [2_800]
    assert len(larger.builders) == -(-6_000 * 1_024 // ROWS_BYTES) == 2
    assert sum(builder.record_count() for builder in larger.builders) == 6_000
    assert all(builder.size() <= TOPIC_BYTES_MAX for builder in (*fitting.builders, *larger.builders)), "rows that do not compress"


def test_rows_of_a_transaction_need_no_batch_of_their_own() -> None:
    assert len(packed_rows(FencedProducer, 2_800, 1_024).builders) == 3


def test_rows_are_compressed_at_the_level_that_costs_least(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    compress = cramjam.zstd.compress
    monkeypatch.setattr(cramjam.zstd, "compress", lambda data, level: (levels.append(level), compress(data, level=level))[1])

    async def pack() -> bytes:
        producer = FencedProducer(SETTINGS, "a-t-0")
        (builder,) = producer.pack_rows(
            "a-rows-changelog", 0, [Change(b"%d" % number, False, b"x" * 500) for number in range(100)]
        ).builders
        return bytes(builder._build())

    written = asyncio.run(pack())

    assert len(written) < 5_000
    (batch,) = _batches(written)
    assert batch.compression_type == DefaultRecordBatch.CODEC_ZSTD
    assert levels == [1]
    assert [(record.key, len(record.value)) for record in batch] == [(b"%d" % number, 500) for number in range(100)]


def _batches(written: bytes) -> Iterator[DefaultRecordBatch]:
    records = MemoryRecords(written)
    while (batch := records.next_batch()) is not None:
        yield batch


@pytest.mark.parametrize("kind", [FencedProducer, AcknowledgedProducer])
@pytest.mark.parametrize("asks", ["send", "partitions_of"])
def test_who_waits_to_hear_where_a_topic_lies_is_woken_when_the_producer_is_discarded(
    kind: type[AcknowledgedProducer | FencedProducer], asks: str
) -> None:
    """The broker went away before it was asked for the first time: aiokafka's own wait has no end once its client is closed."""

    async def wait() -> None:
        producer = kind(SETTINGS, "a-t-0")
        asked = producer.send(producer.pack("t", 0, [(b"k", b"v", ())])) if asks == "send" else producer.partitions_of("t")
        waiting = asyncio.create_task(asked)  # type: ignore[arg-type]  # Either is a coroutine.
        await asyncio.sleep(0.05)
        assert not waiting.done()
        closing = producer.discard(KafkaError("it took too long"))
        with pytest.raises(KafkaError, match="it took too long"):
            await asyncio.wait_for(waiting, 60)
        assert closing is not None
        await closing
        with pytest.raises(KafkaError, match="it took too long"):
            await asyncio.wait_for(producer.partitions_of("t"), 60)

    asyncio.run(wait())


@pytest.mark.parametrize("kind", [FencedProducer, AcknowledgedProducer])
def test_a_sender_that_trips_while_its_producer_is_discarded_leaves_no_error_behind(
    kind: type[AcknowledgedProducer | FencedProducer],
) -> None:
    """aiokafka's waits for what is under way, and what is sent again meanwhile is no longer where it looks for it."""
    left: list[dict[str, object]] = []

    async def sends() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise KeyError("a batch") from None

    async def discard() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: left.append(context))
        producer = kind(SETTINGS, "a-t-0")
        sender = producer._kafka._sender
        sender._sender_task = asyncio.create_task(sends())
        sender._sender_task.add_done_callback(sender._fail_all)
        if kind is FencedProducer:
            producer._kafka._txn_manager.set_pid_and_epoch(1, 1)
            await producer.begin()
        await asyncio.sleep(0)
        closing = producer.discard(KafkaError("it took too long"))
        assert closing is not None
        await closing
        assert sender._sender_task.done()
        del producer, sender
        gc.collect()

    asyncio.run(discard())
    gc.collect()

    assert left == []


@pytest.mark.parametrize("kind", [FencedProducer, AcknowledgedProducer])
def test_who_hears_of_no_broker_asks_until_one_is_named(
    broker: EmbeddedBroker, new_topic: Callable[..., str], kind: type[AcknowledgedProducer | FencedProducer]
) -> None:
    """So speaks a Kafka that hung for a while, until its controller takes it back. What a producer makes of it may only be what a partition tries again."""
    topic = new_topic("outputs")
    proxy = Forgetful(int(broker.bootstrap.rpartition(":")[2]))
    proxy.forget()
    settings = EngineSettings(app_id="a", bootstrap=f"127.0.0.1:{proxy.port}", state_dir=Path("nowhere"))

    async def fence() -> None:
        while True:
            producer = kind(settings, topic)
            try:
                await producer.fence()
                assert await producer.partitions_of(topic) == 1
                return
            except TRANSIENT:
                await asyncio.sleep(0.01)
            finally:
                closing = producer.discard(KafkaError("done"))
                assert closing is not None
                await closing

    async def ask() -> None:
        fencing = asyncio.create_task(fence())
        while proxy.asked < 3 and not fencing.done():
            await asyncio.sleep(0.01)
        assert not fencing.done(), fencing
        proxy.remember()
        await asyncio.wait_for(fencing, 60)

    asyncio.run(ask())
    proxy.close()


def test_who_begins_under_the_same_name_ends_what_was_begun_and_its_predecessor_can_write_no_more(
    broker: EmbeddedBroker, new_topic: Callable[..., str]
) -> None:
    topic = new_topic("outputs")
    settings = EngineSettings(app_id="a", bootstrap=broker.bootstrap, state_dir=Path("nowhere"))

    async def say(producer: FencedProducer, value: bytes) -> None:
        await producer.begin()
        await asyncio.gather(*await producer.send(producer.pack(topic, 0, [(b"k", value, ())])))

    async def overtake() -> None:
        first, second = FencedProducer(settings, topic), FencedProducer(settings, topic)
        await first.fence()
        await say(first, b"of a zombie")
        await second.fence()
        with pytest.raises(FENCED):
            await first.commit()
        await say(second, b"of its successor")
        await second.commit()
        await asyncio.gather(*filter(None, (first.discard(FENCED[0]()), second.discard(FENCED[0]()))))

    asyncio.run(overtake())

    assert _committed(broker.bootstrap, topic) == [b"of its successor"]


def _committed(bootstrap: str, topic: str) -> list[bytes | None]:
    """All that can be read as committed, markers of the last transaction included."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "look", "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition(topic, 0, 0)])
    found = []
    while not found:
        message = reader.poll(20)
        assert message is not None and message.error() is None
        found.append(message.value())
    while (message := reader.poll(1)) is not None:
        found.append(message.value())
    reader.close()
    return found
