"""What a worker counts, as Prometheus reads it: rows of schemas/metrics.py.

The rule this module owns: a batch is counted when it is committed, in some microseconds, whatever its size. What stands at so much in a partition is told by
the worker that has the partition, and by no other.
"""

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from schemas import dead_letter
from schemas.metrics import METRICS, Metric
from streams.boundary import Decision, Gauges
from streams.instants import SECOND

Partition = tuple[str, int]
log = logging.getLogger(__name__)


class Latency:
    """A histogram that many values join at once."""

    def __init__(self, buckets: Sequence[float]) -> None:
        self._bounds = [round(bound * SECOND) for bound in buckets]
        self._names = [*map(floatToGoString, buckets), "+Inf"]
        self._told: tuple[list[int], int] = ([0] * len(self._names), 0)

    def ended(self, began: Sequence[int], now: int) -> None:
        """All that began then has ended now; microseconds. What is said to begin later than now took no time."""
        ordered = sorted(began)
        counts, total = self._told
        within = [len(ordered) - bisect_left(ordered, now - bound) for bound in self._bounds]
        early = bisect_left(ordered, now)
        spent = now * early - sum(ordered[:early])
        self._told = [known + new for known, new in zip(counts, [*within, len(ordered)], strict=True)], total + spent

    def shown(self) -> tuple[list[tuple[str, float]], float]:
        """Values up to each bound, and the sum in seconds."""
        counts, total = self._told
        return list(zip(self._names, map(float, counts), strict=True)), total / SECOND


class Dials(Collector):
    """One worker's; `held` says which partitions it has."""

    def __init__(self, held: Callable[[], Collection[Partition]], registry: CollectorRegistry = REGISTRY) -> None:
        self._held = held
        counters = [metric for metric in METRICS if metric.kind == "counter"]
        self._counters = {metric.name: Counter(metric.name, metric.help, metric.labels, registry=registry) for metric in counters}
        for reason in dead_letter.REASONS:  # What has not happened yet is 0, so that its first time is a rise.
            self._counters["kairos_interactions_dead"].labels(reason)
        self._children: dict[tuple[str, ...], Any] = {}
        self._latencies = {metric.name: Latency(metric.buckets) for metric in METRICS if metric.kind == "histogram"}
        self._gauges: dict[Partition, Gauges] = {}
        registry.register(self)

    def count(self, topic: str, partition: int, decision: object, seconds: float) -> None:
        """A batch is committed: for Engine.on_commit."""
        if not isinstance(decision, Decision):  # The engine's own, about nothing.
            return
        children = self._children
        for name, number in decision.tally.items():
            child = children.get(name)
            if child is None:
                counter = self._counters[name[0]]
                child = children[name] = counter.labels(*name[1:]) if len(name) > 1 else counter
            child.inc(number)
        gauges, since, news = decision.dials
        if gauges:
            self._gauges[topic, partition] = gauges
        now = time.time_ns() // 1000
        for name, began in since.items():
            if began:
                self._latencies[name[0]].ended(began, now)
        for line in news:
            log.info("%s[%d]: %s", topic, partition, line)

    def describe(self) -> list[Any]:
        """Nothing is asked for at registration: what there is to tell comes with the first batch."""
        return []

    def collect(self) -> Iterator[Any]:
        """What stands where in the partitions that are held now, and how long things took."""
        held = set(self._held())
        known = {place: gauges for place, gauges in list(self._gauges.items()) if place in held}
        for metric in METRICS:
            if metric.kind == "gauge":
                yield _gauge(metric, known)
            elif metric.kind == "histogram":
                buckets, total = self._latencies[metric.name].shown()
                yield HistogramMetricFamily(metric.name, metric.help, buckets=buckets, sum_value=total)


def _gauge(metric: Metric, known: dict[Partition, Gauges]) -> GaugeMetricFamily:
    """One of a partition stands for itself, a greatest is the greatest of all, anything else adds up."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    values: dict[tuple[str, ...], float] = {}
    for (_, partition), gauges in known.items():
        for name, value in gauges.items():
            if name[0] == metric.name:
                labels = (str(partition), *name[1:]) if "partition" in metric.labels else name[1:]
                before = values.get(labels, 0.0)
                values[labels] = max(before, value) if metric.name.endswith("_max") else before + value
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
