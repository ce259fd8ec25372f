"""What the tests of the house read: every Python file of the repository, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[2]
PACKAGES = ("streams", "schemas", "connectors", "deploy", "tests")
PURE = (
    "schemas",
    "streams/instants.py",
    "streams/boundary.py",
    "streams/rows.py",
    "streams/intake",
    "streams/identity",
    "streams/language",
    "streams/customer",
    "streams/journeys",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """One file: its path from the top of the repository, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_pure(self) -> bool:
        """Whether the file lies in one of the pure packages."""
        return any(self.path == room or self.path.startswith(f"{room}/") for room in PURE)

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything imported: `from a import b` is `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def sources() -> tuple[Source, ...]:
    """All Python files of the five packages, sorted by path."""
    paths = sorted(path for package in PACKAGES for path in (TOP / package).rglob("*.py"))
    return tuple(Source(str(path.relative_to(TOP)), text := path.read_text(), ast.parse(text)) for path in paths)
