"""The console that everything is printed to: colours where there is a terminal, none elsewhere, and no line broken that a machine may read."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_COLUMNS = 160
"""Tables are this wide where no terminal says otherwise."""


def console(error: bool = False) -> Console:
    """A console on standard output or error."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else max(PLAIN_COLUMNS, shutil.get_terminal_size((PLAIN_COLUMNS, 24)).columns)
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


@contextmanager
def bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """How far long work has come, on a terminal's standard error: call what is given with each amount done; elsewhere nothing is drawn."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    with Progress(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console(error=True)) as drawn:
        task = drawn.add_task(what, total=total)
        yield lambda done: drawn.advance(task, done)
