"""One worker of the scale bench: it counts interactions of a customer in a row of 300 bytes.

`python -m tests.bench.scale.worker`, with its task in the environment as every measured program has it. It writes down how many partitions it has
restored and runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from streams.engine import Engine, EngineSettings, Says
from tests.bench.engine.task import Task, given, mark
from tests.bench.engine.work import read

LOOK_SECONDS = 0.1


class Count(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A customer: how many interactions, and what else is known, which fills the row."""

    n: int
    rest: bytes


class Counts:
    """The one kind of row."""

    tag = b"c"
    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Count).decode)


def decide(records: Sequence[Any], rows: Any) -> Says:
    """Read and count every interaction; each customer's row is put once."""
    keys = list({record.key for record in records})
    counts: dict[bytes, Count] = dict(zip(keys, rows.get(Counts, keys), strict=True))
    for record in records:
        read(record.value)
        before = counts[record.key]
        counts[record.key] = Count(before.n + 1, before.rest)
    for key, count in counts.items():
        rows.put(Counts, key, count)
    return Says(())


def main() -> None:
    """Run until told to stop."""
    task = given()
    engine = Engine(EngineSettings(app_id=task.run, bootstrap=task.bootstrap, state_dir=Path(task.directory), tick_seconds=None))

    @engine.agent(task.input, table="counts")
    async def counted(batches: Any) -> None:
        async for batch in batches:
            await batch.finish(decide(batch.records, batch.rows))

    threading.Thread(target=tell, args=(task, engine), daemon=True).start()
    engine.run()


def tell(task: Task, engine: Engine) -> None:
    """Write down how many partitions run, whenever that changes."""
    running = 0
    while True:
        now = sum(each.state == "RUNNING" for each in engine.progress().values())
        if now != running:
            running = now
            mark(task, f"running {running}")
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
