"""A small app on the engine, run as a process of its own: numbers are sent on by key, then counted and summed for each key.

`python -m tests.faults.toy` with its settings as JSON in TOY. A raw record's value is `key number`; every tenth number of a key leads to an output.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from prometheus_client import REGISTRY

from streams.engine import Engine, EngineSettings, Record, Says
from streams.engine.drive import Batches


class Sums(msgspec.Struct, array_like=True, frozen=True, gc=False):
    count: int
    total: int
    last: int
    read: int = -1
    padding: bytes = b""


class Send(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


class SumsKind:
    tag = b"s"
    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Sums).decode)


KIND = SumsKind()
EVERY = 10
FROM = "from"
LARGE = random.Random(1).randbytes(1 << 23)
"""Larger than a message may be, however it is compressed."""


def forward(records: Sequence[Record], target: str) -> Says:
    """Send each number on under its key; each names the offset it came from, so that who gets one twice can know it."""
    send = [Send(target, record.value.split()[0], record.value, ((FROM, b"%d" % record.offset),)) for record in records if record.value]
    return Says(send, {("forwarded",): len(records)})


def add(records: Sequence[Record], rows: Any, outputs: str, once: bool = False) -> Says:
    """Fold numbers into the sums of their keys; `once`: those that were forwarded again are known by where they came from."""
    send, sums = [], {}
    keys = list(dict.fromkeys(record.key or b"" for record in records))
    for key, row in zip(keys, rows.get(KIND, keys), strict=True):
        sums[key] = row or Sums(0, 0, 0)
    for record in records:
        key, number = (record.value or b"").split()
        if number == b"poison":
            raise ValueError("a number was expected")
        before = sums[key]
        read = int(dict(record.headers)[FROM]) if once else -1
        if once and read <= before.read:
            continue
        after = sums[key] = Sums(before.count + 1, before.total + int(number), int(number), read)
        if number == b"666":
            send.append(Send(outputs, key, LARGE))
        if number == b"777":
            sums[key] = Sums(*msgspec.structs.astuple(after)[:4], LARGE)
        if after.count % EVERY == 0:
            send.append(Send(outputs, key, b"%s %d %d" % (key, after.count, after.total)))
    for key, row in sums.items():
        rows.put(KIND, key, row)
    return Says(send, {("added",): len(records)})


def build(options: dict[str, Any]) -> Engine:
    """The engine of the toy; `options`: run (a prefix for topics), and whatever EngineSettings takes."""
    run = options.pop("run")
    slow_seconds = options.pop("slow_seconds", 0.0)
    waits_seconds = options.pop("waits_seconds", 0.0)
    dead = options.pop("dead", False)
    once = options.pop("once", False)
    counts_path = options.pop("counts", None)
    health_path = options.pop("health", None)
    if clock_path := options.pop("clock", None):
        wrong_clock(Path(clock_path))
    options = {"app_id": f"{run}-toy", **options, "state_dir": Path(options["state_dir"])}
    settings = EngineSettings(**options)
    engine = Engine(settings)

    @engine.agent(f"{run}-raw", feeds=f"{run}-keyed")
    async def raw(batches: Batches) -> None:
        async for batch in batches:
            await batch.finish(forward(batch.records, f"{run}-keyed"))

    @engine.agent(f"{run}-keyed", table="sums")
    async def keyed(batches: Batches) -> None:
        async for batch in batches:
            if not batch.records:
                await batch.finish(Says((), {("ticks",): 1}))
                continue
            pause(slow_seconds)
            await asyncio.sleep(waits_seconds)
            await batch.finish(add(batch.records, batch.rows, f"{run}-out", once))

    if dead:

        @engine.on_poison
        def poisoned(topic: str, record: Record, error: Exception) -> Says:
            return Says([Send(f"{run}-dead", record.key, (record.value or b"")[:1000])], {("dead",): 1})

    if counts_path:
        counts: dict[str, int] = {}

        @engine.on_commit
        def committed(topic: str, partition: int, decision: Any, seconds: float) -> None:
            for (name,), count in decision.tally.items():
                counts[name] = counts.get(name, 0) + count
            write(counts_path, counts)

    if health_path:
        threading.Thread(target=tell, args=(engine, health_path, f"{run}-keyed"), daemon=True).start()
    return engine


def tell(engine: Engine, path: str, stateful: str) -> None:
    """Write down ten times a second what the worker says of itself, from a thread: also when its loop stands still."""
    while True:
        restored = REGISTRY.get_sample_value("kairos_engine_restored_rows_total", {"topic": stateful})
        copies = [
            int(sample.value) for metric in REGISTRY.collect() for sample in metric.samples if sample.name == "kairos_engine_standby_behind"
        ]
        running = [number for (topic, number), at in engine.progress().items() if topic == stateful and at.state == "RUNNING"]
        said = {"alive": engine.alive(), "ready": engine.ready(), "running": running, "restored": int(restored or 0), "copies": copies}
        write(path, {**said, "at": time.time()})
        time.sleep(0.1)


def wrong_clock(path: Path) -> None:
    """The process's wall clock is off by as many seconds as the file says, from the moment it says so."""
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + int(path.read_text() or 0)
    time.time_ns = lambda: right_ns() + int(path.read_text() or 0) * 10**9


def write(path: str, said: Any) -> None:
    """Whoever reads the file sees all of it or what was there before."""
    fresh = Path(f"{path}.new")
    fresh.write_text(json.dumps(said))
    fresh.replace(path)


def pause(seconds: float) -> None:
    """Take some time over a batch, as real work would."""
    if seconds:
        time.sleep(seconds)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("streams.engine.recovery").setLevel(logging.INFO)
    build(json.loads(os.environ["TOY"])).run()
