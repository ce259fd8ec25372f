"""Which Kafka a command talks to, and what the last run left behind.

The rule this module owns: what `kairos run` made can be asked about afterwards. The run is remembered in DATA_DIR/last-run.json; its embedded Kafka is
used while it runs, else started again on the same data for as long as the command needs it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
from msgspec import Struct

from streams.broker import admin
from streams.broker.choose import choose
from streams.broker.errors import BrokerUnavailable
from streams.cli.options import Failure
from streams.settings import Settings

LAST_RUN = "last-run.json"
EMBEDDED = "embedded"
RUNNING_SECONDS_MAX = 20.0
"""So long a broker that is just starting in another program may take to answer."""

SILENCE_SECONDS_MAX = 0.5
"""A Kafka that was named and answers within this time is not spoken of."""


class Run(Struct, kw_only=True):
    """A run as its directory and DATA_DIR/last-run.json have it; `broker` is `embedded`, `docker` or an address."""

    id: str
    directory: str
    broker: str
    app_id: str
    partitions: int
    journeys: tuple[str, ...]


class Session(NamedTuple):
    """A Kafka that answers, and the deployment on it that is asked about."""

    bootstrap: str
    app_id: str

    @property
    def changelog(self) -> str:
        """The topic that holds every row of the customer agent."""
        return f"{self.app_id}-customers-changelog"


def remember(data_directory: Path, run: Run) -> None:
    """Make `run` the last one; readers see the old or the new one whole."""
    path = data_directory / LAST_RUN
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    draft.replace(path)


def recall(data_directory: Path) -> Run | None:
    """The last run that was remembered here; None where there was none or its note cannot be read."""
    try:
        return msgspec.json.decode((data_directory / LAST_RUN).read_bytes(), type=Run)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


Tell = Callable[[str], None]


def _tell(words: str) -> None:
    click.echo(words, err=True)


@contextmanager
def connected(settings: Settings, broker: str, environment: Mapping[str, str] = os.environ, tell: Tell = _tell) -> Iterator[Session]:
    """A Kafka to read from or write to, by --broker and the settings; what was started for it is stopped at the end, what is waited for is told."""
    if settings.mock:  # It cannot be asked which cluster it is.
        yield Session(broker, settings.app_id)
        return
    last = recall(settings.data_dir)
    named = wanted(settings, broker, environment)
    if named is not None:
        with _named(named, settings.data_dir, environment, tell) as bootstrap:
            yield Session(bootstrap, _app_id(settings, last if last and last.broker in (named, bootstrap) else None))
        return
    own = running(settings.data_dir / "broker")
    if own is not None:
        yield Session(own, _app_id(settings, None))
        return
    if last is None:
        raise Failure(
            "There is no Kafka to talk to. `kairos run` makes one with data in it, `kairos broker` an empty one; "
            "or name yours with --broker HOST:PORT or KAFKA_BOOTSTRAP."
        )
    with _again(last, tell) as bootstrap:
        yield Session(bootstrap, _app_id(settings, last))


def wanted(settings: Settings, broker: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """What --broker, KAFKA_BOOTSTRAP or KAIROS_BOOTSTRAP names, in this order; None where a Kafka of our own is meant."""
    if broker != "auto":
        return broker
    return environment.get("KAFKA_BOOTSTRAP") or (settings.bootstrap if "bootstrap" in settings.model_fields_set else None)


def running(directory: Path) -> str | None:
    """The address of the embedded Kafka that another program keeps running on this directory; None where none does."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    deadline = time.monotonic() + RUNNING_SECONDS_MAX
    try:
        while not _is_free(descriptor):
            bootstrap = _listening(directory)
            if bootstrap is not None:
                return bootstrap
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"The Kafka in {directory} belongs to another program and does not answer: see {directory / 'broker.log'}."
                )
            time.sleep(0.1)
    finally:
        os.close(descriptor)
    return None


@contextmanager
def _named(broker: str, directory: Path, environment: Mapping[str, str], tell: Tell) -> Iterator[str]:
    """A Kafka that was named; one that does not answer at once is waited for in plain sight."""
    words = f"connecting to {broker}..." if ":" in broker else "starting Kafka..."
    waiting = threading.Timer(SILENCE_SECONDS_MAX, tell, (words,))
    waiting.daemon = True
    waiting.start()
    try:
        with choose(broker, directory, environment) as bootstrap:
            waiting.cancel()
            yield bootstrap
    finally:
        waiting.cancel()


@contextmanager
def _again(run: Run, tell: Tell) -> Iterator[str]:
    if run.broker != EMBEDDED:
        with _named(run.broker, Path(run.directory), {}, tell) as bootstrap:
            yield bootstrap
        return
    directory = Path(run.directory)
    found = running(directory / "broker")
    if found is not None:
        yield found
        return
    if not (directory / "broker" / "cluster.id").exists():
        raise Failure(f"The last run's data in {directory} is gone. `kairos run` makes a new one.")
    tell(f"Starting the Kafka of run {run.id} again (about 3 s)...")
    with choose("auto", directory, {}) as bootstrap:
        yield bootstrap


def _app_id(settings: Settings, last: Run | None) -> str:
    if last is None or "app_id" in settings.model_fields_set:
        return settings.app_id
    return last.app_id


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _listening(directory: Path) -> str | None:
    """The address if a Kafka answers there and its cluster is the directory's own."""
    try:
        port = int((directory / "ports").read_text().split()[0])
        cluster = (directory / "cluster.id").read_text().strip()
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            pass
        bootstrap = f"127.0.0.1:{port}"
        return bootstrap if admin.cluster_id(bootstrap) == cluster else None
    except (FileNotFoundError, IndexError, ValueError, ConnectionError, TimeoutError, BrokerUnavailable):
        return None
