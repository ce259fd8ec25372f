"""`--export DIR`: what a run published, a file a kind, one wire value a line.

The rule this module owns: the directory appears whole or not at all. Everything is written beside it and renamed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from schemas import record
from schemas.profile import Profile
from streams.cli.facts import Keep
from streams.customer import settled as of_customer
from streams.customer.state import decode_row
from streams.language import Rulebook

STEMS = ("profiles", "stages", "segments", "moments", "dead", "identity")
SUMMARY = "summary.json"
FILES = frozenset({*(f"{stem}.jsonl" for stem in STEMS), SUMMARY})


_LEFT = re.compile(r"\.(?P<name>.+)\.(?P<pid>[0-9]+)\.(?P<what>draft|old)")
"""What a program with this number writes beside the directory while it exports."""


class Writer:
    """The files of an export that is being written."""

    def __init__(self, files: dict[str, BinaryIO], directory: Path) -> None:
        self._files = files
        self._directory = directory

    def keep(self, stem: str, value: bytes) -> None:
        """Write a wire value as a line of its file."""
        file = self._files[stem]
        file.write(value)
        file.write(b"\n")

    def summarise(self, summary: msgspec.Struct | dict[str, object]) -> None:
        """Write summary.json."""
        (self._directory / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


def check(directory: Path) -> None:
    """Refuse, before any work, a directory that holds anything but an earlier export."""
    if directory.exists():
        if not directory.is_dir():
            raise click.UsageError(f"--export {directory} is no directory.")
        others = sorted(path.name for path in directory.iterdir() if path.name not in FILES)
        if others:
            raise click.UsageError(f"--export {directory} holds other files ({', '.join(others[:3])}): name an empty or a new directory.")


@contextmanager
def whole(directory: Path) -> Iterator[Writer]:
    """Write an export; `directory` is replaced at the end, and left as it was if anything fails."""
    directory = directory.absolute()
    directory.parent.mkdir(parents=True, exist_ok=True)
    _clear(directory)
    draft = directory.with_name(f".{directory.name}.{os.getpid()}.draft")
    draft.mkdir()
    try:
        with ExitStack() as stack:
            yield Writer({stem: stack.enter_context((draft / f"{stem}.jsonl").open("wb")) for stem in STEMS}, draft)
        _replace(directory, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def settled(keep: Keep, folds: Mapping[str, bytes], until: int | None, rulebook: Rulebook) -> Keep:
    """Keep profiles as they read when all has settled as of `until`, so that they are the same for any order, partitions and workers; all else as it
    was published. `folds`: the fold rows by customer id."""

    def keep_settled(stem: str, value: bytes) -> None:
        if stem == "profiles":
            published = record.decode(Profile, value)
            row = folds.get(published.customer_id)
            if row is not None:
                value = record.encode(of_customer.profile(published, decode_row(row), until, rulebook))
        keep(stem, value)

    return keep_settled


def nowhere(_stem: str, _value: bytes) -> None:
    """What keeps the values of a run without an export."""


def _clear(directory: Path) -> None:
    """Clear away what programs left that were killed while they exported here; an earlier export that had just stepped aside comes back."""
    for left in sorted(directory.parent.iterdir()):
        found = _LEFT.fullmatch(left.name)
        if found is None or found["name"] != directory.name or (int(found["pid"]) != os.getpid() and _is_alive(int(found["pid"]))):
            continue
        if found["what"] == "old" and not directory.exists():
            left.rename(directory)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _replace(directory: Path, draft: Path) -> None:
    """Rename; an earlier export steps aside first, and comes back if the new one cannot take its place."""
    aside = directory.with_name(f".{directory.name}.{os.getpid()}.old")
    if directory.exists():
        directory.rename(aside)
    try:
        draft.rename(directory)
    except OSError:
        if aside.exists():
            aside.rename(directory)
        raise
    shutil.rmtree(aside, ignore_errors=True)
