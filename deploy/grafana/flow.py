"""*Flow*: what comes in, what becomes of it, and how long it takes."""

from deploy.grafana.shapes import Board, Line, Panel, Row, greatest, quantiles, rate, total, within

LAG_SECONDS = "kairos_engine_lag_seconds"
READ, DEAD = "kairos_interactions_read_total", "kairos_interactions_dead_total"

BOARD = Board(
    "flow",
    "Kairos: Flow",
    "What comes in, what becomes of it, and how long it takes until it is in a profile.",
    (
        Row(
            "Now",
            (
                Panel("Interactions", "cps", "Records read from the interactions topic, a second.", (Line(rate(READ), "read"),), "number"),
                Panel(
                    "In their profile within 1 s",
                    "percentunit",
                    "The share of interactions whose profile was committed within a second of their reception; 99% are promised.",
                    (Line(within("kairos_profile_seconds", "1.0"), "within 1 s"),),
                    "number",
                    most=1,
                ),
                Panel(
                    "Oldest that waits",
                    "s",
                    "For how long the oldest record that is not processed has lain in its topic.",
                    (Line(greatest(LAG_SECONDS), "oldest"),),
                    "number",
                    limit=10,
                ),
                Panel(
                    "Refused",
                    "percentunit",
                    "The share of records that became dead letters.",
                    (Line(f"{rate(DEAD)} / {rate(READ)}", "refused"),),
                    "number",
                    limit=0.05,
                ),
            ),
        ),
        Row(
            "What becomes of it",
            (
                Panel(
                    "Interactions by what became of them",
                    "cps",
                    "Read, applied to a timeline, known already (duplicate), older than a timeline reaches (too late), or void by an erasure.",
                    (
                        Line(rate(READ), "read"),
                        Line(rate("kairos_interactions_applied_total"), "applied"),
                        Line(rate("kairos_interactions_duplicate_total"), "duplicate"),
                        Line(rate("kairos_interactions_too_late_total"), "too late"),
                        Line(rate("kairos_interactions_erased_total"), "erased"),
                    ),
                ),
                Panel(
                    "Dead letters by reason",
                    "cps",
                    "Records refused a second, by the reason that their dead letter names (docs/reasons.md); nothing where none was.",
                    (Line(f"{rate(DEAD, 'reason')} > 0", "{{reason}}"),),
                    "stacked",
                ),
            ),
        ),
        Row(
            "Where it comes from",
            (
                Panel(
                    "By source",
                    "cps",
                    "Interactions a second by source system; other: a system that the tracking plan does not name.",
                    (Line(rate("kairos_interactions_from_total", "source"), "{{source}}"),),
                    "stacked",
                ),
                Panel(
                    "By channel",
                    "cps",
                    "Interactions a second by the channel that they came through.",
                    (Line(rate("kairos_interactions_anchored_total", "channel"), "{{channel}}"),),
                    "stacked",
                ),
            ),
        ),
        Row(
            "How long it takes",
            (
                Panel(
                    "From reception to profile",
                    "s",
                    "From an interaction's reception to the commit of the profile that holds it.",
                    quantiles("kairos_profile_seconds"),
                    limit=1,
                ),
                Panel(
                    "Age of the oldest that waits",
                    "s",
                    "By topic, the oldest record of any partition that is not processed.",
                    (Line(greatest(LAG_SECONDS, "topic"), "{{topic}}"),),
                    limit=10,
                ),
                Panel(
                    "Records that wait",
                    "short",
                    "Lag by topic, all partitions together.",
                    (Line(total("kairos_engine_lag_records", "topic"), "{{topic}}"),),
                ),
            ),
        ),
        Row(
            "The collector",
            (
                Panel(
                    "Items by source and outcome",
                    "cps",
                    "Items that Kafka has, by the source of the write key: taken, or refused.",
                    (Line(rate("kairos_collector_items_total", "source", "outcome"), "{{source}} {{outcome}}"),),
                    "stacked",
                ),
                Panel(
                    "Requests by status",
                    "cps",
                    "Requests answered a second, by HTTP status; 429: too much waits, or a key sends too fast.",
                    (Line(rate("kairos_collector_requests_total", "status"), "{{status}}"),),
                    "stacked",
                ),
                Panel(
                    "Waiting for Kafka",
                    "s",
                    "How long requests waited for Kafka's acknowledgement.",
                    quantiles("kairos_collector_kafka_seconds"),
                ),
                Panel(
                    "Bytes that wait",
                    "bytes",
                    "Items that Kafka has not acknowledged yet; at 64 MiB the collector answers 429.",
                    (Line(total("kairos_collector_waiting_bytes"), "waiting"),),
                ),
            ),
        ),
    ),
)
