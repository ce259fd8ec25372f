"""`kairos worker` whose stores do not compress, so that their files can be searched as they are."""

from __future__ import annotations

import sys

from rocksdict import DBCompressionType, Options

from streams.cli import main
from streams.engine.store import Memory

_options = Memory.options


def _plain(self: Memory) -> Options:
    options = _options(self)
    options.set_compression_type(DBCompressionType.none())
    return options


if __name__ == "__main__":
    Memory.options = _plain  # type: ignore[method-assign]  # For this process only.
    sys.exit(main())
