"""What the commands of `kairos replay` do but for the run itself: plan, compare, promote, clean.

The rule this module owns: a plan is frozen in this order: when live workers have done what there was, outputs, inputs, then the time. So what comes live
while somebody plans is fed, or not there at all; and no tick that is in the outputs came after the time.
"""

from __future__ import annotations

import getpass
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import click

from schemas import topics
from streams import app, instants
from streams.app import UnknownJourney
from streams.broker import admin
from streams.cli import options, session
from streams.cli.options import Failure
from streams.cli.session import Session
from streams.cli.settle import Watch
from streams.language.check import RulesRefused
from streams.replay import archive, as_of, plan, promote, repair, run, sides
from streams.replay.archive import InUse, NoSuchReplay, Note, Promoted
from streams.replay.clean import Busy, NotOurs, clean
from streams.replay.diff import Found, compare
from streams.replay.plan import OutsideTheTopic, Plan, Scope
from streams.replay.repair import TooMuch, WrongMapping
from streams.replay.shadow import INPUTS, NAME
from streams.settings import Settings

SETTLE_SECONDS_MAX = 15.0
"""So long a plan waits for live workers that have still something to do."""
LOOK_SECONDS = 0.25


class Live(NamedTuple):
    """The application that is replayed: its partitions, its clock and its rules."""

    partitions: int
    clock: Literal["live", "replay"]
    journeys: tuple[str, ...]


@contextmanager
def told() -> Iterator[None]:
    """What a replay cannot do, in a line: 2 where the call is wrong, 1 where the world is."""
    try:
        yield
    except (UnknownJourney, WrongMapping, OutsideTheTopic, RulesRefused) as wrong:
        raise click.UsageError(str(wrong)) from None
    except (NoSuchReplay, InUse, Busy, NotOurs, TooMuch) as failed:
        raise Failure(str(failed)) from None


def planned(
    broker: str,
    offsets: dict[int, tuple[int, int]],
    only_dead_letters: bool,
    mapping: Path | None,
    *,
    name: str | None,
    why: str,
    actor: str | None,
    journeys: str | None,
    policy: Path | None,
    until: int | None,
    sources: tuple[str, ...],
    **times: int | None,
) -> Note:
    """Freeze a plan and keep it; nothing is made on Kafka."""
    settings = options.settings()
    name = name or datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    if not NAME.fullmatch(name):
        raise click.UsageError(f"{name!r} is no name: small letters, digits and dashes, at most 40, no dash first.")
    scope = Scope(offsets=offsets, sources=sources, only_dead_letters=only_dead_letters, **times)
    with told(), session.connected(settings, broker) as kafka, archive.held(settings.data_dir, name):
        if any(note.plan.name == name for note in archive.notes(settings.data_dir)):
            raise click.UsageError(f"There is a replay named {name}: `kairos replay status {name}` shows it. Name another.")
        repairs = {} if mapping is None else dict(repair.read(mapping))
        live = _live(settings, kafka)
        rules, file = _own_files(settings, name, live, journeys, policy)
        made = _frozen(settings, kafka, live, scope, rules, file, repairs, name, until)
        note = Note(plan=made, by=actor or getpass.getuser(), at=now(), why=why)
        archive.save(settings.data_dir, note)
    return note


def compared(name: str | None, broker: str) -> tuple[Note, Found]:
    """What differs between the live application and the shadow of a replay that is done."""
    settings = options.settings()
    with told():
        note = archive.load(settings.data_dir, name)
        if note.state != "done":
            raise Failure(
                f"Replay {note.plan.name} is {note.state}, so there is nothing to compare: `kairos replay run {note.plan.name}` first."
            )
        with session.connected(settings, broker) as kafka:
            same_cluster(kafka, note.plan)
            by = as_of.in_force(note.plan, app.policy_of(settings))
            return note, compare(sides.live(kafka.bootstrap, note.plan, by), sides.shadow(kafka.bootstrap, note.plan), note.plan)


