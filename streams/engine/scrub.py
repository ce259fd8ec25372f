"""Nothing is left in a store's files of what was deleted or replaced, where somebody asked to be forgotten.

The rule: RocksDB deletes by writing down that something is gone; the bytes stay until files happen to be merged, which may take weeks. A decision that says
`scrub` has all files of its partition's store merged soon, in a thread of their own, file by file. That it is to be done lies in a file beside the store
before the batch is committed, so a worker that dies in between does it when it comes back.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from streams.engine.errors import EngineError
from streams.engine.store import Store

log = logging.getLogger(__name__)

MARK = ".to-scrub"


class Scrub:
    """Of one store, from when it is open until it is closed."""

    def __init__(self, store: Store, after_seconds: float) -> None:
        """What was left to do by the last worker is done `after_seconds` from now, as is what is asked for later."""
        self._store = store
        self._after_seconds = after_seconds
        self._mark = _mark_of(store.path)
        self._asked = 0
        self._running: asyncio.Task[None] | None = None
        if self._mark.exists():
            self._begin()

    def ask(self) -> None:
        """What is deleted or replaced within the next seconds is to be gone; OSError where that cannot be written down."""
        self._asked += 1
        self._mark.touch()
        self._begin()

    async def done(self) -> None:
        """Until nothing is left to do."""
        if self._running is not None:
            await self._running

    def end(self) -> None:
        """The store is about to be closed."""
        if self._running is not None:
            self._running.cancel()

    def _begin(self) -> None:
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        asked = -1
        while asked != self._asked:
            asked = self._asked
            await asyncio.sleep(self._after_seconds)
            try:
                await self._store.rewrite()
            except EngineError as error:
                log.warning("what was forgotten is still in files of %s, it is tried again at the next start: %s", self._store.path, error)
                return
        self._mark.unlink(missing_ok=True)
        log.info("the files of %s are written anew: what was forgotten is gone", self._store.path)


def _mark_of(path: Path) -> Path:
    return path.with_name(path.name + MARK)
