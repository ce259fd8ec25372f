"""Every metric of the engine, and the one that writes them. Each is touched once a batch or once a second, never once a record.

Label `topic` is the source; `partition` only where a number without it would say nothing, and what is said of a partition goes with it.
docs/engine-metrics.md is made of METRICS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from streams.engine.batch import Batch
from streams.engine.ending import PHASES
from streams.engine.life import State


class Metric(NamedTuple):
    """One metric; `buckets` are a histogram's upper bounds, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def shown(self) -> str:
        """Its name as Prometheus has it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
LOOP_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
RECORDS = (1, 5, 20, 100, 250, 500, 1000, 2000, 4000)
_OF_A_PARTITION = ("topic", "partition")

METRICS = (
    Metric("kairos_engine_records", "counter", ("topic",), "Records whose batch is committed."),
    Metric("kairos_engine_batches", "counter", ("topic",), "Batches committed, ticks included."),
    Metric("kairos_engine_batch_records", "histogram", ("topic",), "Records of a batch; ticks are not counted.", RECORDS),
    Metric("kairos_engine_batch_seconds", "histogram", ("topic",), "From taking a batch to its end.", SECONDS),
    Metric(
        "kairos_engine_phase_seconds",
        "counter",
        ("topic", "phase"),
        "Time of batches by step: wait (read, but the partition was busy), decide, outputs, changelog, commit, store.",
    ),
    Metric("kairos_engine_read_seconds", "counter", (), "Time spent unpacking fetched records."),
    Metric("kairos_engine_lag_records", "gauge", _OF_A_PARTITION, "Committed records of the input that are not processed."),
    Metric(
        "kairos_engine_lag_seconds",
        "gauge",
        _OF_A_PARTITION,
        "For how long the oldest record that is not processed has lain in its topic; 0 where there is none.",
    ),
    Metric(
        "kairos_engine_commit_timestamp_seconds",
        "gauge",
        _OF_A_PARTITION,
        "When a partition last committed, or had nothing to commit, or was taken up.",
    ),
    Metric("kairos_engine_state", "gauge", (*_OF_A_PARTITION, "state"), "1 for the state that a partition is in."),
    Metric("kairos_engine_restore_remaining", "gauge", _OF_A_PARTITION, "Offsets of the changelog still to be replayed."),
    Metric("kairos_engine_restored_rows", "counter", ("topic",), "Rows of changelogs that were replayed."),
    Metric(
        "kairos_engine_restore_seconds_left",
        "gauge",
        (),
        "How long restoring will still take, at the pace of late; 0 when nothing is restored.",
    ),
    Metric("kairos_engine_standby_behind", "gauge", _OF_A_PARTITION, "Offsets of the changelog that a copy kept here lacks."),
    Metric("kairos_engine_standby_rows", "counter", ("topic",), "Rows that went into copies."),
    Metric("kairos_engine_poisoned", "counter", ("topic",), "Records that could not be processed."),
    Metric("kairos_engine_rows_asked", "counter", ("topic",), "Rows that batches asked for, of kinds that the cache keeps."),
    Metric(
        "kairos_engine_rows_read", "counter", ("topic",), "Rows of those that had to be read from RocksDB, for the cache did not know them."
    ),
    Metric(
        "kairos_engine_store_bytes",
        "gauge",
        (*_OF_A_PARTITION, "part"),
        "What a partition's RocksDB holds: files, memtables, indexes and filters in memory, and what waits to be merged.",
    ),
    Metric("kairos_engine_store_rows", "gauge", _OF_A_PARTITION, "Rows in a partition's RocksDB, as it estimates them."),
    Metric("kairos_engine_store_stalled", "gauge", _OF_A_PARTITION, "1 where RocksDB takes no writes until it has merged files."),
    Metric("kairos_engine_block_cache_bytes", "gauge", (), "RocksDB's cache of blocks, all partitions together."),
    Metric(
        "kairos_engine_loop_lag_seconds",
        "histogram",
        (),
        "How much later than asked for the event loop came back, four times a second.",
        LOOP_SECONDS,
    ),
)

STORE_PARTS = {
    "files": "rocksdb.total-sst-files-size",
    "memtables": "rocksdb.cur-size-all-mem-tables",
    "indexes": "rocksdb.estimate-table-readers-mem",
    "to_merge": "rocksdb.estimate-pending-compaction-bytes",
}
"""Values of the label `part`, and RocksDB's names for them."""
STORE_ROWS, STORE_STALLED = "rocksdb.estimate-num-keys", "rocksdb.is-write-stopped"


