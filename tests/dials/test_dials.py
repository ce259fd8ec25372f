"""What was decided is what is told: counts add up, latencies are where they belong, and of a partition only who has it speaks."""

from __future__ import annotations

import sys
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas import topics
from schemas.metrics import LATENCY_SECONDS, METRICS
from streams.boundary import Decision, Dials
from streams.dials import Dials as Told
from streams.dials import Latency
from streams.engine import Says

NOW = 1_790_000_000_000_000
PROFILE = ("kairos_profile_seconds",)
TIME = ("kairos_partition_time_timestamp_seconds",)
SOME = (topics.IDENTITY, 0), (topics.IDENTITY, 1)


def told(*held: tuple[str, int]) -> tuple[Told, CollectorRegistry]:
    registry = CollectorRegistry()
    return Told(lambda: held, registry), registry


def decided(dials: Told, place: tuple[str, int], decision: object) -> None:
    dials.count(*place, decision, 0.1)


@given(st.lists(st.lists(st.integers(NOW - 700_000_000, NOW + 10_000_000), max_size=30), max_size=4), st.sampled_from(LATENCY_SECONDS))
def test_a_histogram_is_what_counting_one_by_one_gives(batches: list[list[int]], bound: float) -> None:
    latency = Latency(LATENCY_SECONDS)

    for batch in batches:
        latency.ended(batch, NOW)

    took = [max(0, NOW - began) for batch in batches for began in batch]
    buckets, total = latency.shown()
    assert dict(buckets)[str(bound)] == sum(each <= bound * 1e6 for each in took)
    assert dict(buckets)["+Inf"] == len(took)
    assert round(total * 1e6) == sum(took)


def test_counts_add_up_and_the_engines_own_decisions_count_nothing() -> None:
    dials, registry = told()

    decided(dials, SOME[0], Decision((), {("kairos_moments", "big_order", "fired", "none"): 2, ("kairos_profiles",): 3}))
    decided(dials, SOME[1], Decision((), {("kairos_moments", "big_order", "fired", "none"): 1}))
    decided(dials, SOME[1], Says())

    assert registry.get_sample_value("kairos_moments_total", {"moment": "big_order", "status": "fired", "reason": "none"}) == 3
    assert registry.get_sample_value("kairos_profiles_total") == 3


def test_of_a_partition_only_who_has_it_speaks() -> None:
    registry = CollectorRegistry()
    held = [*SOME]
    dials = Told(lambda: held, registry)
    stands = ("kairos_customers", "retail", "loyal")

    for place, number in zip(SOME, (5, -2), strict=True):
        gauges = {stands: number, ("kairos_component_identifiers_max",): 7 + number, TIME: 100.0 + number}
        decided(dials, place, Decision((), {}, dials=Dials(gauges)))

    assert registry.get_sample_value("kairos_customers", {"journey": "retail", "stage": "loyal"}) == 3
    assert registry.get_sample_value("kairos_component_identifiers_max") == 12
    assert registry.get_sample_value(*TIME, {"partition": "1"}) == 98
    held.remove(SOME[0])
    assert registry.get_sample_value("kairos_customers", {"journey": "retail", "stage": "loyal"}) == -2
    assert registry.get_sample_value(*TIME, {"partition": "0"}) is None


def test_what_began_a_while_ago_is_observed_at_the_commit() -> None:
    dials, registry = told()
    now = time.time_ns() // 1000

    decided(dials, SOME[0], Decision((), {}, dials=Dials(since={PROFILE: [now - 300_000, now - 20_000_000]})))

    assert registry.get_sample_value("kairos_profile_seconds_count") == 2
    assert registry.get_sample_value("kairos_profile_seconds_bucket", {"le": "0.25"}) == 0
    assert registry.get_sample_value("kairos_profile_seconds_bucket", {"le": "10.0"}) == 1


def test_a_batch_costs_the_same_calls_whatever_its_size() -> None:
    dials, _ = told()
    tally = {("kairos_profiles",): 1, ("kairos_interactions_applied",): 1}

    def calls(size: int) -> int:
        made: list[str] = []
        began = list(range(NOW, NOW + size))
        decision = Decision((), tally, dials=Dials(since={PROFILE: began}))
        sys.setprofile(lambda frame, what, _: made.append(what) if what.endswith("call") else None)
        try:
            decided(dials, SOME[0], decision)
        finally:
            sys.setprofile(None)
        return len(made)

    calls(1)
    assert calls(4_000) == calls(1)


def test_every_metric_of_the_table_is_on_the_page_with_its_labels() -> None:
    dials, registry = told(SOME[0])
    tally = {(metric.name, *metric.labels): 1 for metric in METRICS if metric.kind == "counter"}
    gauges = {
        (metric.name, *(label for label in metric.labels if label != "partition")): 1.0 for metric in METRICS if metric.kind == "gauge"
    }
    decided(dials, SOME[0], Decision((), tally, dials=Dials(gauges, {PROFILE: [NOW]})))

    families = {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}

    for metric in METRICS:
        found: Any = families[metric.name]
        assert (found.type, found.documentation) == (metric.kind, metric.help)
        assert {frozenset(sample.labels) - {"le"} for sample in found.samples if not sample.name.endswith("_created")} == {
            frozenset(metric.labels)
        }
