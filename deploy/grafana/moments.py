"""*Moments and deliveries*: what was said of the right moment, what held it back, and whether it arrived."""

from deploy.grafana.shapes import Board, Line, Panel, Row, greatest, quantiles, rate, total

MOMENTS, DELIVERIES = "kairos_moments_total", "kairos_deliveries_total"

BOARD = Board(
    "moments",
    "Kairos: Moments and deliveries",
    "Moments by verdict, why they were held back, how soon they are released, and what became of their deliveries.",
    (
        Row(
            "Moments",
            (
                Panel(
                    "Moments by verdict",
                    "cps",
                    "Moments published a second: fired (released), suppressed, expired, or retracted.",
                    (Line(rate(MOMENTS, "status"), "{{status}}"),),
                    "stacked",
                ),
                Panel(
                    "Released, by name",
                    "cps",
                    "Moments released a second, by their rule.",
                    (Line(rate(MOMENTS, "moment", where='status="fired"'), "{{moment}}"),),
                ),
                Panel(
                    "Held back, by reason",
                    "cps",
                    "Moments that were not released, by what held them back (docs/verdicts.md).",
                    (Line(rate(MOMENTS, "reason", where='status=~"suppressed|expired"'), "{{reason}}"),),
                ),
            ),
        ),
        Row(
            "How soon",
            (
                Panel(
                    "From reception to released moment",
                    "s",
                    "From the reception of the interaction that led to a moment to the commit of its release; moments of time alone are not in it.",
                    quantiles("kairos_moment_seconds"),
                    limit=1,
                ),
                Panel(
                    "From decision to delivery",
                    "s",
                    "From Kairos's decision to the endpoint's answer that it has it.",
                    quantiles("kairos_delivery_seconds", "endpoint", shares=(0.5, 0.99)),
                ),
                Panel(
                    "Outcomes, by how soon",
                    "cps",
                    "Outcomes that came back a second (delivered, opened, acted, converted), by how long after the release: from insight to action.",
                    (Line(rate("kairos_outcomes_total", "kind", "within"), "{{kind}} within {{within}}"),),
                    "stacked",
                ),
            ),
        ),
        Row(
            "Deliveries",
            (
                Panel(
                    "By outcome",
                    "cps",
                    "What became of requests (delivered, expired, refused, given up), and of attempts (failed, throttled, gone), a second.",
                    (Line(rate(DELIVERIES, "outcome"), "{{outcome}}"),),
                    "stacked",
                ),
                Panel(
                    "By endpoint and outcome",
                    "cps",
                    "The same by endpoint.",
                    (Line(rate(DELIVERIES, "endpoint", "outcome"), "{{endpoint}} {{outcome}}"),),
                ),
                Panel(
                    "Disabled or broken",
                    "none",
                    "1 for an endpoint that gets nothing until it is enabled again (410, or an operator), and for one that fails and is only probed.",
                    (
                        Line(greatest("kairos_endpoint_disabled", "endpoint"), "{{endpoint}} disabled"),
                        Line(greatest("kairos_endpoint_broken", "endpoint"), "{{endpoint}} broken"),
                    ),
                    limit=1,
                ),
                Panel(
                    "Records that wait",
                    "short",
                    "Records that an endpoint's group has not read yet.",
                    (Line(total("kairos_delivery_lag_records", "endpoint"), "{{endpoint}}"),),
                ),
            ),
        ),
    ),
)
