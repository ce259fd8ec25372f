"""Bytewax as its documentation has it: Kafka source, a stateful step, Kafka sink; with and without its recovery store.

It keeps state in memory and, with recovery, snapshots of it in SQLite: nothing goes to a changelog. Tuned: interactions are decoded a list at a time
(`flat_map_batch`) and the source asks for 5,000 records at once. Snapshots stay at every 10 s. It stops at the end of the topic.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from tests.bench.engine.task import Task, await_dismissal, given, mark
from tests.bench.engine.work import Interaction, State, fold, output, read

RECORDS_AT_ONCE = 5_000
SNAPSHOT_EVERY = timedelta(seconds=10)


def dataflow(task: Task) -> Dataflow:
    """From topic to topic."""
    begun = False

    def decoded(records: list[Any]) -> Iterable[tuple[str, Interaction]]:
        nonlocal begun
        if not begun:
            begun = True
            mark(task, "began")
        return [(record.key.decode(), read(record.value)) for record in records]

    def folded(state: State | None, interaction: Interaction) -> tuple[State, Iterable[bytes]]:
        after = fold(state, interaction)
        said = output(after)
        return after, () if said is None else (said,)

    flow = Dataflow("reference")
    records = op.input("read", flow, KafkaSource([task.bootstrap], [task.input], tail=False, batch_size=RECORDS_AT_ONCE))
    interactions = op.flat_map_batch("decode", records, decoded)
    said = op.stateful_flat_map("fold", interactions, folded)
    messages = op.map("pack", said, lambda one: KafkaSinkMessage(one[0].encode(), one[1]))
    op.output("write", messages, KafkaSink([task.bootstrap], task.outputs))
    return flow


def main() -> None:
    """Run to the end of the topic."""
    task = given()
    recovery = None
    if task.options["recovery"] == "on":
        init_db_dir(Path(task.directory), 1)
        recovery = RecoveryConfig(Path(task.directory))
    cli_main(dataflow(task), epoch_interval=SNAPSHOT_EVERY, recovery_config=recovery)
    mark(task, "ended")
    await_dismissal()


if __name__ == "__main__":
    main()
