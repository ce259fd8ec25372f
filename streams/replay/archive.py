"""What is known of every replay: who planned it, when, what, and what became of each run. A file a replay, below DATA_DIR/replays/.

The rule this module owns: a note outlives its shadow. It is written whole or not at all, and only by who holds the replay's lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from streams.replay.plan import Plan

DIRECTORY = "replays"
NOTE = "replay.json"
LOCK = "lock"

State = Literal["planned", "stopped", "done", "cleaned"]


class Ran(Struct, kw_only=True, rename="camel"):
    """One run: by whom, from when to when (RFC 3339), and how it ended; None where it was killed, or goes on."""

    by: str
    at: str
    ended: str | None = None
    outcome: str | None = None
    rate: float | None = None


class Promoted(Struct, kw_only=True, rename="camel"):
    """That the mended dead letters were put onto the live topic: by whom, when, how many, and those that the shadow had refused again, by reason."""

    by: str
    at: str
    count: int
    refused: Mapping[str, int] = {}


class Note(Struct, kw_only=True, rename="camel"):
    """A replay: its plan, who made it, when and why, its runs, how far it is (offsets fed of those to feed), what became of what was read."""

    plan: Plan
    by: str
    at: str
    why: str = ""
    state: State = "planned"
    runs: list[Ran] = []
    fed: int = 0
    counts: Mapping[str, int] = {}
    repaired: Mapping[str, int] = {}
    """Dead letters that the mapping mends, by reason."""
    left: Mapping[str, int] = {}
    """Those that it does not, by why."""
    promoted: Promoted | None = None


class NoSuchReplay(Exception):
    """There is none of that name, or none at all."""


class InUse(Exception):
    """Another program is at work on this replay."""


def directory(data_directory: Path, name: str) -> Path:
    """Where a replay keeps its note and its workers' state."""
    return (data_directory / DIRECTORY / name).absolute()


def save(data_directory: Path, note: Note) -> None:
    """Write a note; a reader sees the old or the new one whole."""
    path = directory(data_directory, note.plan.name) / NOTE
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(note)))
    draft.replace(path)


def load(data_directory: Path, name: str | None) -> Note:
    """The note of a replay, or of the newest; NoSuchReplay where there is none, or it cannot be read."""
    known = notes(data_directory)
    found = next((note for note in known if name in (None, note.plan.name)), None)
    if found is None:
        which = "no replay here" if name is None else f"no replay named {name}"
        there = ", ".join(note.plan.name for note in known)
        raise NoSuchReplay(f"There is {which}; {f'there are {there}' if there else '`kairos replay plan` makes one'}.")
    return found


def notes(data_directory: Path) -> list[Note]:
    """All that can be read, the newest first."""
    found = []
    for path in (data_directory / DIRECTORY).glob(f"*/{NOTE}"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Note))
        except (FileNotFoundError, msgspec.MsgspecError):
            continue
    return sorted(found, key=lambda note: note.at, reverse=True)


@contextmanager
def held(data_directory: Path, name: str) -> Iterator[None]:
    """Be the only one at work on a replay; InUse where somebody is. Whoever dies lets go."""
    path = directory(data_directory, name)
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"Another program is at work on replay {name}: wait for it, or stop it.") from None
        yield
    finally:
        os.close(descriptor)


def is_running(data_directory: Path, name: str) -> bool:
    """Whether somebody is at work on it now."""
    try:
        with held(data_directory, name):
            return False
    except InUse:
        return True
