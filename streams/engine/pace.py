"""How long a partition lets records gather between two transactions.

The rule: after a commit it rests for half as long as the commit took, 50 ms at most, unless a full batch waits. A commit costs the broker the same
whatever it carries, and returns before the broker has written its markers, until which it refuses the next one: who asks at once is told to ask
again, and again (as many refused requests as commits, where little is to be done). A broker that is slow is thus asked less, one that is quick is not
waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

REST_SHARE = 0.5
REST_SECONDS_MAX = 0.05


class Pace:
    """When the next batch of one partition may begin."""

    __slots__ = ("_asked", "_until")

    def __init__(self) -> None:
        self._until = 0.0
        self._asked = False

    def committed(self, seconds: float) -> None:
        """A commit took so long."""
        self._until = perf_counter() + min(REST_SHARE * seconds, REST_SECONDS_MAX)

    def rests(self, again: Callable[[], None]) -> bool:
        """Whether a batch that is not full should wait; `again` is called, once, when it need not."""
        rest = self._until - perf_counter()
        if rest <= 0:
            return False
        if not self._asked:
            self._asked = True
            asyncio.get_running_loop().call_later(rest, self._wake, again)
        return True

    def _wake(self, again: Callable[[], None]) -> None:
        self._asked = False
        again()
