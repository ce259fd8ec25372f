"""`kairos replay`: history once more, into a shadow, to see what would have been said otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli import options

if TYPE_CHECKING:
    from streams.replay.archive import Note

_EXAMPLES = """\b
Examples:
  kairos replay plan --why "nothing changed: nothing may differ"
  kairos replay plan --journeys my_rules.py --why "at risk after 60 days"
  kairos replay plan --policy new-policy.json --arrived-from 2026-03-01T00:00:00Z
  kairos replay plan --dead-letters mapping.toml --why "the till's new field names"
  kairos replay run --rate 2000
  kairos replay status
  kairos replay diff
  kairos replay diff --json > differences.json
  kairos replay promote
  kairos replay clean"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAME = click.argument("name", required=False)
_BY = click.option("--actor", envvar="KAIROS_ACTOR", help="Who does it.  [default: KAIROS_ACTOR, or who is logged in]")


@click.group("replay", epilog=_EXAMPLES)
def command() -> None:
    """Play what came once more, into a shadow with topics, group and state of its own, and compare it with what is live.

    What is live is read and never written, but for `promote`, which puts mended dead letters back. The shadow's topics are named
    replay.NAME.journey...; all that it says carries `replayed`. Without NAME the newest replay is meant. docs/replay.md goes through it all.
    """


@command.command()
@click.option("--name", help="A name of its own: small letters, digits, dashes.  [default: the time]")
@click.option("--why", default="", help="What it is for; the record of replays keeps it.")
@_BY
@click.option(
    "--journeys",
    help="The shadow's rules: names of modules in streams/journeys/, or files of such (FILE.py), comma-separated.  [default: the live ones]",
)
@click.option("--policy", type=_FILE, help="The shadow's identity policy: JSON, TOML or Python.  [default: the live one]")
@click.option("--occurred-from", callback=options.instant, metavar="TIME", help="Only what occurred then or later (RFC 3339).")
@click.option("--occurred-to", callback=options.instant, metavar="TIME", help="Only what occurred before.")
@click.option("--arrived-from", callback=options.instant, metavar="TIME", help="Only what Kafka took then or later.")
@click.option("--arrived-to", callback=options.instant, metavar="TIME", help="Only what Kafka took before.")
@click.option(
    "--offsets",
    multiple=True,
    metavar="PARTITION:FROM-TO",
    help="Only these offsets, TO not among them; of other partitions none. Repeatable.",
)
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only interactions that this system reports (source.system). Repeatable."
)
@click.option(
    "--dead-letters", "mapping", type=_FILE, help="Mend what was refused by this mapping (TOML or JSON) and feed it in its place."
)
@click.option("--only-dead-letters", is_flag=True, help="Feed no interactions but the mended ones.")
@click.option("--until", callback=options.instant, metavar="TIME", help="Let time run on to this instant: deadlines up to it fall due.")
@options.broker
@options.as_json
@options.outside
def plan(broker: str, as_json: bool, offsets: tuple[str, ...], only_dead_letters: bool, mapping: Path | None, **given: Any) -> None:
    """Note what is to be replayed, by which rules, and the offsets up to which it will be compared. Nothing runs yet.

    All that the interactions' topic still holds is meant, unless options say less; commands about who is who are always replayed.
    """
    from streams.cli import replaying

    if only_dead_letters and mapping is None:
        raise click.UsageError("--only-dead-letters needs --dead-letters MAPPING.")
    note = replaying.planned(broker, _ranges(offsets), only_dead_letters, mapping, **given)
    _print(note, as_json)


@command.command()
@_NAME
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Records a second at most; without it, as fast as it goes."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@_BY
@options.broker
@options.as_json
@options.outside
def run(name: str | None, rate: float | None, workers: int, actor: str | None, broker: str, as_json: bool) -> None:
    """Feed the shadow what the plan names, and wait until its workers are through.

    Killed or stopped, it goes on where it was when it is run again. Records that fail in Kairos itself are set aside as the shadow's dead letters.
    """
    from streams.cli import feeding

    _print(feeding.perform(name, rate, workers, actor, broker), as_json)


@command.command()
@_NAME
@options.as_json
@options.outside
def status(name: str | None, as_json: bool) -> None:
    """Say what replays there were and are: who made them, when and why, how far they are. With NAME, one of them in full."""
    import msgspec

    from streams.cli import replaying, replays, screen
    from streams.replay import archive

    data_directory = options.settings().data_dir
    if name is None:
        known = archive.notes(data_directory)
        if as_json:
            click.echo(msgspec.json.encode(known))
        else:
            replays.show_all(screen.console(), known, data_directory)
        return
    with replaying.told():
        _print(archive.load(data_directory, name), as_json)


@command.command()
@_NAME
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="So many differences of each kind; 0: all."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where anything differs.")
@options.broker
@options.as_json
@options.outside
def diff(name: str | None, count: int, exit_code: bool, broker: str, as_json: bool) -> None:
    """Compare the shadow with the live application as it was at the plan's offsets: people, stages, segments, moments.

    Each difference is told with why: `rule` (it means something else), `policy` (evidence is joined otherwise), `late_data` (only one side has all that
    it rests on), `unexplained` (it should not be). Verdicts stand outside: how many moments of each status there are is shown below.
    """
    import msgspec

    from streams.cli import differences, replaying, screen

    note, found = replaying.compared(name, broker)
    if as_json:
        click.echo(msgspec.json.encode(differences.plain(note, found)))
    else:
        differences.show(screen.console(), note, found, count)
    if exit_code and found.differences:
        raise click.exceptions.Exit(1)


@command.command()
@_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@_BY
@options.broker
@options.as_json
@options.outside
def promote(name: str | None, yes: bool, actor: str | None, broker: str, as_json: bool) -> None:
    """Put the dead letters that a replay has mended back onto the live topic, where live workers take them in.

    Only what the shadow has taken in is put back, once, each with the id that it had: whatever is there already stays as it is. `diff` shows
    beforehand what comes of it.
    """
    from streams.cli import replaying

    _print(replaying.promoted(name, broker, yes, actor), as_json)


@command.command()
@_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.broker
@options.outside
def clean(name: str | None, yes: bool, broker: str) -> None:
    """Delete the shadow: its topics, its groups, its state. What is live is not touched, and the record of the replay stays."""
    from streams.cli import replaying

    note, deleted = replaying.cleaned(name, broker, yes)
    click.echo(f"Deleted {len(deleted)} topics of replay {note.plan.name}, its groups and its state; the record of it stays.")


def _ranges(written: tuple[str, ...]) -> dict[int, tuple[int, int]]:
    """`0:100-200` by partition."""
    found = {}
    for one in written:
        partition, colon, ends = one.partition(":")
        begin, dash, end = ends.partition("-")
        if not (colon and dash and partition.isdecimal() and begin.isdecimal() and end.isdecimal() and int(begin) <= int(end)):
            raise click.BadParameter(f"{one!r} is no range of offsets; write it as 0:1000-2000.", param_hint="--offsets")
        if int(partition) in found:
            raise click.BadParameter(f"partition {partition} is named twice.", param_hint="--offsets")
        found[int(partition)] = (int(begin), int(end))
    return found


def _print(note: Note, as_json: bool) -> None:
    import msgspec

    from streams.cli import replays, screen

    if as_json:
        click.echo(msgspec.json.encode(note))
    else:
        replays.show(screen.console(), note, options.settings().data_dir)
