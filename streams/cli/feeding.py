"""The run of a replay: its workers, its feeder, the wait until nothing is left, and how far it is.

The rule this module owns: whatever happens, the workers end with the run, and the record says how far it came.
"""

from __future__ import annotations

import getpass
import signal
import sys
import time
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from schemas import topics
from streams.cli import options, screen, session
from streams.cli.options import Failure
from streams.cli.replaying import now, same_cluster, told
from streams.cli.session import Session
from streams.cli.settle import Progress, Watch, closed
from streams.cli.workers import WorkerDied, Workers
from streams.replay import archive, run
from streams.replay.archive import Note, Ran
from streams.replay.plan import PEOPLE
from streams.replay.run import Fed, Feeder
from streams.replay.shadow import INPUTS
from streams.settings import Settings

LOOK_SECONDS = 0.5
SAVE_SECONDS = 2.0
LINE_SECONDS = 10.0
"""Where there is no terminal, how often it says how far it is."""
SETTLED_LOOKS = 2
STALL_SECONDS_MAX = 120.0
"""A run in which nothing has moved for this long is given up; it can be run again."""
COUNTED = ("fed", "repaired", "outside", "unreadable", "times")


def perform(name: str | None, rate: float | None, workers: int, actor: str | None, broker: str) -> Note:
    """Run a replay to its end; its record."""
    settings = options.settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # Unwinds, so that all is stopped.
    with told():
        note = archive.load(settings.data_dir, name)
        with archive.held(settings.data_dir, note.plan.name), session.connected(settings, broker) as kafka:
            same_cluster(kafka, note.plan)
            if note.state == "cleaned":
                raise Failure(f"Replay {note.plan.name} was cleaned away: plan another.")
            note.runs.append(Ran(by=actor or getpass.getuser(), at=now(), rate=rate))
            note.state = "stopped"  # Until it is done; that it goes on is told by its lock.
            archive.save(settings.data_dir, note)
            try:
                _run(settings, kafka, note, rate, workers)
                note.state, note.runs[-1].outcome = "done", "done"
            except WorkerDied as death:
                note.runs[-1].outcome = "a worker ended"
                raise Failure(str(death)) from None
            except BaseException as stopped:
                note.runs[-1].outcome = "stopped" if isinstance(stopped, KeyboardInterrupt | SystemExit) else type(stopped).__name__
                raise
            finally:
                note.runs[-1].ended = now()
                archive.save(settings.data_dir, note)
    return note


def _run(settings: Settings, kafka: Session, note: Note, rate: float | None, count: int) -> None:
    plan = note.plan
    plan.own.create(kafka.bootstrap, plan.partitions)
    letters = run.mended(kafka.bootstrap, plan)
    note.repaired, note.left = letters.repaired, letters.left
    directory = archive.directory(settings.data_dir, plan.name)
    environment = plan.own.environment(settings, plan.partitions, plan.shadow.journeys, plan.policy)
    with (
        Workers(count, directory, kafka.bootstrap, environment) as workers,
        Feeder(kafka.bootstrap, plan, letters, rate) as feeder,
        _Shown(settings.data_dir, note, kafka.bootstrap) as shown,
    ):

        def tell(fed: Fed) -> None:
            workers.check()
            shown.fed(fed)

        shown.fed(feeder.progress())
        shown.fed(feeder.feed(tell), last=True)
        _settle(workers, shown)
        compared = [plan.own.changelog, *map(plan.own.topic, (*PEOPLE, topics.DEAD_LETTERS))]
        if not closed(kafka.bootstrap, plan.own.app_id, compared, plan.partitions, STALL_SECONDS_MAX):
            raise Failure("A transaction is still open on a topic of the shadow, though nothing is left to do: see the broker's log.")


def _settle(workers: Workers, shown: _Shown) -> None:
    """Until nothing is left to do."""
    settled, moved, last = 0, time.monotonic(), None
    while settled < SETTLED_LOOKS:
        time.sleep(LOOK_SECONDS)
        workers.check()
        seen = shown.look()
        settled = settled + 1 if shown.watch.is_settled(seen) else 0
        if seen != last:
            last, moved = seen, time.monotonic()
        elif time.monotonic() - moved > STALL_SECONDS_MAX:
            raise Failure(f"Nothing has moved for {STALL_SECONDS_MAX:g} s, with work left.\n{workers.tails()}")


class _Shown:
    """How far a run is: bars with the time that is left on a terminal, else a line now and then; and in the record."""

    def __init__(self, data_directory: Path, note: Note, bootstrap: str) -> None:
        own = note.plan.own
        self.watch = Watch(bootstrap, own.app_id, [own.topic(name) for name in INPUTS], note.plan.partitions)
        self._data_directory = data_directory
        self._note = note
        self._began = self._looked = self._saved = self._spoken = time.monotonic()
        self._first: int | None = None
        self._bars: Bars | None = None
        self._feeding = self._deciding = TaskID(0)

    def __enter__(self) -> _Shown:
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bars = Bars(*columns, console=screen.console(error=True))
            self._feeding = self._bars.add_task("fed", total=self._note.plan.offsets())
            self._deciding = self._bars.add_task("decided", total=None)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.close()
        if self._bars is not None:
            self._bars.stop()

    def fed(self, fed: Fed, last: bool = False) -> None:
        """So much was fed."""
        self._note.fed = fed.done
        self._note.counts = {name: fed.counts.get(name, 0) for name in COUNTED}
        instant = time.monotonic()
        self._first = fed.done if self._first is None else self._first
        if self._bars is not None:
            self._bars.update(self._feeding, completed=fed.done)
        if last or instant - self._saved > SAVE_SECONDS:
            self._saved = instant
            archive.save(self._data_directory, self._note)
        if instant - self._looked > LOOK_SECONDS:
            self.look()
        if self._bars is None and instant - self._spoken > LINE_SECONDS:
            self._spoken = instant
            click.echo(line(fed, self._first, instant - self._began), err=True)

    def look(self) -> Progress:
        """How far the workers are."""
        seen = self.watch.look()
        self._looked = time.monotonic()
        if self._bars is not None:
            done, left = (sum(each(topic) for topic in map(self._note.plan.own.topic, INPUTS)) for each in (seen.done, seen.lag))
            self._bars.update(self._deciding, completed=done, total=done + left)
        return seen


def line(fed: Fed, first: int, seconds: float) -> str:
    """`fed 12,000 of 25,900 offsets (46%), 2,400 a second, 6 s left`."""
    pace = (fed.done - first) / seconds if seconds > 0 else 0.0
    left = f"{(fed.offsets - fed.done) / pace:,.0f} s left" if pace > 0 else "no end in sight yet"
    share = 1.0 if not fed.offsets else fed.done / fed.offsets
    return f"fed {fed.done:,} of {fed.offsets:,} offsets ({share:.0%}), {pace:,.0f} a second, {left}"
