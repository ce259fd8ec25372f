"""A warm copy of a partition's rows, kept by a worker that does not have the partition: it takes over with what little it lacks.

The rule: a copy reads its changelog and nothing else, committed records only, and writes to nobody. So it needs no fence and no membership: a worker that
has lost its place in the group has copies that are right all the same. Whoever takes the partition over fences it and restores the copy's rest as any store's.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from streams.engine.errors import HOPELESS, TRANSIENT, EngineError
from streams.engine.shared import Shared
from streams.engine.table import Table

log = logging.getLogger(__name__)

BACKOFF_SECONDS_MAX = 5.0
QUIET_SECONDS = 0.2
STOP_SECONDS_MAX = 2.0
CLAIM_SECONDS_MAX = 5.0
CLAIM_NAME = "worker.lock"


class Standby:
    """Of one partition. It follows from the moment it is made, `hand_over` or `close` ends it."""

    def __init__(self, topic: str, number: int, table: str, shared: Shared, quiet: Callable[[], bool]) -> None:
        """`quiet`: whether the worker's own partitions all run; a copy does not begin while they are being restored."""
        self.behind: int | None = None
        """How many offsets of the changelog it lacks; None until it follows."""
        self._topic = topic
        self._number = number
        self._shared = shared
        self._quiet = quiet
        self._ended = False
        self._table = Table(topic, number, table, shared)
        self._following = shared.keep(asyncio.create_task(self._follow()))

    async def hand_over(self) -> Table:
        """The rows, whose store may still be open, for whoever has the partition now."""
        self._ended = True
        self._following.cancel()
        await asyncio.wait([self._following], timeout=STOP_SECONDS_MAX)
        self._shared.metrics.standby_ended(self._topic, self._number)
        return self._table

    async def close(self) -> None:
        """Nobody needs it here any longer; what it has stays on the disk."""
        (await self.hand_over()).close()

    async def _follow(self) -> None:
        attempt = 0
        while not self._ended:
            while not self._quiet():
                await asyncio.sleep(QUIET_SECONDS)
            try:
                await self._table.follow(self._at)
            except HOPELESS:
                raise
            except TRANSIENT as error:
                self.behind = None
                attempt += 1
                log.warning("the copy of %s[%d] does not follow, once more: %r", self._topic, self._number, error)
                await asyncio.sleep(min(BACKOFF_SECONDS_MAX, 0.1 * 2**attempt))

    def _at(self, behind: int, rows: int) -> None:
        self.behind = behind
        self._shared.metrics.standby(self._topic, self._number, behind, rows)


class Claim:
    """A directory of state of one worker alone: with copies of each other's partitions, two workers would want the same store."""

    def __init__(self, directory: Path) -> None:
        """EngineError if another worker keeps it for longer than 5 s."""
        directory.mkdir(parents=True, exist_ok=True)
        self._file = os.open(directory / CLAIM_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + CLAIM_SECONDS_MAX
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self._file)
                    raise EngineError(
                        f"another worker uses {directory}: with standbys each worker needs a state directory of its own"
                    ) from None
                time.sleep(0.1)

    def release(self) -> None:
        """The next may have it."""
        os.close(self._file)
