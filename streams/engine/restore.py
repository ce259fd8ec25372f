"""Bringing a store to the end of its changelog: by position, in batches, reading what is committed only.

The rule: done is when the position has reached the end as it was after the fence, whatever lies between: gaps, aborted transactions, compaction, tombstones. A
store that cannot be trusted is thrown away first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.failpoints import FailPoint
from streams.engine.journal import END_KEY, Journal, plain
from streams.engine.settings import EngineSettings
from streams.engine.store import Position, Store

FETCH_BYTES = 8 << 20
RECORDS_MAX = 5000


class Source(NamedTuple):
    """The changelog of one partition, and what a store must agree with."""

    topic: str
    partition: int
    incarnation: str
    tombstone_ms: int


def doubt(position: Position, source: Source, begin: int, end: int, now_ms: int) -> str | None:
    """Why a store at `position` cannot be brought to `end` from where it is; None if it can.

    begin, end: the changelog's first offset and the one behind its last. A deletion can be read for `tombstone_ms`; a store that slept for more than half of
    that could keep a row that was deleted meanwhile.
    """
    if position.incarnation != source.incarnation:
        return "the changelog was made anew"
    if position.offset > end:
        return f"it stands at {position.offset}, beyond the changelog's end at {end}"
    if position.offset < begin:
        return f"it stands at {position.offset}, the changelog begins at {begin}"
    if position.offset < end and now_ms - position.written_ms > source.tombstone_ms // 2:
        return "it is so old that deletions may have been compacted away"
    return None


async def restore(
    store: Store,
    source: Source,
    settings: EngineSettings,
    failpoint: FailPoint,
    progress: Callable[[int, int], None],
    log: Callable[[str], None],
    journal: Journal | None = None,
) -> int:
    """Replay what the store lacks; returns the number of records. `progress(offset, end)` after each part; KafkaError when the broker goes away.

    With a `journal` it tells what counts, and the store stands behind the last write that does.
    """
    target = TopicPartition(source.topic, source.partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"{settings.app_id}-restore",
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    try:
        await consumer.start()
        consumer.assign([target])
        begin = (await consumer.beginning_offsets([target]))[target]
        end = (await consumer.end_offsets([target]))[target]
        start = _start(store, source, begin, end, log)
        consumer.seek(target, start)
        if journal is not None:
            journal.begin(store.get_many([END_KEY])[0])
        read = plain if journal is None else journal.read
        _, stands = read((), start)
        at, count = start, 0
        progress(at, end)
        while at < end:
            records = (await consumer.getmany(target, timeout_ms=500, max_records=RECORDS_MAX)).get(target, [])
            at = await consumer.position(target)
            if records:
                changes, stands = read(records, at)
                store.write(changes, _position(source, stands))
                count += len(records)
                failpoint.reach("during_restore")
            progress(at, end)
        if at > start or store.position is None:
            _, stands = read((), at)
            store.write((), _position(source, stands))
        return count
    finally:
        await consumer.stop()


def _start(store: Store, source: Source, begin: int, end: int, log: Callable[[str], None]) -> int:
    position = store.position
    if position is None:
        return begin
    reason = doubt(position, source, begin, end, _now_ms())
    if reason is None:
        return position.offset
    log(f"the store of {source.topic}[{source.partition}] is restored from the beginning: {reason}")
    store.wipe()
    return begin


def _position(source: Source, offset: int) -> Position:
    return Position(source.incarnation, offset, _now_ms())


def _now_ms() -> int:
    return int(time.time() * 1000)
