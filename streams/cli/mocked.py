"""A run on the mock: what it cannot do, in words; its topics; and the proof that nothing was forgotten.

The rule this module owns: every record of the run is still there at its end. The mock drops the oldest batch of a partition beyond 5 MiB or 100,000
batches without a word, and compacts nothing. So the run is spread over many partitions, the player waits while the worker is behind, and the first
partition of any topic, internal ones and the changelog included, that no longer begins at offset 0 ends the run.
"""

from __future__ import annotations

from collections.abc import Mapping

import click
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas import topics
from streams.cli.options import Failure
from streams.cli.session import Run, Session

NAME = "mock"
PARTITIONS = 32
"""Where nobody says otherwise: the web shop's changelog fits. Each time that is said is a message from every partition to every other, so more cost time."""
TIME_EVERY_SECONDS = 7 * 86_400
AHEAD_ITEMS_MAX = 4_000
"""So many items the player sends before it waits for the worker."""
BEHIND_RECORDS_MAX = 4_000
"""The player goes on when the worker has no more than this left to read, internal messages included."""
REQUEST_SECONDS_MAX = 10.0

CANNOT = (
    "This run is on a mock of Kafka, for a look without a download. It cannot do what a Kafka does:",
    "  - it keeps everything in memory, and it is gone at the end: no restart, no recovery, nothing to be asked afterwards;",
    "  - it holds 5 MiB a partition and compacts nothing: a source that does not fit ends the run with an error;",
    "  - it has no transactions that hold: at least once, one worker.",
    "Leave --broker away for a real Kafka.",
)


def settings_for(partitions: int | None, guarantee: str | None, workers: int) -> dict[str, object]:
    """The settings of a run on the mock; a usage error for what it cannot do."""
    if workers != 1:
        raise click.UsageError(f"--broker mock runs one worker, not {workers}: nothing there fences a second one. Leave --broker away.")
    if guarantee == "exactly_once":
        raise click.UsageError("--broker mock shows aborted transactions, so there is no exactly_once on it. Leave --broker away.")
    return {"partitions": PARTITIONS if partitions is None else partitions, "guarantee": "at_least_once", "mock": True}


def topics_of(run: Run) -> dict[str, int]:
    """All topics that the run needs, with their partitions: the mock has those that it was given."""
    names = [*topics.BY_NAME, Session("", run.app_id).changelog]
    return dict.fromkeys(names, run.partitions)


class Flow:
    """Lets the player go on while the worker keeps up, and ends the run at the first record that is gone."""

    time_every_seconds = TIME_EVERY_SECONDS

    def __init__(self, bootstrap: str, wanted: Mapping[str, int]) -> None:
        self._places = [TopicPartition(name, number, OFFSET_BEGINNING) for name, count in wanted.items() for number in range(count)]
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kairos-flow", "log_level": 2})
        self._left = AHEAD_ITEMS_MAX

    def may_send(self) -> bool:
        """Whether the player may send one more item; it is counted."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def look(self, lag_records: int) -> None:
        """The worker has so much left to read. Failure where the mock has dropped something."""
        self.check()
        if lag_records <= BEHIND_RECORDS_MAX:
            self._left = AHEAD_ITEMS_MAX

    def check(self) -> None:
        """Failure unless every partition of every topic still begins at 0: then nothing was ever dropped."""
        found = self._consumer.offsets_for_times(self._places, timeout=REQUEST_SECONDS_MAX)
        for place in found:
            if place.error is not None or place.offset != 0:
                raise Failure(
                    f"The mock has dropped what {place.topic}[{place.partition}] began with: the source does not fit into it "
                    f"(5 MiB or 100,000 batches a partition). Give it more with --partitions (64 at most), play a part of the source, "
                    "or leave --broker away for a real Kafka."
                )

    def close(self) -> None:
        """Free the connection."""
        self._consumer.close()


class Free:
    """No flow is controlled where a Kafka keeps what it was given."""

    time_every_seconds = 86_400

    def may_send(self) -> bool:
        """Always."""
        return True

    def look(self, lag_records: int) -> None:
        """Nothing to be looked at."""

    def check(self) -> None:
        """Nothing is dropped."""

    def close(self) -> None:
        """Nothing is open."""
