"""Every metric but the engine's own: its name, unit, labels and help. No label ever holds personal data."""

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One metric; a tally names it by (name, label value...). `buckets` are a histogram's upper bounds, in its unit."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def shown(self) -> str:
        """Its name as Prometheus has it: that of a counter ends in _total."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


WITHIN_SECONDS = 1.0
"""The promise: 99% of interactions are in their profile within so long."""
LATENCY_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, WITHIN_SECONDS, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0)

METRICS = (
    Metric("kairos_interactions_read", "counter", (), "Records read from the interactions topic."),
    Metric("kairos_interactions_dead", "counter", ("reason",), "Records refused, by reason."),
    Metric(
        "kairos_interactions_anchored",
        "counter",
        ("channel",),
        "Interactions sent on to their anchor, by channel (other: no name of its own).",
    ),
    Metric(
        "kairos_interactions_from",
        "counter",
        ("source",),
        "Interactions sent on to their anchor, by source system (other: none that the tracking plan names).",
    ),
    Metric("kairos_interactions_applied", "counter", (), "Interactions that joined a timeline."),
    Metric("kairos_interactions_duplicate", "counter", (), "Interactions whose id their timeline held already."),
    Metric("kairos_interactions_too_late", "counter", (), "Interactions older than what a timeline holds."),
    Metric(
        "kairos_interactions_erased", "counter", (), "Interactions that came, or were about to join, after an erasure that concerns them."
    ),
    Metric(
        "kairos_interactions_moved",
        "counter",
        (),
        "Copies of records that had been read already and were moved, so that what was erased could be deleted; not among those read.",
    ),
    Metric("kairos_commands_read", "counter", (), "Records read from the commands topic."),
    Metric("kairos_commands_dead", "counter", ("reason",), "Commands refused, by reason."),
    Metric("kairos_commands_moved", "counter", (), "The same of commands."),
    Metric("kairos_commands_sent", "counter", ("kind",), "Commands sent on to those whom they concern, by kind."),
    Metric("kairos_commands_carried", "counter", ("kind", "holds"), "Commands answered, by kind and whether they hold."),
    Metric("kairos_times_dropped", "counter", (), "Time records that came under the live clock, which goes by itself."),
    Metric("kairos_identifiers_blocked", "counter", ("type",), "Identifiers refused as junk, by type."),
    Metric(
        "kairos_identifiers_untrusted",
        "counter",
        ("type",),
        "Identifiers that link nothing, for their type trusts another source, by type.",
    ),
    Metric("kairos_identity_messages", "counter", ("message",), "Messages of the identity protocol handled, by kind."),
    Metric("kairos_identity_parked", "counter", (), "Messages that had to wait for an ABSORB."),
    Metric("kairos_identity_hooked", "counter", (), "Identifiers that had nothing yet and came below another without a move."),
    Metric("kairos_identity_absorbed", "counter", ("hop",), "Components absorbed, in place or across partitions (local, remote)."),
    Metric("kairos_identity_returned", "counter", (), "Components and identifiers that a full component sent back."),
    Metric(
        "kairos_identity_swept",
        "counter",
        ("row", "found"),
        "Rows judged anew under a policy that a partition did not have before: of identifiers (node) or components, by what they were found to be: the "
        "same, or other.",
    ),
    Metric("kairos_customers_merged", "counter", (), "Customers merged into another."),
    Metric("kairos_customers_split", "counter", (), "Customers split off another."),
    Metric("kairos_customers_erased", "counter", (), "Customers erased."),
    Metric("kairos_identity_conflicts", "counter", ("rule",), "Links refused, by rule."),
    Metric("kairos_customers_folded", "counter", ("how",), "Folds of a customer: incremental, or again from the timeline (refold)."),
    Metric(
        "kairos_customers_lightened",
        "counter",
        ("part",),
        "Rows with too little room, by what gave way: names heard of long ago, what rules remember (memory), what was said long ago (said).",
    ),
    Metric("kairos_deadlines_drained", "counter", (), "Deadlines that fell due."),
    Metric("kairos_profiles", "counter", (), "Profiles published."),
    Metric("kairos_stage_changes", "counter", ("journey", "to", "retracted"), "Stage changes published."),
    Metric("kairos_segment_changes", "counter", ("segment", "entered", "retracted"), "Segment changes published."),
    Metric(
        "kairos_moments",
        "counter",
        ("moment", "status", "reason"),
        "Moments published, by verdict and by what held them back (none: nothing did).",
    ),
    Metric(
        "kairos_outcomes",
        "counter",
        ("kind", "within"),
        "Outcomes of moments that came back (delivered, opened, acted, converted), by how long after the release: 1s, 1m, 1h, 1d, longer, "
        "unknown (the release is not remembered).",
    ),
    Metric(
        "kairos_profile_seconds",
        "histogram",
        (),
        "From an interaction's reception to the commit of the profile that holds it; not of a replay, nor of what was received over a day before.",
        LATENCY_SECONDS,
    ),
    Metric(
        "kairos_moment_seconds",
        "histogram",
        (),
        "From the reception of the interaction that led to a moment to the commit of its release; as above, and not of what time alone led to.",
        LATENCY_SECONDS,
    ),
    Metric("kairos_customers", "gauge", ("journey", "stage"), "Customers by where they stand, in the partitions of this worker."),
    Metric(
        "kairos_component_identifiers_max",
        "gauge",
        (),
        "Identifiers of the largest component (people who are or may be one) that the partitions of this worker have seen.",
    ),
    Metric(
        "kairos_identity_sweep_left",
        "gauge",
        ("partition",),
        "About how many rows of a partition are still to be judged under the policy in force; 0: all are.",
    ),
    Metric(
        "kairos_partition_time_timestamp_seconds",
        "gauge",
        ("partition",),
        "Up to when deadlines have fallen due in a partition; under the live clock it is now, or a little less.",
    ),
)

COLLECTOR_METRICS = (
    Metric("kairos_collector_requests", "counter", ("status",), "Requests answered by the collector, by HTTP status."),
    Metric(
        "kairos_collector_items", "counter", ("source", "outcome"), "Items that Kafka has, by source: taken, or refused (a dead letter)."
    ),
    Metric(
        "kairos_collector_kafka_seconds",
        "histogram",
        (),
        "How long a request waited for Kafka's acknowledgement.",
        (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    Metric(
        "kairos_collector_waiting_bytes",
        "gauge",
        (),
        "Bytes that the collector holds: bodies still coming, and items that wait for Kafka's acknowledgement.",
    ),
)
"""What a collector has to say; all others are a worker's."""

