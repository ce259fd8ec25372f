"""What `kairos run` does around the job: the right view, the export, the summary, the exit code; and old runs cleared away."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from streams import app
from streams.cli import export, job, screen, session, summary
from streams.cli.options import Failure
from streams.cli.view import Plain, View
from streams.settings import Settings

RUNS_KEPT = 3


def perform(
    settings: Settings,
    source: Path,
    reader: str,
    broker: str,
    export_to: Path | None,
    *,
    until: int | None,
    workers: int,
    shuffle_seed: int | None,
    duplicates: float,
    as_json: bool,
    plain: bool,
) -> None:
    """Run, print, and exit with 1 where the counts do not reconcile; 130 after Ctrl-C, when all is stopped."""
    unknown = app.journeys_missing(settings.journeys)
    if unknown:
        raise click.UsageError(f"There is no journey named {', '.join(unknown)}; there are {', '.join(app.journeys_known())}.")
    plan = job.Plan(source, reader, broker, until, workers, shuffle_seed, duplicates)
    atexit.register(_end_hard_where_the_player_hangs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwinds, so that all is stopped
    clear_old_runs(settings.data_dir, RUNS_KEPT - 1)
    try:
        with export.whole(export_to) if export_to is not None else nullcontext() as writer:
            with _view(f"{reader} → {', '.join(settings.journeys)}", plain or as_json) as view:
                outcome = job.run(plan, settings, view, writer)
            if writer is not None:
                writer.summarise(summary.value(outcome))
    except job.WorkerDied as death:
        raise Failure(str(death)) from None
    except KeyboardInterrupt:
        click.echo("Stopped: broker, workers and player are gone.", err=True)
        sys.exit(130)
    if as_json:
        click.echo(msgspec.json.encode(summary.value(outcome)))
    else:
        summary.show(screen.console(), outcome, reader, export_to)
    sys.exit(0 if summary.mismatch(outcome) is None else 1)


def clear_old_runs(data_directory: Path, kept: int) -> None:
    """Delete all but the newest runs; one whose Kafka is still running, and the one last remembered, stay."""
    last = session.recall(data_directory)
    runs = sorted((data_directory / "runs").glob("2*"), reverse=True)
    for directory in runs[kept:]:
        if (last is None or Path(last.directory) != directory.absolute()) and not _in_use(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _end_hard_where_the_player_hangs() -> None:
    """A player whose Kafka died waits two minutes for acknowledgements; ending Python under its feet would crash instead of ending."""
    if any(thread.name == job.PLAYER_THREAD for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def _in_use(directory: Path) -> bool:
    try:
        descriptor = os.open(directory / "broker" / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _view(title: str, plain: bool) -> View:
    console = screen.console()
    if plain or not console.is_terminal:
        return Plain()
    from streams.cli.live import Live

    return Live(console, title)
