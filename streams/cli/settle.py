"""How far the workers are, and when nothing is left to do.

The rule this module owns: settled means that beyond the offsets the group has committed no input and no internal message is left, and no transaction is
open on these topics. The customer agent sends itself messages until nothing is due, so that is all there is to wait for. Offsets are read before
ends, and ends before records: what moves in between is seen as work, never missed. Transaction markers take offsets too, so a lag of a few records
may be none: only reading tells.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from connectors.runtime.passing import LEADERLESS
from streams.broker.errors import BrokerUnavailable

OFFSETS_SECONDS_MAX = 2.0
REQUEST_SECONDS_MAX = 10.0
READ_SECONDS_MAX = 5.0

Place = tuple[str, int]
"""A topic and a partition."""

_SETTINGS: dict[str, str | int | bool] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 10,
    "log_level": 2,
}


class Progress(NamedTuple):
    """Committed offsets and high watermarks of the topics watched; whether a transaction is open on any of them."""

    committed: Mapping[Place, int]
    ends: Mapping[Place, int]
    open_transaction: bool

    def lag(self, topic: str) -> int:
        """Offsets between the group and the topic's end, markers included."""
        return sum(end - self.committed.get(place, 0) for place, end in self.ends.items() if place[0] == topic)

    def done(self, topic: str) -> int:
        """Offsets that the group has put behind it, markers included."""
        return sum(offset for place, offset in self.committed.items() if place[0] == topic)


class Watch:
    """Watches one consumer group on some topics, as a member of none; use it from one thread, and close it."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], partitions: int) -> None:
        self._places = [(topic, partition) for topic in topics for partition in range(partitions)]
        self._committed = Consumer({**_SETTINGS, "bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_committed"})
        self._all = Consumer({**_SETTINGS, "bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_uncommitted"})

    def close(self) -> None:
        """Free the connections."""
        self._committed.close()
        self._all.close()

    def look(self) -> Progress:
        """Where the group and the topics stand now: offsets first, then ends."""
        committed = self._offsets()
        stable = self._ends(self._committed)
        ends = self._ends(self._all)
        return Progress(committed, ends, stable != ends)

    def is_settled(self, seen: Progress) -> bool:
        """Whether nothing was left beyond what `seen` says was committed."""
        if seen.open_transaction or any(end and place not in seen.committed for place, end in seen.ends.items()):
            return False
        return not self._has_records(seen)

    def _offsets(self) -> dict[Place, int]:
        """The group's offsets; where there are none yet they are unknown. Those that a transaction is just committing are not waited for:
        with many partitions there is always one, and what is not yet behind the group is seen as work."""
        try:
            found = self._all.committed([TopicPartition(*place) for place in self._places], timeout=OFFSETS_SECONDS_MAX)
        except KafkaException as error:
            if error.args[0].retriable() or error.args[0].code() in _NOT_YET:
                return {}
            raise
        return {(place.topic, place.partition): place.offset for place in found if place.error is None and place.offset >= 0}

    def _ends(self, reader: Consumer) -> dict[Place, int]:
        asked = [TopicPartition(*place, OFFSET_END) for place in self._places]
        deadline = time.monotonic() + REQUEST_SECONDS_MAX
        while True:
            try:
                found = reader.offsets_for_times(asked, timeout=REQUEST_SECONDS_MAX)
            except KafkaException as error:  # Of a Kafka that is gone it says that a partition is unknown.
                if error.args[0].code() in LEADERLESS and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                raise BrokerUnavailable(f"Kafka does not answer any more ({error.args[0].str()}): is it still running?") from error
            errors = [place.error for place in found if place.error is not None]
            if not errors:
                return {(place.topic, place.partition): place.offset for place in found}
            if time.monotonic() > deadline or any(error.code() not in LEADERLESS for error in errors):
                raise KafkaException(errors[0])
            time.sleep(0.1)

    def _has_records(self, seen: Progress) -> bool:
        behind = [TopicPartition(*place, seen.committed[place]) for place, end in seen.ends.items() if seen.committed.get(place, 0) < end]
        if not behind:
            return False
        self._committed.assign(behind)
        waiting = len(behind)
        try:
            while waiting:
                message = self._committed.poll(READ_SECONDS_MAX)
                error = message.error() if message is not None else None
                if error is None:
                    return True  # a record, or an end that did not come: not settled as far as can be told
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                waiting -= 1
            return False
        finally:
            self._committed.unassign()


def closed(bootstrap: str, group: str, topics: Sequence[str], partitions: int, seconds_max: float) -> bool:
    """Until no transaction is open on these topics, whose markers may come a little after the offsets; False where one still is after so long."""
    watch = Watch(bootstrap, group, topics, partitions)
    try:
        deadline = time.monotonic() + seconds_max
        while watch.look().open_transaction:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
    finally:
        watch.close()


_NOT_YET = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.GROUP_ID_NOT_FOUND,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
"""The group has not begun, its coordinator is just starting, or an offset is on its way: ask again."""
