"""A lag is told as it is: in records, and by the age of the oldest; what nobody knows is not told, and what went to another worker neither."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from streams.engine import ticks
from streams.engine.batch import Batch, Clock, Record
from streams.engine.cache import Cache
from streams.engine.life import State
from streams.engine.metrics import METRICS, Metrics
from streams.engine.offsets import Chunk, Waiting
from streams.engine.overlay import Overlay
from streams.engine.standing import Standing
from tests.dials.pages import samples
from tests.engine.test_overlay import Stored, Text


def record(offset: int, age_seconds: float) -> Record:
    return Record(b"k", b"v", (), int((time.time() - age_seconds) * 1000), 0, offset)


def test_lag_is_as_old_as_the_oldest_record_that_is_not_done() -> None:
    standing, waiting = Standing(), Waiting(0)
    assert standing.progress(waiting, State.RUNNING).lag_records is None, "no fetch has told"
    standing.stable_end = 10
    waiting.offer(Chunk([record(0, 30), record(1, 20), record(2, 10)], 3))

    waits = standing.progress(waiting, State.RUNNING)
    assert (waits.lag_records, round(waits.lag_seconds)) == (10, 30)
    standing.begin([record(0, 40)])
    assert round(standing.progress(waiting, State.RUNNING).lag_seconds) == 40, "what is in hand is not done"
    standing.end()
    assert round(standing.progress(waiting, State.RUNNING).lag_seconds) == 30


def test_without_lag_nothing_is_old_and_what_is_not_read_came_after_the_last_that_was() -> None:
    standing, waiting = Standing(), Waiting(0)
    standing.begin([record(0, 60), record(1, 50)])
    standing.end()
    waiting.read_to = 2

    standing.stable_end = 2
    assert standing.progress(waiting, State.RUNNING)[2:] == (0, 0, 0, 0.0)
    standing.stable_end = 5
    assert round(standing.progress(waiting, State.RUNNING).lag_seconds) == 50
    assert standing.progress(waiting, State.RESTORING).lag_records is None


def test_a_partition_that_went_to_another_worker_is_not_spoken_of() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for number in (0, 1):
        metrics.taken_up("t", number)
        metrics.state("t", number, State.RUNNING)
        metrics.standing("t", number, 5, 1.5, 0)
        metrics.store("t", number, {"rocksdb.estimate-num-keys": 3})

    metrics.released("t", 0)
    metrics.standing("t", 1, None, 0.0, 0)

    told = samples(registry)
    assert not [labels for _, labels in told if labels.get("partition") == "0"]
    assert not [name for name, _ in told if name.startswith("kairos_engine_lag")], "a lag that nobody knows is not 0"
    assert registry.get_sample_value("kairos_engine_store_rows", {"topic": "t", "partition": "1"}) == 3


def test_who_has_nothing_to_commit_is_not_late() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    where = {"topic": "t", "partition": "0"}
    metrics.taken_up("t", 0)
    metrics._all["commit_timestamp_seconds"].labels("t", "0").set(1.0)

    metrics.standing("t", 0, 3, 2.0, 0)
    assert registry.get_sample_value("kairos_engine_commit_timestamp_seconds", where) == 1.0
    metrics.standing("t", 0, 0, 0.0, 0)
    assert time.time() - (registry.get_sample_value("kairos_engine_commit_timestamp_seconds", where) or 0) < 60


def test_a_batch_tells_how_many_rows_the_cache_did_not_know() -> None:
    registry = CollectorRegistry()
    metrics, cache, kind = Metrics(registry), Cache(100_000), Text(b"a")
    for _ in range(2):
        overlay = Overlay(Stored(), cache, 0, 1)
        overlay.get(kind, [b"1", b"2", b"3"])
        batch = Batch("t", 0, (), 1, overlay, Clock(0, False), None, lambda *_: None)
        metrics.batch(batch, {"decide": 0.1}, 0.2)

    assert registry.get_sample_value("kairos_engine_rows_asked_total", {"topic": "t"}) == 6
    assert registry.get_sample_value("kairos_engine_rows_read_total", {"topic": "t"}) == 3
    assert time.time() - (registry.get_sample_value("kairos_engine_commit_timestamp_seconds", {"topic": "t", "partition": "0"}) or 0) < 60


def test_a_loop_that_is_held_up_is_felt() -> None:
    registry = CollectorRegistry()

    async def held_up() -> None:
        feeling = asyncio.create_task(ticks.feel(Metrics(registry)))
        await asyncio.sleep(0)
        time.sleep(ticks.FEEL_SECONDS + 0.06)
        while not registry.get_sample_value("kairos_engine_loop_lag_seconds_count"):
            await asyncio.sleep(0)
        feeling.cancel()

    asyncio.run(held_up())

    assert registry.get_sample_value("kairos_engine_loop_lag_seconds_count") == 1
    assert registry.get_sample_value("kairos_engine_loop_lag_seconds_bucket", {"le": "0.05"}) == 0


def test_names_follow_prometheus() -> None:
    for metric in METRICS:
        assert metric.name.startswith("kairos_engine_")
        assert (metric.kind == "histogram") == bool(metric.buckets)
        assert not metric.name.endswith("_total")
