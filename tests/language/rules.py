"""Rules as an author's file, written in a test: compiled from text, so that mistakes have lines."""

import textwrap
from types import ModuleType

from streams.language import Rulebook, rulebook


def module(text: str, name: str = "authors_file") -> ModuleType:
    """The author's file with this text; it imports the whole language."""
    made = ModuleType(name)
    made.__file__ = f"{name}.py"
    exec(compile("from streams.language import *\n" + textwrap.dedent(text), f"{name}.py", "exec"), vars(made))
    return made


def rules(text: str) -> Rulebook:
    """The rulebook of that file."""
    return rulebook(module(text))
