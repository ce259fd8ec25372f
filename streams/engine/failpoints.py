"""Places where a test can make a worker die. Every fail point is declared here; the code reaches each exactly where its line says.

`KAIROS_FAILPOINT="after_changelog:3:kill"` kills the process the third time it gets there.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from streams.engine.errors import EngineError, Injected

ENVIRONMENT = "KAIROS_FAILPOINT"

FAIL_POINTS = {
    "after_fence": "predecessor's transactions are aborted, its epoch is over; nothing restored yet",
    "during_restore": "a part of the changelog is in the store, the rest is not",
    "after_restore": "the store stands at the changelog's end; the input's position is not known yet",
    "after_position": "the input is sought; the first batch has not come",
    "after_decide": "the decision is made; no transaction has begun",
    "after_begin": "a transaction has begun; nothing is sent",
    "after_outputs": "the outputs are on the broker, in an open transaction",
    "after_changelog": "outputs and rows are on the broker, in an open transaction",
    "after_offsets": "the input's offset is in the open transaction as well",
    "before_commit": "all is in the open transaction; nobody has asked for its end",
    "during_commit": "the commit is on its way; its answer is not here",
    "after_commit": "Kafka has it all; the local store knows nothing of it",
    "after_store": "the local store has it; nobody was told",
}

WITHOUT_TRANSACTIONS = {
    "after_fence": "the producer is there; nothing restored yet",
    "during_restore": FAIL_POINTS["during_restore"],
    "after_restore": FAIL_POINTS["after_restore"],
    "after_position": FAIL_POINTS["after_position"],
    "after_decide": "the decision is made; nothing is sent",
    "after_begin": "we are still a member; nothing is sent",
    "after_outputs": "the outputs are acknowledged; no row is sent",
    "after_changelog": "outputs and rows are acknowledged; the local store knows nothing of it",
    "after_store": "the local store has it; the input's offset is where it was",
    "before_commit": "the same, a moment later",
    "during_commit": "the offset is on its way; its answer is not here",
    "after_commit": "the offset is committed; nobody was told",
}
"""Those that apply to `at_least_once`, in the order they are reached there, and what they mean there."""


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _pause() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _error() -> None:
    raise Injected("fail point")


def _strange() -> None:
    raise LookupError("fail point")


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _kill,  # as kill -9: nothing is cleaned up
    "pause": _pause,  # as a machine that hangs: goes on with SIGCONT
    "error": _error,  # as a producer that failed
    "errors": _error,  # the same, at every so manyth hit
    "strange": _strange,  # as a client library that trips over itself, at every so manyth hit
}


class FailPoint:
    """At most one armed fail point; `armed` is false for every other name, and for all of them outside tests."""

    __slots__ = ("_action", "_every", "_hits_left", "_name")

    def __init__(self, order: str | None = None) -> None:
        """`order` is `name:hit:action`; None reads the environment. EngineError for a name, hit or action that does not exist."""
        order = os.environ.get(ENVIRONMENT, "") if order is None else order
        self._name, self._hits_left, self._action, self._every = "", 0, _kill, 0
        if order:
            name, _, rest = order.partition(":")
            hit, _, action = rest.partition(":")
            if name not in FAIL_POINTS or not hit.isdecimal() or action not in ACTIONS:
                raise EngineError(
                    f"{ENVIRONMENT}={order!r}: wanted name:hit:action, a name of {sorted(FAIL_POINTS)}, an action of {sorted(ACTIONS)}"
                )
            self._name, self._hits_left, self._action = name, int(hit), ACTIONS[action]
            self._every = int(hit) if action in ("errors", "strange") else 0

    def armed(self, name: str) -> bool:
        """Whether `reach(name)` will strike now; lets the caller first make true what the fail point's line says."""
        return name == self._name and self._hits_left == 1

    async def midway(self, name: str, request: Coroutine[Any, Any, None]) -> None:
        """Make a request, and reach `name` while its answer is under way."""
        if self.armed(name):
            asking = asyncio.ensure_future(request)
            await asyncio.wait([asking], timeout=0.002)  # Long enough for the request to leave, too short for most answers.
            self.reach(name)
            await asking
        else:
            self.reach(name)
            await request

    def reach(self, name: str) -> None:
        """Count a hit of `name`, and strike at the ordered one."""
        if name == self._name:
            self._hits_left -= 1
            if self._hits_left == 0:
                self._hits_left = self._every
                self._action()
