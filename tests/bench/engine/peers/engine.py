"""This engine, as its README has it.

Nothing is tuned: every setting is the default, but for ticks, which this work has no use for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streams.engine import Engine, EngineSettings, Says
from tests.bench.engine.task import given, mark
from tests.bench.engine.work import OUTPUT_EVERY, State, fold, output, pack, read, unpack


class Customers:
    """The one kind of row."""

    tag = b"c"
    encode = staticmethod(pack)
    decode = staticmethod(unpack)


class Output(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


def decide(records: Sequence[Any], rows: Any, topic: str, every: int) -> Says:
    """Fold the batch; each customer's state is put once."""
    keys = list({record.key for record in records})
    states: dict[bytes, State | None] = dict(zip(keys, rows.get(Customers, keys), strict=True))
    send = []
    for record in records:
        key = record.key
        state = states[key] = fold(states[key], read(record.value))
        said = output(state, every)
        if said is not None:
            send.append(Output(topic, key, said))
    for key, folded in states.items():
        rows.put(Customers, key, folded)
    return Says(send)


def main() -> None:
    """Run until told to stop."""
    task = given()
    every = int(task.options.get("output_every", OUTPUT_EVERY))
    settings = EngineSettings(
        app_id=task.run,
        bootstrap=task.bootstrap,
        state_dir=Path(task.directory),
        guarantee=task.options["guarantee"],  # type: ignore[arg-type]  # The table of systems names one of the two.
        tick_seconds=None,
    )
    engine = Engine(settings)

    @engine.agent(task.input, table="customers")
    async def customers(batches: Any) -> None:
        begun = False
        async for batch in batches:
            if not begun:
                begun = True
                mark(task, "began")
            await batch.finish(decide(batch.records, batch.rows, task.outputs, every))

    engine.run()


if __name__ == "__main__":
    main()
