"""*Identity*: who turned out to be one, who did not, and what it costs to find out."""

from deploy.grafana.shapes import Board, Line, Panel, Row, greatest, rate, total

BOARD = Board(
    "identity",
    "Kairos: Identity",
    "Merges, splits and refused links, what identifiers are worth, and the messages by which partitions agree.",
    (
        Row(
            "People",
            (
                Panel(
                    "Merges, splits, erasures",
                    "cps",
                    "Customers a second who turned out to be another, were parted from another, or were erased.",
                    (
                        Line(rate("kairos_customers_merged_total"), "merged"),
                        Line(rate("kairos_customers_split_total"), "split"),
                        Line(rate("kairos_customers_erased_total"), "erased"),
                    ),
                ),
                Panel(
                    "Refused links by rule",
                    "cps",
                    "Links a second that would have joined people whom a rule keeps apart.",
                    (Line(rate("kairos_identity_conflicts_total", "rule"), "{{rule}}"),),
                    "stacked",
                ),
                Panel(
                    "Largest component",
                    "none",
                    "Identifiers of the largest component that was seen; above 1,000 its people are no longer resolved.",
                    (Line(greatest("kairos_component_identifiers_max"), "identifiers"),),
                    limit=1000,
                ),
            ),
        ),
        Row(
            "Identifiers",
            (
                Panel(
                    "Junk",
                    "cps",
                    "Identifiers a second that were refused as junk, by type; other: a type that the policy does not know.",
                    (Line(rate("kairos_identifiers_blocked_total", "type"), "{{type}}"),),
                    "stacked",
                ),
                Panel(
                    "Commands by kind",
                    "cps",
                    "Commands that were answered a second, by kind and whether they hold.",
                    (Line(rate("kairos_commands_carried_total", "kind", "holds"), "{{kind}}, holds: {{holds}}"),),
                ),
                Panel(
                    "Left to sweep",
                    "none",
                    "About how many rows are still to be judged under a changed policy, by partition; 0: everybody is resolved under the one in force.",
                    (Line(total("kairos_identity_sweep_left", "partition"), "{{partition}}"),),
                ),
            ),
        ),
        Row(
            "The protocol",
            (
                Panel(
                    "Messages by kind",
                    "cps",
                    "Messages of the identity protocol that were handled a second.",
                    (Line(rate("kairos_identity_messages_total", "message"), "{{message}}"),),
                    "stacked",
                ),
                Panel(
                    "Components absorbed",
                    "cps",
                    "Components that went into another a second: in place (local), or with all their rows to another partition (remote).",
                    (Line(rate("kairos_identity_absorbed_total", "hop"), "{{hop}}"),),
                ),
                Panel(
                    "Waiting and hooked",
                    "cps",
                    "Messages that had to wait for rows on their way, and identifiers that had nothing yet and needed no move.",
                    (Line(rate("kairos_identity_parked_total"), "parked"), Line(rate("kairos_identity_hooked_total"), "hooked")),
                ),
            ),
        ),
    ),
)
