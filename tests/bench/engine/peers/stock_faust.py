"""Stock Faust as its documentation has it: an agent, a table in RocksDB, a topic for what it says.

Tuned: keys and values are raw bytes that msgspec decodes and encodes, quicker than Faust's records and codecs; 4,000 records a poll; no web server;
offsets are committed four times a second, so that the end is not up to 2.8 s late.
"""

import sys

import faust

from tests.bench.engine.task import given, mark
from tests.bench.engine.work import fold, output, pack, read, unpack

task = given()
app = faust.App(
    task.run,
    broker=f"kafka://{task.bootstrap}",
    store="rocksdb://?driver=rocksdict",
    datadir=task.directory,
    topic_partitions=4,
    topic_replication_factor=1,
    topic_disable_leader=True,
    key_serializer="raw",
    value_serializer="raw",
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=4000,
    broker_commit_interval=0.25,
    stream_wait_empty=False,
    web_enabled=False,
)
source = app.topic(task.input, key_type=bytes, value_type=bytes)
outputs = app.topic(task.outputs, key_type=bytes, value_type=bytes)
customers = app.Table("customers", partitions=4, key_type=bytes, value_type=bytes)


@app.agent(source)
async def agent(stream: faust.Stream[bytes]) -> None:
    """Fold one after the other."""
    begun = False
    async for key, value in stream.items():
        if not begun:
            begun = True
            mark(task, "began")
        before = customers.get(key)
        after = fold(None if before is None else unpack(before), read(value))
        customers[key] = pack(after)
        said = output(after)
        if said is not None:
            await outputs.send(key=key, value=said)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel", "warn"]
    app.main()
