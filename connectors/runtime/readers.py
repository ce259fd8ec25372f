"""Readers are found by being there: a folder of connectors/ whose `source` module has a READER.

The rule this module owns: nothing is registered by hand, and a connector is imported only when it has a source.
"""

import importlib
import importlib.util
import pkgutil
from typing import Any

import connectors
from connectors.runtime.sources import Reader


def readers() -> dict[str, Reader[Any]]:
    """Every reader by its name."""
    found: dict[str, Reader[Any]] = {}
    for module in pkgutil.iter_modules(connectors.__path__):
        name = f"connectors.{module.name}.source"
        if module.ispkg and importlib.util.find_spec(name) is not None:
            reader = getattr(importlib.import_module(name), "READER", None)
            if reader is not None:
                found[reader.name] = reader
    return found
