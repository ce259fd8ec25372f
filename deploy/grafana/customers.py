"""*Customers and journeys*: who stands where, who moves, and what time does."""

from deploy.grafana.shapes import Board, Line, Panel, Row, age, greatest, rate, total

BOARD = Board(
    "customers",
    "Kairos: Customers and journeys",
    "Where customers stand in their journeys, how they move, and what is published of them.",
    (
        Row(
            "Stages",
            (
                Panel(
                    "Customers by stage",
                    "short",
                    "How many customers stand in each stage of each journey.",
                    (Line(total("kairos_customers", "journey", "stage"), "{{journey}}: {{stage}}"),),
                    "stacked",
                ),
                Panel(
                    "Moves by stage",
                    "cps",
                    "Stage changes published a second, by where they lead.",
                    (Line(rate("kairos_stage_changes_total", "journey", "to", where='retracted="false"'), "{{journey}}: to {{to}}"),),
                ),
            ),
        ),
        Row(
            "Segments, and what was taken back",
            (
                Panel(
                    "Segments entered and left",
                    "cps",
                    "Segment changes published a second; entered true or false.",
                    (
                        Line(
                            rate("kairos_segment_changes_total", "segment", "entered", where='retracted="false"'), "{{segment}} {{entered}}"
                        ),
                    ),
                ),
                Panel(
                    "Taken back",
                    "cps",
                    "Stage changes that a late interaction, a merge or a split made untrue, a second.",
                    (Line(rate("kairos_stage_changes_total", "journey", where='retracted="true"'), "{{journey}}"),),
                ),
            ),
        ),
        Row(
            "Profiles",
            (
                Panel(
                    "Profiles published",
                    "cps",
                    "Profiles a second; one a customer and batch.",
                    (Line(rate("kairos_profiles_total"), "profiles"),),
                ),
                Panel(
                    "Folds by how",
                    "cps",
                    "Incremental: the new interactions alone. Refold: the timeline again, after something late, a merge, a split or a new rule.",
                    (Line(rate("kairos_customers_folded_total", "how"), "{{how}}"),),
                    "stacked",
                ),
            ),
        ),
        Row(
            "Time",
            (
                Panel(
                    "Partition time behind the clock",
                    "s",
                    "How far the time up to which deadlines have fallen due is behind the wall clock, by partition; under the replay clock it says nothing.",
                    (Line(greatest(age("kairos_partition_time_timestamp_seconds"), "partition"), "partition {{partition}}"),),
                    limit=60,
                ),
                Panel(
                    "Deadlines",
                    "cps",
                    "Deadlines of customers that fell due a second: silences, abandoned carts, segments that age out.",
                    (Line(rate("kairos_deadlines_drained_total"), "fell due"),),
                ),
            ),
        ),
    ),
)
