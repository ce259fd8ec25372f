"""What a measured program is told, and what it says: when it met the first interaction, and when it was done if Kafka cannot tell.

The rule this module owns: a program measures nothing itself. It gets its task as JSON in BENCH_TASK and appends `began` or `ended` with the time of
day to a file; all else is seen from outside. It needs msgspec only, as work.py.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec

VARIABLE = "BENCH_TASK"


class Task(msgspec.Struct, frozen=True):
    """One run of one system."""

    bootstrap: str
    run: str
    """The consumer group or the app's id; a new one each time."""
    input: str
    outputs: str
    events: int
    """How many interactions the input topic holds."""
    directory: str
    """An empty directory for state."""
    marks: str
    options: dict[str, str]
    """What tells a system's rows apart."""


def given() -> Task:
    """The task of this process."""
    return msgspec.json.decode(os.environ[VARIABLE], type=Task)


def mark(task: Task, what: str) -> None:
    """Note that now is the time at which it `began` or `ended`."""
    with Path(task.marks).open("a") as marks:
        marks.write(f"{what} {time.time():.6f}\n")


def await_dismissal() -> None:
    """Stay, so that CPU and memory can be read, until told to go."""
    signal.pause()
