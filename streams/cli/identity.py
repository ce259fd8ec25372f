"""`kairos identity`: commands about who is who, each given by somebody for a reason, and answered by a receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from streams.cli import diff, evaluate, options

if TYPE_CHECKING:
    from rich.text import Text

    from schemas.command import Kind, Named
    from streams.cli.session import Session
    from streams.settings import Settings

F = TypeVar("F", bound=Callable[..., object])

_EXAMPLES = """\b
Examples:
  kairos identity unlink email:ann@kairos.shop crm_id:17850 --why "ticket 4711: a family shares the address"
  kairos identity link user_id:ann user_id:ann-again --why "ticket 4710: she forgot her login"
  kairos identity allow email:ann@kairos.shop crm_id:17850 --why "ticket 4711: the same person after all"
  kairos identity generic phone:+442079460000 --why "the call centre's own number"
  kairos identity unmark phone:+442079460000 --why "it is Ben's after all"
  kairos identity erase crm_id:17850 --why "asked for it, ticket 4712" --yes
  kairos identity erase crm_id:17850 --why "asked for it, ticket 4712" --deep
  kairos identity export crm_id:17850 --to ann.json --why "asked for it, ticket 4713"
  kairos identity evaluate build/hard
  kairos identity policy > new-policy.json
  kairos identity diff --policy new-policy.json"""

_WAIT = click.option(
    "--wait", "seconds", type=click.FloatRange(1), default=30.0, show_default=True, help="Wait so many seconds for the receipt."
)
_WHY = click.option("--why", required=True, help="The reason; the receipt keeps it for a year, so name no customer in it.")
_ACTOR = click.option("--actor", envvar="KAIROS_ACTOR", help="Who gives the command.  [default: KAIROS_ACTOR, or who is logged in]")


def _ordered(function: F) -> F:
    """What every command about identity takes."""
    for add in (options.outside, options.as_json, options.broker, _WAIT, _ACTOR, _WHY):
        function = add(function)
    return function


@click.group("identity", epilog=_EXAMPLES)
def command() -> None:
    """Make two identifiers one customer's, keep them apart, allow them again, mark a value as shared, forget a person; measure how well people are found, try
    another policy.

    A command goes to journey.commands.v1 and is carried out by the workers; its receipt on journey.identity.changes.v1 says by whose order, when and
    why, for a year, and names identifiers by keyed hashes only. Of commands about the same identifiers the newest holds. For TYPE:VALUE there may stand
    TYPE:#HASH, as the events of `kairos tail conflicts` name identifiers in the command that would decide otherwise.
    """


@command.command()
@click.argument("one")
@click.argument("other")
@_ordered
def link(one: str, other: str, **given: Any) -> None:
    """Make the identifiers ONE and OTHER (TYPE:VALUE) one customer's, whatever limits and evidence say, until an unlink or an allow about them.

    Where they are two customers now, these are merged. What is shared by too many still links nobody.
    """
    _give("link", (one, other), **given)


@command.command()
@click.argument("one")
@click.argument("other")
@_ordered
def unlink(one: str, other: str, **given: Any) -> None:
    """Keep the identifiers ONE and OTHER (TYPE:VALUE) apart: never one customer again, whatever links them.

    Where they are one customer now, that customer is split: both are as if the link had never been, and outputs that no longer hold are retracted.
    """
    _give("cannot_link", (one, other), **given)


@command.command()
@click.argument("one")
@click.argument("other")
@_ordered
def allow(one: str, other: str, **given: Any) -> None:
    """Take back an unlink or a link: the identifiers ONE and OTHER (TYPE:VALUE) may be one customer, and are again where the evidence says so."""
    _give("allow_link", (one, other), **given)


@command.command()
@click.argument("identifier")
@_ordered
def generic(identifier: str, **given: Any) -> None:
    """Mark IDENTIFIER (TYPE:VALUE) as shared by many: it links nobody any more, until it is unmarked."""
    _give("mark_generic", (identifier,), **given)


@command.command()
@click.argument("identifier")
@_ordered
def unmark(identifier: str, **given: Any) -> None:
    """Let IDENTIFIER (TYPE:VALUE) link again, whether it was marked or counted as shared by many; what it linked is linked as before.

    It is not counted any more: only a new mark makes it shared by many.
    """
    _give("unmark", (identifier,), **given)


@command.command()
@click.argument("identifier")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--deep", is_flag=True, help="Also rewrite at once the topics that keep records for a time.")
@click.option(
    "--although-others-lag",
    "regardless",
    is_flag=True,
    help="With --deep: also where other consumer groups have yet to read what is moved.",
)
@_ordered
def erase(identifier: str, yes: bool, deep: bool, regardless: bool, as_json: bool, broker: str, seconds: float, **given: Any) -> None:
    """Forget the person who holds IDENTIFIER (TYPE:VALUE), with all of theirs up to now. This cannot be taken back.

    The profile's record is emptied; what comes later of the time before is not kept. An interaction that names a strong identifier of theirs goes as well
    where it is another customer's, who is told as erased if nothing is left. Topics with a retention are clean once it has passed; with --deep at
    once, of everybody who was erased so far: records before the last one of theirs on a partition are moved to its end. Who reads them meets them
    once more there, unless it is Kairos. If it is broken off or refused, give the same command again.
    """
    from streams.cli import deep as deeply

    settings = options.settings()
    if deep and settings.mock:
        raise click.UsageError("--deep needs a real Kafka: the mock cannot delete records.")
    if not yes:
        click.confirm(f"Forget whoever holds {identifier}, for ever?", abort=True, err=True)
    receipt = _answered("erase", (identifier,), broker=broker, seconds=seconds, **given)
    if not deep:
        _tell(receipt, (identifier,), as_json)
        return
    if not as_json:
        _tell(receipt, (identifier,), as_json)
    try:
        done = deeply.carry_out(settings, broker, seconds, regardless)
    except options.Failure:
        if as_json:  # The erasure holds all the same.
            _tell(receipt, (identifier,), as_json)
        raise
    if as_json:
        _tell({**receipt, "rewritten": deeply.told(done)}, (identifier,), as_json)
    else:
        deeply.show(done)


@command.command()
@click.argument("identifier")
@click.option(
    "--to", "path", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file, to be read by you alone (mode 0600)."
)
@_ordered
def export(identifier: str, path: Path, broker: str, as_json: bool, **given: Any) -> None:
    """Write all that is held about whoever holds IDENTIFIER (TYPE:VALUE) to a file: for the person who asks for it.

    Profile, identifiers and why they belong, timeline with what producers sent, stages, segments, moments, merges and splits, conflicts, commands, and
    what was refused. Who asked, when and why is told in a receipt, as of every command.
    """
    from connectors.consumer import read_topic
    from streams.cli import customer, session, subject

    if path.exists():
        raise click.UsageError(f"{path} is there already: name a new file.")
    if not path.parent.is_dir():
        raise click.UsageError(f"{path} cannot be written: there is no directory {path.parent}.")
    settings = options.settings()
    receipt = _answered("export", (identifier,), broker=broker, **given)
    with session.connected(settings, broker) as kafka:
        said = subject.held(lambda topic: read_topic(kafka.bootstrap, topic), kafka.changelog, identifier, settings)
    if isinstance(said, customer.NotFound):
        raise options.Failure(said.why)
    subject.write(path, {"receipt": receipt, **said})
    _tell(receipt, (identifier,), as_json)


@command.command()
@options.outside
def policy() -> None:
    """Print the policy in force as JSON, without its secret: the beginning of another one, for `diff` and `evaluate`."""
    import orjson

    from streams import app
    from streams.cli import policies

    click.echo(orjson.dumps(policies.written(app.policy_of(options.settings())), option=orjson.OPT_INDENT_2))


command.add_command(evaluate.command, "evaluate")
command.add_command(diff.command, "diff")


def _give(kind: Kind, written: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Send one command, wait for its receipt, and say what changed."""
    _tell(_answered(kind, written, **given), written, as_json)


