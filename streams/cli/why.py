"""`kairos why`: what makes two identifiers one person, or what keeps them apart."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli import options


@click.command(
    epilog="\b\nExamples:\n  kairos why email:ann@brand.co crm_id:17850\n  kairos why crm_id:17850 crm_id:7 --graph why.svg\n"
    "  kairos why phone:02079460999 c7abq2m7wx... --json",
)
@click.argument("a")
@click.argument("b")
@options.graph
@options.broker
@options.as_json
@options.outside
def command(a: str, b: str, graph: Path | None, broker: str, as_json: bool) -> None:
    """Why A and B are the same person: the shortest chain of links, with the interactions that made each; or the rule that kept them apart.

    Each is TYPE:VALUE, a conflict's TYPE:#HASH or a whole customer id. Exits with 0 for either answer, with 1 where one of them was never seen.
    """
    import msgspec

    from connectors.consumer import read_topic
    from streams import app
    from streams.cli import evidence, named, picture, reasons, screen, session, ties
    from streams.identity import explain

    settings = options.settings()
    policy = app.policy_of(settings)
    asked = [named.identifier(written, policy) for written in (a, b)]
    with session.connected(settings, broker) as kafka:
        found, unseen = evidence.gather(lambda: read_topic(kafka.bootstrap, kafka.changelog), [one.key for one in asked], policy)
    for one in asked:
        if one.key in unseen:
            raise options.Failure(f"{one.written} was never seen, or was erased: there is no interaction with it.")
        if one.name is not None:
            found.names.setdefault(one.key, one.name)
    left, right = (one.key for one in asked)
    why = explain.why(found.judged, left, right)
    if graph is not None:
        graph.write_text(picture.why(found, left, right, why))
    if as_json:
        click.echo(msgspec.json.encode(reasons.answer(found, left, right, why)))
    else:
        ties.show_why(screen.console(), found, left, right, why)
