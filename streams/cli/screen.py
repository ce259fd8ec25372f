"""The console that everything is printed to: colours where there is a terminal, none elsewhere, and no line broken that a machine may read."""

import shutil
import sys

from rich.console import Console

PLAIN_COLUMNS = 160
"""Tables are this wide where no terminal says otherwise."""


def console(error: bool = False) -> Console:
    """A console on standard output or error."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else max(PLAIN_COLUMNS, shutil.get_terminal_size((PLAIN_COLUMNS, 24)).columns)
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)