def _answered(kind: Kind, written: tuple[str, ...], why: str, actor: str | None, seconds: float, broker: str) -> dict[str, Any]:
    """Send one command; its receipt."""
    import getpass
    import time
    import uuid

    from schemas.command import Command
    from streams import instants
    from streams.cli import ordering, session

    settings = options.settings()
    asked = [_named(one, settings) for one in written]
    if len(set(asked)) < len(asked):
        raise click.UsageError(f"{written[0]} and {written[1]} are the same identifier.")
    if not why.strip():
        raise click.UsageError("--why is empty: say why, for whoever asks later.")
    at = instants.text(time.time_ns() // 1000)
    with session.connected(settings, broker) as kafka:
        named = [_known(one, written, kafka, settings) for one, written in zip(asked, written, strict=True)]
        given = Command(id=str(uuid.uuid4()), kind=kind, identifiers=named, actor=actor or getpass.getuser(), at=at, reason=why)
        answer = ordering.give(kafka.bootstrap, given, seconds)
    if answer.refused is not None:
        raise options.Failure(f"Refused as {answer.refused['reason']}: {answer.refused['detail']}.")
    if answer.missing:
        raise options.Failure(
            f"There is no topic {', '.join(answer.missing)}, so nothing was sent: `kairos topics create` makes the topics."
        )
    if answer.receipt is None:
        began = "Not waited for any longer" if answer.is_left else f"No receipt came within {seconds:g} s"
        raise options.Failure(
            f"{began}. Command {given.id} lies on its topic and is carried out as soon as a `kairos worker` gets to it; "
            f"then `kairos tail changes` shows its receipt. It need not be given again{', but for --deep' if kind == 'erase' else ''}."
        )
    return answer.receipt


def _tell(receipt: dict[str, Any], written: tuple[str, ...], as_json: bool) -> None:
    """Print a receipt; the exit code says whether it holds."""
    import orjson

    from streams.cli import screen

    if as_json:
        click.echo(orjson.dumps(receipt))
    else:
        screen.console().print(said(receipt, written), soft_wrap=True)
    if receipt.get("holds") is False:
        raise click.exceptions.Exit(1)


def said(receipt: dict[str, Any], written: tuple[str, ...]) -> Text:
    """A receipt in a few lines: what holds now, who was parted or joined, by which command."""
    from rich.text import Text

    from streams.cli import lines

    names = lines.clean(" and ".join(written))
    text = Text()
    if receipt.get("holds") is False:
        text.append(f"Not carried out: a later command about {names} holds. Is this machine's clock behind?\n", lines.STYLE_BAD)
    else:
        text.append(f"{_DONE[receipt['kind']].format(names)}\n", lines.STYLE_GOOD)
    text.append(f"  {_outcome(receipt)}\n")
    order = receipt["command"]
    text.append(
        f"  command {order['id']} by {lines.clean(order['actor'])}, {order['at']}: {lines.clean(order['reason'])}", lines.STYLE_QUIET
    )
    return text


_DONE = {
    "link": "{} are one customer's.",
    "cannot_link": "{} are kept apart.",
    "allow_link": "{} may be one customer again.",
    "mark_generic": "{} links nobody any more.",
    "unmark": "{} links again.",
    "export": "What is held about {} was written.",
    "erasure": "Whoever held {} is forgotten.",
}
"""By a receipt's kind, what holds now."""


def _outcome(receipt: dict[str, Any]) -> str:
    came, into = receipt["from"], receipt["into"]
    if receipt["kind"] == "erasure" and receipt.get("deleted") is not None:
        counts = ", ".join(f"{count:,} {what}" for what, count in receipt["deleted"].items())
        clean = f"; no topic holds it after {receipt['cleanBy']}" if receipt.get("cleanBy") else ""
        return f"{', '.join(came) or 'nobody had a profile'}; deleted: {counts or 'nothing'}{clean}"
    if receipt["kind"] == "export":
        return ", ".join(into) or "nobody"
    if came == into and len(into) > 1:
        return f"The same customers as before, though identifiers may have gone from one to another: {', '.join(into)}."
    if came == into:
        return f"Nobody was parted or joined: {', '.join(into)}." if into else "No customer holds them yet; it holds for whoever will."
    return f"{' and '.join(came) or 'nobody'} → {' and '.join(into) or 'nobody'}"


def _known(asked: Named | bytes, written: str, kafka: Session, settings: Settings) -> Named:
    """An identifier; of one that is told by its hash the value that the workers hold."""
    from connectors.consumer import read_topic
    from schemas.command import Named
    from streams import app
    from streams.cli import evidence

    if isinstance(asked, Named):
        return asked
    kind, colon, value = evidence.name_of(read_topic(kafka.bootstrap, kafka.changelog), asked, app.policy_of(settings)).partition(":")
    if not colon:
        raise options.Failure(
            f"Nothing that the workers hold names {written} any more: it was erased, is too old, or its hash is another Kairos's."
        )
    return Named(kind, value)


def _named(written: str, settings: Settings) -> Named | bytes:
    """An identifier of the command line, as far as it is one to the policy, or the key of one that is told by its hash (TYPE:#HASH, as conflicts have it):
    what would be refused later is told at once."""
    from schemas.command import Named
    from streams import app
    from streams.identity.changes import handled
    from streams.identity.identifiers import Blocked, Identifier, normaliser
    from streams.identity.policy import ranked

    policy = app.policy_of(settings)
    kind, colon, value = written.partition(":")
    hashed = handled(kind, value, ranked(policy.types))
    if hashed is not None:
        return hashed
    found = normaliser(policy).normalise(kind, value) if colon else None
    if isinstance(found, Identifier):
        return Named(found.type, found.value)
    if isinstance(found, Blocked):
        raise click.UsageError(f"{written!r} identifies nobody: as {found.type} it is {found.reason.replace('_', ' ')}.")
    known = ", ".join(kind.name for kind in policy.types)
    raise click.UsageError(f"{written!r} is no identifier: write it as TYPE:VALUE, with one of these types: {known}.")
