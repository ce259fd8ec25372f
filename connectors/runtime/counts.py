"""What deliveries count: rows of schemas/metrics.py, of one endpoint each."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.metrics import BY_NAME

_ACTION_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_ATTEMPT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counts:
    """All endpoints of one process in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._deliveries = Counter(*_named("kairos_deliveries"), registry=registry)
        self._seconds = Histogram(*_named("kairos_delivery_seconds"), registry=registry, buckets=_ACTION_SECONDS)
        self._attempts = Histogram(*_named("kairos_delivery_attempt_seconds"), registry=registry, buckets=_ATTEMPT_SECONDS)
        self._gauges = {
            name: Gauge(*_named(f"kairos_{name}"), registry=registry)
            for name in ("delivery_lag_records", "delivery_waiting", "endpoint_disabled", "endpoint_broken")
        }

    def came(self, endpoint: str, outcome: str) -> None:
        """A request, or an attempt, had this outcome."""
        self._deliveries.labels(endpoint, outcome).inc()

    def delivered(self, endpoint: str, seconds: float | None) -> None:
        """The endpoint has a request, so long after what it says was decided."""
        self.came(endpoint, "delivered")
        if seconds is not None:
            self._seconds.labels(endpoint).observe(max(0.0, seconds))

    def attempted(self, endpoint: str, seconds: float) -> None:
        """An attempt took so long."""
        self._attempts.labels(endpoint).observe(seconds)

    def shows(self, gauge: str, endpoint: str, value: Callable[[], float]) -> None:
        """Ask this for what a gauge shows: delivery_lag_records, delivery_waiting, endpoint_disabled or endpoint_broken."""
        self._gauges[gauge].labels(endpoint).set_function(value)


def _named(name: str) -> tuple[str, str, tuple[str, ...]]:
    metric = BY_NAME[name]
    return metric.name, metric.help, metric.labels
