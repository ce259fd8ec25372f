"""Every metric of the engine, and the one that writes them. Each is touched once a batch, never once a record.

Label `topic` is the source; `partition` only where a number without it would say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from streams.engine.life import State

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The engine's metrics in one registry; `unregister` frees their names for the next engine of the process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._records = Counter("kairos_engine_records", "Records whose batch is committed.", ["topic"], registry=registry)
        self._batches = Counter("kairos_engine_batches", "Batches committed.", ["topic"], registry=registry)
        self._batch_seconds = Histogram(
            "kairos_engine_batch_seconds", "From taking a batch to its end.", ["topic"], registry=registry, buckets=SECONDS
        )
        self._phase_seconds = Counter(
            "kairos_engine_phase_seconds", "Time of batches by what was being done.", ["topic", "phase"], registry=registry
        )
        self._read_seconds = Counter("kairos_engine_read_seconds", "Time spent unpacking fetched records.", registry=registry)
        self._lag = Gauge(
            "kairos_engine_lag_records", "Committed records of the input that are not processed.", ["topic", "partition"], registry=registry
        )
        self._restoring = Gauge(
            "kairos_engine_restore_remaining", "Offsets of the changelog still to be replayed.", ["topic", "partition"], registry=registry
        )
        self._restored = Counter("kairos_engine_restored_rows", "Rows of changelogs that were replayed.", ["topic"], registry=registry)
        self._restore_seconds = Gauge(
            "kairos_engine_restore_seconds_left",
            "How long restoring will still take, at the pace of late; 0 when nothing is restored.",
            registry=registry,
        )
        self._standby_behind = Gauge(
            "kairos_engine_standby_behind",
            "Offsets of the changelog that a copy kept here lacks.",
            ["topic", "partition"],
            registry=registry,
        )
        self._standby_rows = Counter("kairos_engine_standby_rows", "Rows that went into copies.", ["topic"], registry=registry)
        self._state = Gauge(
            "kairos_engine_state", "1 for the state that a partition is in.", ["topic", "partition", "state"], registry=registry
        )
        self._poisoned = Counter("kairos_engine_poisoned", "Records that could not be processed.", ["topic"], registry=registry)
        self._all = (
            self._records,
            self._batches,
            self._batch_seconds,
            self._phase_seconds,
            self._read_seconds,
            self._lag,
            self._restoring,
            self._restored,
            self._restore_seconds,
            self._standby_behind,
            self._standby_rows,
            self._state,
            self._poisoned,
        )

    def batch(self, topic: str, records: int, phases: Mapping[str, float], seconds: float) -> None:
        """A batch is committed."""
        self._records.labels(topic).inc(records)
        self._batches.labels(topic).inc()
        self._batch_seconds.labels(topic).observe(seconds)
        for phase, took in phases.items():
            self._phase_seconds.labels(topic, phase).inc(max(0.0, took))

    def read(self, seconds: float) -> None:
        """A fetch was unpacked."""
        self._read_seconds.inc(seconds)

    def state(self, topic: str, partition: int, now: State) -> None:
        """A partition has changed its state."""
        for state in State:
            self._state.labels(topic, str(partition), state.name).set(1 if state is now else 0)

    def standing(self, topic: str, partition: int, lag: int | None, restore_remaining: int) -> None:
        """Where a partition stands; asked for every second."""
        self._lag.labels(topic, str(partition)).set(lag or 0)
        self._restoring.labels(topic, str(partition)).set(restore_remaining)

    def restored(self, topic: str, rows: int) -> None:
        """So many more rows of a changelog were replayed."""
        self._restored.labels(topic).inc(rows)

    def restore_seconds_left(self, seconds: float) -> None:
        """How long restoring will still take."""
        self._restore_seconds.set(seconds)

    def standby(self, topic: str, partition: int, behind: int, rows: int) -> None:
        """A copy stands so far behind, so many more rows are in it."""
        self._standby_behind.labels(topic, str(partition)).set(behind)
        self._standby_rows.labels(topic).inc(rows)

    def standby_ended(self, topic: str, partition: int) -> None:
        """There is no copy here any longer."""
        with suppress(KeyError):  # It ended before it had begun.
            self._standby_behind.remove(topic, str(partition))

    def poisoned(self, topic: str) -> None:
        """A record could not be processed."""
        self._poisoned.labels(topic).inc()

    def unregister(self) -> None:
        """Take every metric out of the registry."""
        for metric in self._all:
            self._registry.unregister(metric)
