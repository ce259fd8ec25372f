"""The limit: reading and parsing alone, as fast as Python can: confluent-kafka (librdkafka) in lists of 10,000, orjson for the whole interaction.

Tuned: nothing is committed, kept or sent; the queue is as large as librdkafka has it (64 MiB), no CRCs are checked.
"""

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from orjson import loads

from tests.bench.engine.task import await_dismissal, given, mark

RECORDS_AT_ONCE = 10_000


def main() -> None:
    """Read all that the topic holds."""
    task = given()
    consumer = Consumer({"bootstrap.servers": task.bootstrap, "group.id": task.run, "enable.auto.commit": False})
    partitions = consumer.list_topics(task.input).topics[task.input].partitions
    consumer.assign([TopicPartition(task.input, partition, OFFSET_BEGINNING) for partition in partitions])
    done = 0
    while done < task.events:
        records = consumer.consume(min(RECORDS_AT_ONCE, task.events - done) if done else 1, 1.0)  # It waits until it has so many.
        if records and not done:
            mark(task, "began")
        for record in records:
            loads(record.value())
        done += len(records)
    mark(task, "ended")
    await_dismissal()


if __name__ == "__main__":
    main()
