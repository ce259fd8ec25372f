"""`kairos who`: one customer, found by an identifier or an id."""

from __future__ import annotations

import click

from streams.cli import options


@click.command(
    epilog="\b\nExamples:\n  kairos who crm_id:17850\n  kairos who email:ann@kairos.shop --json\n  kairos who cabjq2m7wx            # an id, or its beginning",
)
@click.argument("identifier")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="So many of the newest interactions; 0: all."
)
@options.broker
@options.as_json
@options.outside
def command(identifier: str, count: int, broker: str, as_json: bool) -> None:
    """The profile, the identifiers and the timeline of the customer whom IDENTIFIER names: TYPE:VALUE, or a customer id.

    An id that was merged into another is followed. The profile is the newest that was published, the timeline what the workers hold.
    """
    import msgspec

    from connectors.consumer import read_topic
    from schemas import topics
    from streams.cli import customer, options, portrait, screen, session

    settings = options.settings()
    with session.connected(settings, broker) as kafka:
        profiles = customer.newest_profiles(read_topic(kafka.bootstrap, topics.PROFILES))
        found = customer.find(profiles, identifier, settings)
        if isinstance(found, customer.NotFound):
            raise options.Failure(found.why)
        timeline = customer.timeline(read_topic(kafka.bootstrap, kafka.changelog), found.profile, settings)
    shown = timeline.touches[-count:] if count else timeline.touches
    if as_json:
        click.echo(
            msgspec.json.encode(
                {
                    "profile": found.profile,
                    "path": found.path,
                    "timeline": [customer.value(touch) for touch in shown],
                    "older": timeline.older,
                    "moments": timeline.moments,
                }
            )
        )
    else:
        portrait.show(screen.console(), found, timeline, shown)