DELIVERY_METRICS = (
    Metric(
        "kairos_deliveries",
        "counter",
        ("endpoint", "outcome"),
        "What became of requests: delivered, expired, refused, given_up, unreadable; and of attempts: failed, throttled, gone.",
    ),
    Metric(
        "kairos_delivery_seconds",
        "histogram",
        ("endpoint",),
        "From Kairos's decision to the endpoint's answer that it has it: insight to action.",
    ),
    Metric("kairos_delivery_attempt_seconds", "histogram", ("endpoint",), "How long an endpoint took to answer, or not to."),
    Metric("kairos_delivery_lag_records", "gauge", ("endpoint",), "Records that the endpoint's group has not read yet."),
    Metric(
        "kairos_delivery_waiting", "gauge", ("endpoint",), "Requests in hand: on their way, waiting for one before, or to be tried again."
    ),
    Metric(
        "kairos_endpoint_disabled", "gauge", ("endpoint",), "1 while the endpoint is switched off (it answered 410, or an operator did it)."
    ),
    Metric(
        "kairos_endpoint_broken", "gauge", ("endpoint",), "1 while the endpoint's circuit breaker is open: it fails, and is only probed."
    ),
)
"""What `kairos deliver` has to say; endpoints are named by their file, so labels stay few."""

BY_NAME = {metric.name: metric for metric in (*METRICS, *COLLECTOR_METRICS, *DELIVERY_METRICS)}