def cleaned(name: str | None, broker: str, yes: bool) -> tuple[Note, list[str]]:
    """Delete a shadow; the record of its replay, and the topics that are gone."""
    settings = options.settings()
    with told():
        note = archive.load(settings.data_dir, name)
        own = note.plan.own
        with archive.held(settings.data_dir, own.name), session.connected(settings, broker) as kafka:
            same_cluster(kafka, note.plan)
            if not yes:
                click.confirm(
                    f"Delete all topics {own.topic_prefix}* at {kafka.bootstrap}, and what else is the shadow's?", abort=True, err=True
                )
            deleted = clean(kafka.bootstrap, own)
            for path in archive.directory(settings.data_dir, own.name).glob("worker-*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            note.state = "cleaned"
            archive.save(settings.data_dir, note)
    return note, deleted


def promoted(name: str | None, broker: str, yes: bool, actor: str | None) -> Note:
    """Put the dead letters that a replay has mended onto the live topic, once; its record."""
    settings = options.settings()
    with told():
        note = archive.load(settings.data_dir, name)
        of = note.plan
        if note.promoted is not None:
            click.echo("They were put back before: nothing is done twice.", err=True)
            return note
        if not of.repairs:
            raise Failure(f"Replay {of.name} mends no dead letters: `kairos replay plan --dead-letters MAPPING` plans one that does.")
        if note.state != "done":
            raise Failure(f"Replay {of.name} is {note.state}: only what its shadow has taken in is put back, so it has to be done.")
        with archive.held(settings.data_dir, of.name), session.connected(settings, broker) as kafka:
            same_cluster(kafka, of)
            chosen = promote.choose(of, run.mended(kafka.bootstrap, of), promote.refused(kafka.bootstrap, of))
            if not yes:
                ask = f"Put {len(chosen.records):,} mended interactions onto {topics.INTERACTIONS} at {kafka.bootstrap}, for {of.app_id}?"
                click.confirm(ask, abort=True, err=True)
            promote.put_back(kafka.bootstrap, of, chosen.records)  # Or it was done by who was killed before it was noted.
            note.promoted = Promoted(by=actor or getpass.getuser(), at=now(), count=len(chosen.records), refused=chosen.refused)
            archive.save(settings.data_dir, note)
    return note


def same_cluster(kafka: Session, of: Plan) -> None:
    """Refuse another Kafka than the one that the plan was made for."""
    if admin.cluster_id(kafka.bootstrap) != of.cluster:
        raise Failure(
            f"{kafka.bootstrap} is another Kafka than the one that replay {of.name} was planned for: name that one with --broker."
        )


def now() -> str:
    """The wall clock, RFC 3339."""
    return instants.text(time.time_ns() // 1000)


def _live(settings: Settings, kafka: Session) -> Live:
    """What `kairos run` did, where it made what is there; else what the settings say."""
    changelog = kafka.changelog
    there = {topic.name: topic.partitions for topic in admin.describe_topics(kafka.bootstrap, [topics.INTERACTIONS, changelog])}
    if topics.INTERACTIONS not in there:
        raise Failure(f"There is no {topics.INTERACTIONS} at {kafka.bootstrap}: nothing has come that could be replayed.")
    if changelog not in there:
        raise Failure(f"No worker named {kafka.app_id} has run at {kafka.bootstrap} (there is no {changelog}): name it with KAIROS_APP_ID.")
    last = session.recall(settings.data_dir)
    if last is not None and last.app_id == kafka.app_id:
        return Live(there[topics.INTERACTIONS], "replay", last.journeys)
    return Live(there[topics.INTERACTIONS], settings.clock, settings.journeys)


def _own_files(settings: Settings, name: str, live: Live, journeys: str | None, policy: Path | None) -> tuple[tuple[str, ...], str | None]:
    """The shadow's journeys and policy; files are copied, so that what was planned is what runs."""
    wanted = live.journeys
    if journeys is not None:
        wanted = tuple(one.strip() for one in journeys.split(",") if one.strip())
    elif "journeys" in settings.model_fields_set:
        wanted = settings.journeys
    missing = app.journeys_missing(wanted)
    if missing:
        raise UnknownJourney(
            f"There is no journey named {', '.join(missing)}; there are {', '.join(app.journeys_known())}, and files of your own."
        )
    directory = archive.directory(settings.data_dir, name)
    kept = tuple(str(_copied(Path(one), directory / "journeys")) if one.endswith(".py") else one for one in wanted)
    return kept, None if policy is None else str(_copied(policy, directory / "policy"))


def _copied(path: Path, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, directory / path.name))


def _frozen(
    settings: Settings,
    kafka: Session,
    live: Live,
    scope: Scope,
    rules: tuple[str, ...],
    file: str | None,
    repairs: dict[str, repair.Repair],
    name: str,
    until: int | None,
) -> Plan:
    in_force = app.policy_of(settings)
    theirs = in_force if file is None else app.policy_in(Path(file), in_force)
    before, after = plan.versions(live.journeys, in_force), plan.versions(rules, theirs)
    in_flight = _in_flight(kafka, live.partitions)
    outputs = plan.outputs(kafka.bootstrap, kafka.changelog)
    inputs = plan.inputs(kafka.bootstrap, scope)
    letters = plan.letters(kafka.bootstrap) if repairs else []
    if until is None and live.clock == "live":
        until = time.time_ns() // 1000 if scope.arrived_to is None else min(scope.arrived_to, time.time_ns() // 1000)
    return Plan(
        name=name,
        app_id=kafka.app_id,
        cluster=admin.cluster_id(kafka.bootstrap),
        partitions=live.partitions,
        clock=live.clock,
        scope=scope,
        repairs=repairs,
        inputs=inputs,
        letters=letters,
        outputs=outputs,
        until=until,
        live=before,
        shadow=after,
        policy=file,
        in_flight=in_flight,
    )


def _in_flight(kafka: Session, partitions: int) -> int:
    """Wait for the live workers to be through; what they have still to do when that takes too long."""
    watch = Watch(kafka.bootstrap, kafka.app_id, INPUTS, partitions)
    try:
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            seen = watch.look()
            if watch.is_settled(seen):
                return 0
            if time.monotonic() > deadline:
                return sum(seen.lag(topic) for topic in INPUTS)
            time.sleep(LOOK_SECONDS)
    finally:
        watch.close()