class Metrics:
    """The engine's metrics in one registry; `unregister` frees their names for the next engine of the process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._of_topic: dict[str, dict[str, Any]] = {}
        self._all: dict[str, Any] = {metric.name.removeprefix("kairos_engine_"): _made(metric, registry) for metric in METRICS}

    def batch(self, batch: Batch, phases: Mapping[str, float], seconds: float) -> None:
        """A batch is committed."""
        topic, records = batch.topic, len(batch.records)
        of = self._of_topic.get(topic) or self._touched(topic)
        of["records"].inc(records)
        of["batches"].inc()
        if records:
            of["batch_records"].observe(records)
        of["batch_seconds"].observe(seconds)
        self._all["commit_timestamp_seconds"].labels(topic, str(batch.partition)).set(time.time())
        for phase, took in phases.items():
            of[phase].inc(max(0.0, took))
        if batch.rows is not None:
            of["rows_asked"].inc(batch.rows.asked)
            of["rows_read"].inc(batch.rows.read)

    def read(self, seconds: float) -> None:
        """A fetch was unpacked."""
        self._all["read_seconds"].inc(seconds)

    def state(self, topic: str, partition: int, now: State) -> None:
        """A partition has changed its state."""
        for state in State:
            self._all["state"].labels(topic, str(partition), state.name).set(1 if state is now else 0)

    def taken_up(self, topic: str, partition: int) -> None:
        """A partition is ours from now on; what has not happened on its topic yet is 0, so that its first time is a rise."""
        for name in ("poisoned", "restored_rows", "records", "batches", "rows_asked", "rows_read"):
            self._all[name].labels(topic)
        self._all["commit_timestamp_seconds"].labels(topic, str(partition)).set(time.time())

    def standing(self, topic: str, partition: int, lag: int | None, lag_seconds: float, restore_remaining: int) -> None:
        """Where a partition stands; asked for every second. A lag that nobody knows is not told."""
        if lag is None:
            self._forget(("lag_records", "lag_seconds"), topic, str(partition))
        else:
            self._all["lag_records"].labels(topic, str(partition)).set(lag)
            self._all["lag_seconds"].labels(topic, str(partition)).set(lag_seconds)
            if not lag:
                self._all["commit_timestamp_seconds"].labels(topic, str(partition)).set(time.time())
        self._all["restore_remaining"].labels(topic, str(partition)).set(restore_remaining)

    def store(self, topic: str, partition: int, facts: Mapping[str, int]) -> None:
        """What RocksDB says of a partition's store, by its own names."""
        for part, name in STORE_PARTS.items():
            self._all["store_bytes"].labels(topic, str(partition), part).set(facts.get(name, 0))
        self._all["store_rows"].labels(topic, str(partition)).set(facts.get(STORE_ROWS, 0))
        self._all["store_stalled"].labels(topic, str(partition)).set(facts.get(STORE_STALLED, 0))

    def block_cache(self, bytes_now: int) -> None:
        """RocksDB's cache of blocks holds so much."""
        self._all["block_cache_bytes"].set(bytes_now)

    def loop_lag(self, seconds: float) -> None:
        """The event loop came back so much later than asked for."""
        self._all["loop_lag_seconds"].observe(seconds)

    def released(self, topic: str, partition: int) -> None:
        """A partition is ours no longer: another worker speaks of it now."""
        number = str(partition)
        self._forget(("lag_records", "lag_seconds", "commit_timestamp_seconds", "restore_remaining"), topic, number)
        self._forget(("store_rows", "store_stalled"), topic, number)
        for state in State:
            self._forget(("state",), topic, number, state.name)
        for part in STORE_PARTS:
            self._forget(("store_bytes",), topic, number, part)

    def restored(self, topic: str, rows: int) -> None:
        """So many more rows of a changelog were replayed."""
        self._all["restored_rows"].labels(topic).inc(rows)

    def restore_seconds_left(self, seconds: float) -> None:
        """How long restoring will still take."""
        self._all["restore_seconds_left"].set(seconds)

    def standby(self, topic: str, partition: int, behind: int, rows: int) -> None:
        """A copy stands so far behind, so many more rows are in it."""
        self._all["standby_behind"].labels(topic, str(partition)).set(behind)
        self._all["standby_rows"].labels(topic).inc(rows)

    def standby_ended(self, topic: str, partition: int) -> None:
        """There is no copy here any longer."""
        self._forget(("standby_behind",), topic, str(partition))

    def poisoned(self, topic: str) -> None:
        """A record could not be processed."""
        self._all["poisoned"].labels(topic).inc()

    def unregister(self) -> None:
        """Take every metric out of the registry."""
        for metric in self._all.values():
            self._registry.unregister(metric)

    def _touched(self, topic: str) -> dict[str, Any]:
        """What each batch of a topic touches: to look it up by its labels costs more than to count."""
        names = ("records", "batches", "batch_records", "batch_seconds", "rows_asked", "rows_read")
        found = self._of_topic[topic] = {name: self._all[name].labels(topic) for name in names}
        found.update({phase: self._all["phase_seconds"].labels(topic, phase) for phase in PHASES})
        return found

    def _forget(self, names: tuple[str, ...], *labels: str) -> None:
        for name in names:
            with suppress(KeyError):  # It was never told.
                self._all[name].remove(*labels)


def document() -> str:
    """The page that lists them."""
    rows = [f"| `{metric.shown}` | {metric.kind} | {', '.join(metric.labels) or 'none'} | {metric.help} |\n" for metric in METRICS]
    return (
        "# The engine's metrics\n\nMade by `python -m deploy` from `streams/engine/metrics.py`; change it there.\n\n"
        "All others: [metrics.md](metrics.md).\n\n| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n" + "".join(rows)
    )


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "histogram":
        return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)
    return (Counter if metric.kind == "counter" else Gauge)(metric.name, metric.help, metric.labels, registry=registry)
