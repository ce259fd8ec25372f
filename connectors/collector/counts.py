"""What the collector counts: rows of schemas/metrics.py. Sources are those that have a key, so labels stay few; nothing a client says becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from connectors.collector.mapping import Item
from schemas.metrics import BY_NAME


def tally(items: Sequence[Item]) -> dict[str, int]:
    """How many there are by outcome; none that is 0."""
    refused = sum(item.refused is not None for item in items)
    return {outcome: count for outcome, count in (("taken", len(items) - refused), ("refused", refused)) if count}


class Counts:
    """The metrics of one collector in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._requests = Counter(*_named("kairos_collector_requests"), registry=registry)
        self._items = Counter(*_named("kairos_collector_items"), registry=registry)
        self._seconds = Histogram(
            *_named("kairos_collector_kafka_seconds"), registry=registry, buckets=BY_NAME["kairos_collector_kafka_seconds"].buckets
        )
        self._waiting = Gauge(*_named("kairos_collector_waiting_bytes"), registry=registry)

    def answered(self, status: int) -> None:
        """A request had this answer."""
        self._requests.labels(str(status)).inc()

    def taken(self, source: str, counts: Mapping[str, int], seconds: float) -> None:
        """Kafka has these, after so long."""
        for outcome, count in counts.items():
            self._items.labels(source, outcome).inc(count)
        self._seconds.observe(seconds)

    def waiting(self, bytes_now: Callable[[], float]) -> None:
        """Ask this for what waits."""
        self._waiting.set_function(bytes_now)

    def close(self) -> None:
        """Leave the registry."""
        for metric in (self._requests, self._items, self._seconds, self._waiting):
            self._registry.unregister(metric)


def _named(name: str) -> tuple[str, str, tuple[str, ...]]:
    metric = BY_NAME[name]
    return metric.name, metric.help, metric.labels
