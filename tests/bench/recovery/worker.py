"""One worker with an empty directory, until all of its partitions run: what it took is printed as JSON.

`python -m tests.bench.recovery.worker BOOTSTRAP APP_ID SOURCE TABLE DIRECTORY`
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
from pathlib import Path
from time import monotonic, process_time, thread_time
from typing import Any

import msgspec

from streams.engine import Engine, EngineSettings, Says
from tests.bench.recovery.load import PARTITIONS

LOOK_SECONDS = 0.005


class Took(msgspec.Struct, frozen=True):
    """From the first partition that restores to the last that runs."""

    seconds: float
    cpu_seconds: float
    """Of all threads."""
    loop_seconds: float
    """Of these, in the thread of the event loop."""
    memory_bytes: int
    """Resident, at most."""


async def measured(engine: Engine) -> Took:
    """Run it until it is ready, then stop it."""
    await engine.start()
    while not any(each.state == "RESTORING" for each in engine.progress().values()):
        await asyncio.sleep(LOOK_SECONDS)
    began = monotonic(), process_time(), thread_time()
    while not (engine.ready() and len(engine.progress()) == PARTITIONS):
        if engine.reason is not None:
            raise engine.reason
        await asyncio.sleep(LOOK_SECONDS)
    ended = monotonic(), process_time(), thread_time()
    took = [after - before for before, after in zip(began, ended, strict=True)]
    await engine.stop()
    return Took(*took, memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    """One recovery."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    bootstrap, app_id, source, table, directory = sys.argv[1:]
    engine = Engine(EngineSettings(app_id=app_id, bootstrap=bootstrap, state_dir=Path(directory), tick_seconds=None))

    @engine.agent(source, table=table)
    async def rows(batches: Any) -> None:
        async for batch in batches:
            await batch.finish(Says(()))

    print(msgspec.json.encode(asyncio.run(measured(engine))).decode(), flush=True)


if __name__ == "__main__":
    main()
