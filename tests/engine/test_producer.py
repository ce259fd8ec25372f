"""What is packed for a broker without transactions: rows in one record batch as long as they fit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from streams.engine.cache import MISSING
from streams.engine.overlay import Change
from streams.engine.producer import ROWS_BYTES, AcknowledgedProducer, FencedProducer, Packed
from streams.engine.settings import MEBIBYTE, EngineSettings

SETTINGS = EngineSettings(app_id="a", bootstrap="127.0.0.1:1", state_dir=Path("nowhere"))
TOPIC_BYTES_MAX = 4 * MEBIBYTE


def packed_rows(kind: type[AcknowledgedProducer | FencedProducer], count: int, size: int) -> Packed:
    async def pack() -> Packed:
        producer = kind(SETTINGS, "a-t-0")
        return producer.pack_rows("a-rows-changelog", 0, [Change(b"%d" % number, MISSING, os.urandom(size)) for number in range(count)])

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


def test_rows_are_compressed_as_the_smallest_of_what_kafka_knows() -> None:
    async def pack() -> bytes:
        producer = FencedProducer(SETTINGS, "a-t-0")
        (builder,) = producer.pack_rows(
            "a-rows-changelog", 0, [Change(b"%d" % number, MISSING, b"x" * 500) for number in range(100)]
        ).builders
        return bytes(builder._build())

    written = asyncio.run(pack())

    assert len(written) < 5_000
    (batch,) = _batches(written)
    assert batch.compression_type == DefaultRecordBatch.CODEC_ZSTD
    assert [(record.key, len(record.value)) for record in batch] == [(b"%d" % number, 500) for number in range(100)]


def _batches(written: bytes) -> Iterator[DefaultRecordBatch]:
    records = MemoryRecords(written)
    while (batch := records.next_batch()) is not None:
        yield batch
