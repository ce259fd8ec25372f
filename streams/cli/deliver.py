"""`kairos deliver`: outputs to HTTP endpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from connectors.webhooks.config import Target
    from streams.settings import Settings

_EXAMPLES = """\b
Examples:
  kairos deliver secret
  kairos deliver --endpoints endpoints.toml
  kairos deliver status --endpoints endpoints.toml
  kairos deliver replay --endpoints endpoints.toml --endpoint crm --from 2026-11-22T09:00:00Z
  kairos deliver enable crm --why "it is back"
\b
endpoints.toml:
  [endpoints.crm]
  url = "https://crm.example/kairos"
  secrets = ["env:CRM_SECRET"]
  topics = ["moments", "segments"]"""

_FILE = click.option(
    "--endpoints",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The endpoints: docs/webhooks.md says what is in it.  [default: KAIROS_ENDPOINTS]",
)
_WHY = click.option("--why", required=True, help="The reason, kept with it.")


@click.group("deliver", epilog=_EXAMPLES, invoke_without_command=True)
@_FILE
@click.option("--only", "chosen", multiple=True, metavar="ENDPOINT", help="Deliver to this one, or these, of the file alone.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Port of /metrics, /healthz and /readyz; 0 takes a free one.")
@options.broker
@click.option("--json", "as_json", is_flag=True, help="Say what happens in JSON lines: {at, kind, endpoint, text}.")
@click.pass_context
@options.outside
def command(ctx: click.Context, file: Path | None, chosen: tuple[str, ...], metrics_port: int | None, broker: str, as_json: bool) -> None:
    """Deliver moments, stages, segments and profiles to HTTP endpoints as Standard Webhooks: signed, in each customer's order, at least once under one id.

    Runs until SIGTERM or Ctrl-C. What an endpoint does not take is tried again for hours, and then a dead letter (kairos tail undelivered). Start it as often
    as you like, on any machine: each endpoint's customers are shared out.
    """
    ctx.obj = file
    if ctx.invoked_subcommand is not None:
        return
    from connectors.runtime.delivery import Plan
    from streams.cli import session

    settings = options.settings(metrics_port=metrics_port)
    targets = _targets(settings, file, chosen)
    with session.connected(settings, broker, tell=_aside) as kafka:
        _check_topics(kafka.bootstrap, targets)
        at = None if settings.metrics_port is None else (settings.metrics_host, settings.metrics_port)
        plan = Plan(
            bootstrap=kafka.bootstrap,
            app_id=kafka.app_id,
            session_seconds=settings.session_timeout_seconds,
            instance_id=settings.instance_id,
        )
        _run(plan, targets, as_json, at)


@command.command(epilog="\b\nExamples:\n  kairos deliver replay --endpoint crm --from 2026-11-22T09:00:00Z")
@_FILE
@click.option("--endpoint", "name", required=True, help="The endpoint to send to again.")
@click.option(
    "--from", "since", required=True, metavar="TIME", callback=options.instant, help="Send again what was said since then (RFC 3339)."
)
@click.option("--expired", is_flag=True, help="Also moments past their expiresAt.")
@click.option("--replayed", is_flag=True, help="Also what is marked as replayed.")
@options.broker
@options.as_json
@click.pass_context
@options.outside
def replay(ctx: click.Context, file: Path | None, name: str, since: int, expired: bool, replayed: bool, broker: str, as_json: bool) -> None:
    """Send to an endpoint again what was said since a time, up to now, under the same ids; its live deliveries go on beside it.

    Interrupted, the same command goes on where it was.
    """
    from confluent_kafka import KafkaException
    from msgspec.structs import replace

    from connectors.runtime import groups
    from connectors.runtime.delivery import Plan, group_of
    from connectors.runtime.instants import rfc3339
    from streams.cli import session

    settings = options.settings()
    target = _targets(settings, file or ctx.obj, (name,))[0]
    told = target.endpoint
    target = replace(target, endpoint=replace(told, expired=told.expired or expired, replayed=told.replayed or replayed))
    with session.connected(settings, broker, tell=_aside) as kafka:
        _check_topics(kafka.bootstrap, [target])
        suffix = "replay-" + "".join(each for each in rfc3339(since) if each.isalnum())
        plan = Plan(bootstrap=kafka.bootstrap, app_id=kafka.app_id, replay=suffix, since=since)
        counts, is_over = _run(plan, [target], as_json, None, is_quiet=True)
        if not is_over:
            raise options.Failure(f"The replay to {name} is not over ({_counted(counts)}); the same command goes on where it was.")
        try:
            groups.forget(kafka.bootstrap, group_of(kafka.app_id, name, suffix))
        except KafkaException as error:
            raise options.Failure(f"All is delivered, but the group of the replay could not be deleted: {error}") from None
    _print({"endpoint": name, "from": rfc3339(since), **counts}, f"replayed to {name}: {_counted(counts)}", as_json)


@command.command(epilog="\b\nExamples:\n  kairos deliver status --json")
@_FILE
@options.broker
@options.as_json
@click.pass_context
@options.outside
def status(ctx: click.Context, file: Path | None, broker: str, as_json: bool) -> None:
    """How far each endpoint is: records not read yet, requests not done with, and of these tried in vain; and which are switched off."""
    from connectors.runtime import groups
    from connectors.runtime.delivery import group_of
    from connectors.runtime.notices import Switches
    from connectors.webhooks.mapping import Mapping
    from streams.cli import session

    settings = options.settings()
    targets = _targets(settings, file or ctx.obj, ())
    rows = []
    with session.connected(settings, broker, tell=_aside) as kafka:
        _check_topics(kafka.bootstrap, targets)
        switches = Switches(kafka.bootstrap)
        for target in targets:
            found = groups.standing(kafka.bootstrap, group_of(kafka.app_id, target.name), Mapping(target.endpoint).topics)
            switch = switches.states.get(target.name)
            row: dict[str, Any] = {"endpoint": target.name, "state": "enabled" if switch is None else switch.state}
            row |= {"why": "" if switch is None else switch.why, "begun": found is not None}
            row |= {"unread": None, "undone": None, "tried": None} if found is None else found._asdict()
            rows.append(row)
        switches.close()
    if as_json:
        _print(rows, "", True)
        return
    _table(rows)


@command.command()
@click.argument("endpoint")
@_WHY
@options.broker
@options.outside
def enable(endpoint: str, why: str, broker: str) -> None:
    """Switch ENDPOINT on again, after it answered 410 Gone or was switched off; it goes on where it was."""
    _switch(endpoint, "enabled", why, broker)


@command.command()
@click.argument("endpoint")
@_WHY
@options.broker
@options.outside
def disable(endpoint: str, why: str, broker: str) -> None:
    """Switch ENDPOINT off: what is for it waits on Kafka. One that runs knows within a second."""
    _switch(endpoint, "disabled", why, broker)


@command.command()
def secret() -> None:
    """Make a secret for an endpoint's signatures. It is kept nowhere: put it into a file or the environment, and give it to the receiver."""
    import base64
    import secrets

    click.echo("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


def _targets(settings: Settings, file: Path | None, chosen: tuple[str, ...]) -> list[Target]:
    from connectors.webhooks import config

    path = file or settings.endpoints
    if path is None:
        raise click.UsageError(
            "which endpoints? Name their file with --endpoints or KAIROS_ENDPOINTS; docs/webhooks.md says what is in it."
        )
    try:
        found = {target.name: target for target in config.load(path)}
    except config.Wrong as wrong:
        raise click.UsageError(str(wrong)) from None
    for name in chosen:
        if name not in found:
            raise click.UsageError(f"there is no endpoint {name!r} in {path}; there are: {', '.join(found)}.")
    return [target for name, target in found.items() if not chosen or name in chosen]


def _check_topics(bootstrap: str, targets: list[Target]) -> None:
    from connectors.webhooks.mapping import Mapping
    from schemas import topics
    from streams.broker import admin

    needed = {topics.ENDPOINTS, topics.DEAD_DELIVERIES}.union(*(Mapping(target.endpoint).topics for target in targets))
    missing = needed - {found.name for found in admin.describe_topics(bootstrap, needed)}
    if missing:
        raise options.Failure(f"There is no topic {min(missing)} on {bootstrap}: kairos topics create --broker {bootstrap}")


def _run(
    plan: Any, targets: list[Target], as_json: bool, at: tuple[str, int] | None, is_quiet: bool = False
) -> tuple[dict[str, int], bool]:
    """Deliver; what became of it by outcome, and whether it is over."""
    from prometheus_client import CollectorRegistry

    from connectors.runtime import process
    from connectors.webhooks import sink

    registry = CollectorRegistry()
    say = _aside_lines(as_json, is_quiet)

    def ready(port: int | None) -> None:
        where = "" if port is None else f"; http://{plan_host}:{port}/metrics"
        say("", "ready", f"delivering to {', '.join(target.name for target in targets)} from {plan.bootstrap}{where}")

    plan_host = at[0] if at else ""
    is_over = process.run(plan, [sink.endpoint(target) for target in targets], say, ready, registry, at)
    counted = {
        sample.labels["outcome"]: int(sample.value)
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "kairos_deliveries_total" and sample.value
    }
    return counted, is_over


def _aside_lines(as_json: bool, is_quiet: bool) -> Callable[[str, str, str], None]:
    """How a delivery says what happens: on standard output as JSON, else for people on standard error; a replay says there what is not its result."""
    import time

    import orjson

    from connectors.runtime.instants import rfc3339

    def say(endpoint: str, kind: str, text: str) -> None:
        if as_json:
            line = {"at": rfc3339(time.time_ns() // 1000), "kind": kind, "endpoint": endpoint or None, "text": text}
            click.echo(orjson.dumps(line).decode(), err=is_quiet)
        else:
            click.echo(f"{kind}: {endpoint + ' ' if endpoint else ''}{text}".rstrip(), err=True)

    return say


def _switch(endpoint: str, state: str, why: str, broker: str) -> None:
    import asyncio
    import time
    from datetime import datetime

    import msgspec

    from connectors.runtime import groups
    from connectors.runtime.delivery import group_of
    from connectors.runtime.instants import rfc3339, since_epoch
    from connectors.runtime.notices import Notices, Switches, Unwritten
    from schemas.delivery import EndpointSwitch
    from streams.cli import session

    settings, since = options.settings(), time.time_ns() // 1000
    with session.connected(settings, broker, tell=_aside) as kafka:
        _check_topics(kafka.bootstrap, [])
        switches = Switches(kafka.bootstrap)
        switches.close()
        before = switches.states.get(endpoint)
        if before is not None:  # Of what was said the newest holds: also where this machine's clock is behind that of who said it.
            since = max(since, since_epoch(datetime.fromisoformat(before.since)) + 1)
        elif not groups.is_known(kafka.bootstrap, group_of(kafka.app_id, endpoint)):
            _aside(f"Nobody has delivered to an endpoint {endpoint} yet: is it called so?")
        said = {"endpoint": endpoint, "state": state, "since": rfc3339(since), "by": "operator", "why": why}
        try:
            asyncio.run(Notices(kafka.bootstrap).switch(msgspec.convert(said, EndpointSwitch)))
        except Unwritten as unwritten:
            raise options.Failure(f"Kafka did not take it: {unwritten}") from None
    click.echo(f"{endpoint} is {state}.")


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from streams.cli import screen

    table = Table("endpoint", "state", "not read", "not done", "tried in vain", "why", box=None)
    for row in rows:
        numbers = [f"{row[each]:,}" if row["begun"] else "" for each in ("unread", "undone", "tried")]
        table.add_row(row["endpoint"], row["state"] if row["begun"] else f"{row['state']}, not begun", *numbers, row["why"])
    screen.console().print(table)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counts.items())) or "nothing"


def _print(value: object, line: str, as_json: bool) -> None:
    import orjson

    click.echo(orjson.dumps(value).decode() if as_json else line)


def _aside(words: str) -> None:
    click.echo(words, err=True)
