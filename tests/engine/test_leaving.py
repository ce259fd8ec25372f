"""Who is told to stop is gone in time, also where no Python runs any more; each case is a process that would otherwise last for a minute."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

HUNG = 75
TOLD = """
import asyncio, ctypes, sys, time
from streams.engine import leaving

async def work():
    told = asyncio.Event()
    leaving.hear(told.set, {seconds}, 75)
    print("ready", flush=True)
    {at_work}
    await told.wait()

class Last:
    def __del__(self, sleep=time.sleep):
        sleep(60)

asyncio.run(work())
{at_the_end}
"""


class Case(NamedTuple):
    """What hangs after the signal, how many seconds a stop may take, and the code of who hangs; a busy machine must come to the hanging before that."""

    at_work: str
    at_the_end: str
    seconds: float
    code: int


CASES = {
    "nothing": Case("", "", 30.0, 0),
    "a loop that does not turn": Case("time.sleep(60)", "", 0.5, HUNG),
    "a call that keeps the lock": Case("", "ctypes.PyDLL(None).sleep(60)", 1.0, 1),
    "what somebody left to the very end": Case("", "sys.last = Last()", 2.0, 1),
    "what a library left to the end of the process": Case(
        "", "libc = ctypes.CDLL(None); libc.__cxa_atexit(libc.pause, None, None)", 3.0, -signal.SIGALRM
    ),
}


@pytest.mark.parametrize(("hangs", "sent"), [*((name, signal.SIGTERM) for name in CASES), ("nothing", signal.SIGINT)])
def test_whatever_hangs_the_process_ends_in_time(hangs: str, sent: signal.Signals) -> None:
    case = CASES[hangs]
    process = subprocess.Popen(
        [sys.executable, "-c", TOLD.format(**case._asdict())],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(sent)
    since = time.monotonic()
    _, said = process.communicate()

    assert (process.returncode, time.monotonic() - since < 45) == (case.code, True), said
    assert ("most recent call first" in said) == (case.code == 1), "of the second watch it is asked what hung"
