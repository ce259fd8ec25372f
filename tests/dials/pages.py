"""What a page of metrics holds, read back."""

from __future__ import annotations

from prometheus_client import CollectorRegistry


def samples(registry: CollectorRegistry) -> list[tuple[str, dict[str, str]]]:
    """Every sample's name and labels."""
    return [(sample.name, sample.labels) for family in registry.collect() for sample in family.samples]
