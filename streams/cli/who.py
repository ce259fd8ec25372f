"""`kairos who`: one customer, found by an identifier or an id."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="\b\nExamples:\n  kairos who crm_id:17850\n  kairos who email:ann@kairos.shop --json\n  kairos who crm_id:17850 --graph ann.svg\n"
    "  kairos who cabjq2m7wx            # an id, or its beginning",
)
@click.argument("identifier")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="So many of the newest interactions; 0: all."
)
@options.graph
@options.broker
@options.as_json
@options.outside
def command(identifier: str, count: int, graph: Path | None, broker: str, as_json: bool) -> None:
    """The profile, the identifiers and the timeline of the customer whom IDENTIFIER names: TYPE:VALUE, a conflict's
    TYPE:#HASH, or a customer id.

    Of each identifier why it belongs: the links that lead to it and the interactions that made them; which links were refused, and by what rule;
    which customers were merged and split. `kairos why A B` says it of two identifiers.

    An id that was merged into another is followed. The profile is the newest that was published, the timeline what the workers hold.
    """
    import msgspec

    from connectors.consumer import read_topic
    from schemas import topics
    from streams import app
    from streams.cli import customer, evidence, options, picture, portrait, reasons, screen, session, ties
    from streams.identity.identifiers import canonical

    settings = options.settings()
    with session.connected(settings, broker) as kafka:
        profiles = customer.newest_profiles(read_topic(kafka.bootstrap, topics.PROFILES))
        found = customer.find(profiles, identifier, settings)
        if isinstance(found, customer.NotFound):
            raise options.Failure(found.why)
        timeline = customer.timeline(read_topic(kafka.bootstrap, kafka.changelog), found.profile, settings)
        key = canonical(found.profile["customerId"])
        if key is None:
            raise options.Failure(f"{found.profile['customerId']} is no person: nobody's identifiers are linked there.")
        known, _ = evidence.gather(lambda: read_topic(kafka.bootstrap, kafka.changelog), [key], app.policy_of(settings))
        changes = evidence.changes_of(read_topic(kafka.bootstrap, topics.IDENTITY_CHANGES), found.profile["customerId"])
    person = known.person(key)
    if graph is not None:
        graph.write_text(picture.person(known, person))
    shown = timeline.touches[-count:] if count else timeline.touches
    if as_json:
        click.echo(
            msgspec.json.encode(
                {
                    "profile": found.profile,
                    "path": found.path,
                    "identity": reasons.identity(known, person, [evidence.told(change) for change in changes]),
                    "timeline": [customer.value(touch) for touch in shown],
                    "older": timeline.older,
                    "moments": timeline.moments,
                }
            )
        )
    else:
        console = screen.console()
        portrait.show_customer(console, found, timeline.moments)
        ties.show(console, known, person, changes)
        portrait.show_timeline(console, timeline, shown)
