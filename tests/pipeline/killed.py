"""The command line, killed (SIGKILL) where KAIROS_KILLED says, for the how-manieth time it gets there: at a copy, before copies become visible, or before
the records of a topic are deleted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from streams.broker import admin
from streams.cli import main
from streams.rewrite.moving import Writer


def dying(real: Callable[..., Any], last: int) -> Callable[..., Any]:
    """What does as the real one, until it is called for the last time."""
    calls = count(1)

    def instead(*words: Any, **more: Any) -> Any:
        if next(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words, **more)

    return instead


if __name__ == "__main__":
    where, _, number = os.environ["KAIROS_KILLED"].partition(":")
    owner: Any = {"copy": Writer, "commit": Writer, "delete_records": admin}[where]
    setattr(owner, where, dying(getattr(owner, where), int(number)))
    sys.exit(main())
