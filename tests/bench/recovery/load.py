"""A changelog to recover from: written by the engine's own producer, in transactions of a batch each, as a worker would have left it.

The rule this module owns: the digest of what must be in the stores afterwards comes from the loop that writes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from streams.broker import admin
from streams.engine.cache import MISSING
from streams.engine.changelog import CHANGELOG_CONFIG
from streams.engine.overlay import Change
from streams.engine.producer import FencedProducer
from streams.engine.settings import EngineSettings
from tests.bench.engine.work import Sum

PARTITIONS = 4
TAG = b"c"
BATCH_ROWS = 4000
VALUE_BYTES = 267
_NOISE_BYTES = 128


def row(number: int, version: int) -> tuple[bytes, bytes]:
    """Key and value: 300 bytes together, half of them as good as random."""
    noise = hashlib.shake_128(b"%d %d" % (number, version)).digest(_NOISE_BYTES)
    told = b'{"visits":%d,"channels":{"web":%d,"email":2},"last":"2026-01-01T00:00:%02d.000Z","recent":["Product Viewed"]}'
    value = (told % (version + 1, number % 7, number % 60)).ljust(VALUE_BYTES - _NOISE_BYTES) + noise
    return TAG + hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest().encode(), value


def written(rows: int, keys: int, partition: int) -> Iterator[tuple[bytes, bytes]]:
    """The rows of one partition in the order of their writing: every key once, then some of them again."""
    own = range(partition, keys, PARTITIONS)
    for number in range(partition, rows, PARTITIONS):
        yield row(own[number // PARTITIONS % len(own)], number // keys)


def fill(bootstrap: str, app_id: str, source: str, changelog: str, rows: int, keys: int) -> Sum:
    """Make the topics and write; returns what the stores must hold."""
    admin.create_topics(bootstrap, [admin.NewTopic(source, PARTITIONS, {}), admin.NewTopic(changelog, PARTITIONS, CHANGELOG_CONFIG)])
    settings = EngineSettings(app_id=app_id, bootstrap=bootstrap, state_dir=Path())
    held = Sum()
    for partition in range(PARTITIONS):
        last = asyncio.run(_fill(settings, f"{source}-{partition}", changelog, partition, written(rows, keys, partition)))
        for key, value in last.items():
            held.add(key, value)
    return held


async def _fill(
    settings: EngineSettings, name: str, changelog: str, partition: int, rows: Iterable[tuple[bytes, bytes]]
) -> dict[bytes, bytes]:
    producer = FencedProducer(settings, f"{settings.app_id}-{name}")
    await producer.fence()
    last: dict[bytes, bytes] = {}
    batch: list[Change] = []
    for key, value in rows:
        last[key] = value
        batch.append(Change(key, MISSING, value))
        if len(batch) == BATCH_ROWS:
            await _write(producer, changelog, partition, batch)
            batch = []
    await _write(producer, changelog, partition, batch)
    closing = producer.discard(ConnectionError("it is written"))  # type: ignore[arg-type]  # Nobody waits for it.
    assert closing is not None
    await closing
    return last


async def _write(producer: FencedProducer, changelog: str, partition: int, batch: list[Change]) -> None:
    if batch:
        await producer.begin()
        await asyncio.gather(*await producer.send(producer.pack_rows(changelog, partition, batch)))
        await producer.commit()
