"""Quix Streams as its documentation has it: a StreamingDataFrame, a stateful `apply`, a topic for what it says.

Tuned: state and interactions are bytes that msgspec decodes and encodes (`get_bytes`, `set_bytes`, the "bytes" deserializer), which is quicker than the
JSON it would use; linger and batches of the producer are larger. Its checkpoints stay at 5 s, in which a customer's changes are written once.
"""

from typing import Any

from quixstreams import Application, State

from tests.bench.engine.task import await_dismissal, given, mark
from tests.bench.engine.work import fold, output, pack, read, unpack

KEY = "customer"


def main() -> None:
    """Run until all is done, then stop in its own way, which commits."""
    task = given()
    seen = 0

    def count(topic: str, partition: int, offset: int) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            mark(task, "began")
        if seen == task.events:
            app.stop()

    def folded(value: bytes, state: State) -> bytes | None:
        before: Any = state.get_bytes(KEY)
        after = fold(None if before is None else unpack(before), read(value))
        state.set_bytes(KEY, pack(after))
        return output(after)

    app = Application(
        broker_address=task.bootstrap,
        consumer_group=task.run,
        auto_offset_reset="earliest",
        state_dir=task.directory,
        processing_guarantee=task.options["guarantee"],
        producer_extra_config={"linger.ms": 20, "batch.size": 1 << 20},
        on_message_processed=count,
        loglevel="WARNING",
    )
    source = app.topic(task.input, key_deserializer="bytes", value_deserializer="bytes")
    outputs = app.topic(task.outputs, key_serializer="bytes", value_serializer="bytes")
    frame = app.dataframe(source)
    frame = frame.apply(folded, stateful=True)
    frame = frame[frame.apply(lambda said: said is not None)]
    frame.to_topic(outputs)
    app.run()
    await_dismissal()


if __name__ == "__main__":
    main()
