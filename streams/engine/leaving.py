"""A process that is told to stop is gone in time, whatever hangs in it.

The rule: from the signal on three watches run, each for what the one before cannot end. A thread of ours ends the process with its exit code where the
loop, or another thread, hangs. faulthandler's thread, which needs no interpreter, writes down where every thread stands and ends the process where a call
keeps the interpreter's lock, or where the interpreter hangs while it ends (our threads are frozen by then). At last comes the kernel's alarm.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STEP_SECONDS = 0.5
"""From one watch to the next."""

_limits: list[threading.Timer] = []
_beginning = threading.Lock()


def hear(told: Callable[[], object], seconds_max: float, code: int) -> None:
    """From now on SIGTERM and SIGINT call `told` in the running loop, and begin `within` at once, also while the loop does not turn.

    To be called in the loop of the main thread; loop.add_signal_handler is of no use beside it.
    """
    loop = asyncio.get_running_loop()
    hears, notes = socket.socketpair()
    notes.setblocking(False)

    def listen() -> None:
        while any(number in SIGNALS for number in hears.recv(64)):
            within(seconds_max, code)
            with suppress(RuntimeError):  # The loop is closed: it has ended already.
                loop.call_soon_threadsafe(told)

    threading.Thread(target=listen, name="kairos-signals", daemon=True).start()
    for number in SIGNALS:
        signal.signal(number, _noted)
    signal.set_wakeup_fd(notes.detach(), warn_on_full_buffer=False)


def within(seconds_max: float, code: int) -> None:
    """The process is gone in so many seconds, with `code` where that can still be said. What was begun once cannot be begun again, nor taken back."""
    with _beginning:
        if _limits:
            return
        limit = threading.Timer(seconds_max, os._exit, (code,))
        _limits.append(limit)
    limit.daemon = True
    limit.start()
    faulthandler.dump_traceback_later(seconds_max + STEP_SECONDS, exit=True, file=sys.__stderr__ or 2)
    signal.setitimer(signal.ITIMER_REAL, seconds_max + 2 * STEP_SECONDS)


def _noted(*_: object) -> None:
    """Python's part of a signal: nothing is left to do, its number went to the thread that listens."""
