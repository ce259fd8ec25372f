"""What is overridden or looked into below is what was read when it was written."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import streams.engine
from streams.engine.overrides import UPSTREAM, source_hash

LIBRARIES = {"faust", "mode", "aiokafka"}


@pytest.mark.parametrize("name", UPSTREAM)
def test_upstream_is_as_it_was(name: str) -> None:
    assert source_hash(name) == UPSTREAM[name][0], (
        f"{name} has changed: read it, see whether what answers it still fits, then write its new hash down"
    )


def test_whatever_of_a_library_is_overridden_is_written_down() -> None:
    found = set(overridden())

    assert "faust.transport.consumer:Consumer.commit" in found
    assert found - UPSTREAM.keys() == set()


def overridden() -> Iterator[str]:
    """Every function of Faust, mode or aiokafka in whose place a class of the engine has one of its own."""
    for module in pkgutil.iter_modules(streams.engine.__path__, "streams.engine."):
        for ours in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(ours) or ours.__module__ != module.name:
                continue
            for name in vars(ours):
                theirs = next((base for base in ours.__mro__[1:] if name in vars(base)), object)
                original = inspect.getattr_static(theirs, name, None)
                if theirs.__module__.partition(".")[0] in LIBRARIES and inspect.isroutine(getattr(original, "fun", original)):
                    yield f"{theirs.__module__}:{theirs.__qualname__}.{name}"
