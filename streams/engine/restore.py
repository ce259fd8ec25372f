"""Bringing a store to the end of its changelog: by position, in batches, reading what is committed only.

The rule: done is when the position has reached the end as it was after the fence, whatever lies between: gaps, aborted transactions, compaction, tombstones. A
store that cannot be trusted is thrown away first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from streams.engine.failpoints import FailPoint
from streams.engine.journal import END_KEY, Journal, plain
from streams.engine.reader import Reader
from streams.engine.store import Position, Store

BREATH_SECONDS = 0.1
"""A copy that has all there is looks again after this: what it lacks is what so long a time brings, and what is asked of the broker stays bounded."""
REMEMBER_SECONDS = 60.0
"""A copy for which nothing comes says this often that it is still at the end, lest it be taken for old."""


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
    reader: Reader,
    failpoint: FailPoint,
    progress: Callable[[int, int, int], None],
    log: Callable[[str], None],
    journal: Journal | None = None,
) -> int:
    """Replay what the store lacks; returns the number of records. `progress(offset, end, rows)` after each part.

    KafkaError when the broker goes away, Locked when another process got the store; it is closed then.

    With a `journal` it tells what counts, and the store stands behind the last write that does.
    """
    async with reader:
        begin, end = await reader.ends()
        start = _start(store, source, begin, end, log)
        reader.seek(start)
        if journal is not None:
            journal.begin(store.get_many([END_KEY])[0])
        read = plain if journal is None else journal.read
        _, stands = read((), start)
        at, count = start, 0
        progress(at, end, 0)
        with store.loading(end - start):
            while at < end:
                records, at = await reader.read()
                if records:
                    rows, stands = read(records, at)
                    store.load({row.key: row.value for row in rows}, _position(source, stands))
                    await store.has_room()
                    count += len(records)
                    failpoint.reach("during_restore")
                progress(at, end, count)
            await store.loaded()
        if at > start or store.position is None:
            _, stands = read((), at)
            store.write((), _position(source, stands))
        return count


async def follow(
    store: Store, source: Source, reader: Reader, progress: Callable[[int, int], None], journal: Journal | None = None
) -> None:
    """Go on from where `restore` ended, for ever; `progress(offsets behind, rows of this part)` after each part, also after one without rows.

    KafkaError when the broker goes away, or the changelog no longer has what comes next.
    """
    async with reader:
        assert store.position is not None, "a copy is restored before it follows"
        at, written = store.position.offset, time.monotonic()
        reader.seek(at)
        reader.patient()
        if journal is not None:
            journal.begin(store.get_many([END_KEY])[0])
        read = plain if journal is None else journal.read
        while True:
            start = at
            records, at = await reader.read()
            rows, stands = read(records, at)
            behind = reader.behind(at)
            if at > start or (not behind and time.monotonic() - written > REMEMBER_SECONDS):
                store.load({row.key: row.value for row in rows}, _position(source, stands))
                await store.has_room()
                written = time.monotonic()
            progress(behind, len(records))
            if not behind:
                await asyncio.sleep(BREATH_SECONDS)


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
