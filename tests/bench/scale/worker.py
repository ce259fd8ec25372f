"""One worker of the scale bench: it counts interactions of a customer in a row of 300 bytes, and begins when it is told to.

`python -m tests.bench.scale.worker`, with its task in the environment as every measured program has it. It holds its first batch until the file `go` is there,
and meanwhile writes down how many partitions it has restored and runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from streams.engine import Engine, EngineSettings, Says
from tests.bench.engine.task import given, mark
from tests.bench.engine.work import read

GO_SECONDS = 0.005
STUCK_SECONDS = 900.0
"""A batch is held until every worker has restored everything."""


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
    go = Path(task.options["go"])
    engine = Engine(
        EngineSettings(
            app_id=task.run, bootstrap=task.bootstrap, state_dir=Path(task.directory), tick_seconds=None, stuck_seconds=STUCK_SECONDS
        )
    )

    @engine.agent(task.input, table="counts")
    async def counted(batches: Any) -> None:
        async for batch in batches:
            running = 0
            while not go.exists():
                now = sum(each.state == "RUNNING" for each in engine.progress().values())
                if now != running:
                    running = now
                    mark(task, f"running {running}")
                await asyncio.sleep(GO_SECONDS)
            await batch.finish(decide(batch.records, batch.rows))

    engine.run()


if __name__ == "__main__":
    main()
