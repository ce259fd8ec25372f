"""A child that does not outlive its parent: the parent holds the pipe that is the child's standard input, and its end of file ends the child."""

from __future__ import annotations

import os
import signal
import threading
import time

STOP_SECONDS_MAX = 15.0


def hold(descriptor: int) -> None:
    """Watch a pipe in a thread: at its end this process gets SIGTERM, and SIGKILL if it is still there 15 s later."""
    threading.Thread(target=_watch, args=(descriptor,), name="leash", daemon=True).start()


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 1):  # not through sys.stdin, whose lock this thread would hold when the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS_MAX)
    os.kill(os.getpid(), signal.SIGKILL)
