"""What `drain` makes of fetched bytes is what aiokafka makes of them, in whatever portions it is asked for: committed records, and where reading stands."""

from __future__ import annotations

import asyncio
import gc
import itertools
import struct
import weakref
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.overrides import drain, whole_batches

TARGET = TopicPartition("orders", 3)
BASE_OFFSET, ATTRIBUTES, CRC = struct.Struct(">q"), struct.Struct(">h"), struct.Struct(">I")
IS_CONTROL = 1 << 5
ABORT, COMMIT = b"\0\0\0\0", b"\0\0\0\1"


class Written(NamedTuple):
    """One record batch: so many records at a producer's hand, or the marker that ends its transaction."""

    producer: int
    records: int
    codec: int
    marker: bytes | None = None


def batch(offset: int, written: Written) -> bytes:
    """As the broker keeps it."""
    builder = DefaultRecordBatchBuilder(2, written.codec if written.marker is None else 0, 1, written.producer, 0, 0, 1 << 20)
    if written.marker is None:
        for number in range(written.records):
            builder.append(
                number, 1_700_000_000_000 + number, b"k%d" % number, b"v" * number, [("h", b"%d" % number)] if number % 2 else []
            )
    else:
        builder.append(0, 1_700_000_000_000, written.marker, b"\0\0\0\0\0\0", [])
    built = bytearray(builder.build())
    BASE_OFFSET.pack_into(built, 0, offset)
    if written.marker is not None:
        (attributes,) = ATTRIBUTES.unpack_from(built, 21)
        ATTRIBUTES.pack_into(built, 21, attributes | IS_CONTROL)
    CRC.pack_into(built, 17, calc_crc32c(bytes(built[21:])))
    return bytes(built)


def log_of(batches: list[Written]) -> tuple[bytes, list[tuple[int, int]]]:
    """The bytes of the batches one after another, and the transactions that were aborted: (producer, first offset)."""
    offset, parts, begun, aborted = 0, [], {}, []
    for each in batches:
        parts.append(batch(offset, each))
        begun.setdefault(each.producer, offset)
        if each.marker is not None:
            if each.marker == ABORT:
                aborted.append((each.producer, begun[each.producer]))
            del begun[each.producer]
        offset += 1 if each.marker is not None else each.records
    return b"".join(parts), aborted


def fetched(log: bytes, aborted: list[tuple[int, int]], position: int) -> tuple[Any, FetchResult]:
    """A fetcher that holds these bytes, for a consumer that stands there."""
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user([TARGET])
    assignment = subscriptions.subscription.assignment
    assignment.state_value(TARGET).reset_to(position)
    found = PartitionRecords(TARGET, MemoryRecords(log), list(aborted), position, None, None, True, READ_COMMITTED)
    result = FetchResult(TARGET, assignment=assignment, partition_records=found, backoff=0)
    fetcher = SimpleNamespace(
        _records={TARGET: result}, _subscriptions=subscriptions, _notify=lambda future: None, _wait_consume_future=None
    )
    return fetcher, result


written = st.builds(Written, st.integers(1, 3), st.integers(1, 5), st.sampled_from([0, 4]), st.sampled_from([None, None, ABORT, COMMIT]))


@given(st.lists(written, max_size=8), st.integers(0, 6), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_any_portions_give_what_aiokafka_gives(batches: list[Written], position: int, portions: list[int]) -> None:
    log, aborted = log_of(batches)
    position %= batches[0].records if batches and batches[0].marker is None else 1  # A broker sends no batch that ends before it.

    async def read() -> tuple[Any, Any, int, int]:
        _, result = fetched(log, aborted, position)
        theirs = [(one.key, one.value, one.headers, one.timestamp, one.partition, one.offset) for one in result.getall()]
        fetcher, mine = fetched(log, aborted, position)
        chunks = []
        while fetcher._records:
            chunks.append(drain(fetcher, {TARGET: portions[len(chunks) % len(portions)]})[TARGET])
        ours = [(one.key, one.value, one.headers, one.timestamp_ms, one.partition, one.offset) for chunk in chunks for one in chunk.records]
        assert all(len(chunk.records) <= portions[number % len(portions)] for number, chunk in enumerate(chunks))
        assert all(after.first_offset == before.next_offset for before, after in itertools.pairwise(chunks))
        assert all(one.offset < chunk.next_offset for chunk in chunks for one in chunk.records)
        return ours, theirs, mine._assignment.state_value(TARGET).position, result._assignment.state_value(TARGET).position

    ours, theirs, stands, stood = asyncio.run(read())

    assert ours == theirs
    assert stands == stood


def test_a_damaged_batch_is_told_and_fetched_again_from_where_reading_stood() -> None:
    log, _ = log_of([Written(1, 3, 0), Written(1, 3, 0)])
    damaged = log[:-1] + bytes([log[-1] ^ 1])

    async def read() -> tuple[list[int], Any]:
        fetcher, result = fetched(damaged, [], 0)
        first = drain(fetcher, {TARGET: 2})[TARGET]
        with pytest.raises(CorruptRecordException):
            drain(fetcher, {TARGET: 9})
        assert fetcher._records == {}
        return [one.offset for one in first.records], result._assignment.state_value(TARGET).position

    assert asyncio.run(read()) == ([0, 1], 2)


@pytest.mark.parametrize("portion", [2, 9])
def test_what_was_fetched_is_freed_with_its_last_record_although_nobody_collects_cycles(portion: int) -> None:
    """A worker's collector is off: else every byte ever fetched would stay for ten minutes."""
    log, _ = log_of([Written(1, 3, 0), Written(1, 3, 0)])

    async def read(way: str) -> Any:
        fetcher, result = fetched(log, [], 0)
        held = weakref.ref(result._partition_records)
        if way == "given away":
            fetcher._subscriptions.unsubscribe()
            drain(fetcher, {TARGET: portion})
        while fetcher._records:
            drain(fetcher, {TARGET: portion}) if way == "drained" else whole_batches(fetcher, TARGET, portion)
        del fetcher, result
        return held()

    gc.collect()
    gc.disable()
    try:
        assert [asyncio.run(read(way)) for way in ("drained", "whole", "given away")] == [None, None, None]
    finally:
        gc.enable()
