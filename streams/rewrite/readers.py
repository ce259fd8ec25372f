"""Who reads a partition, and how far each has come.

The rule this module owns: behind a reader is what it has committed, or where nothing that it could read lies between; a reader that commits to no
group is not seen.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.broker.errors import BrokerUnavailable
from streams.replay import reading
from streams.replay.reading import Place

REQUEST_SECONDS = 30.0
LOOK_SECONDS = 0.25
_NOT_YET = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.GROUP_ID_NOT_FOUND,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)

Committed = Mapping[str, int]
"""By group, up to where it has read a partition."""


class Standing(NamedTuple):
    """By partition, up to where each of its groups has read it; those of them that nobody is in at the moment."""

    committed: Mapping[Place, Committed]
    empty: frozenset[str]


class Readers:
    """Asks for the groups of a cluster; those that it has once seen without any of these topics are asked no more."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def look(self, places: Iterable[Place]) -> Standing:
        """Where all groups stand now."""
        wanted = set(places)
        listed = self._client.list_consumer_groups(request_timeout=REQUEST_SECONDS).result()
        if listed.errors:
            raise KafkaException(*listed.errors[0].args)
        asked = {
            group.group_id: self._client.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group.group_id)], request_timeout=REQUEST_SECONDS
            )[group.group_id]
            for group in listed.valid
        }
        found: dict[Place, dict[str, int]] = {place: {} for place in wanted}
        for name, answer in asked.items():
            for one in _offsets(answer):
                place = (one.topic, one.partition)
                if place in wanted and one.error is None and one.offset >= 0:
                    found[place][name] = one.offset
        return Standing(found, frozenset(group.group_id for group in listed.valid if group.state.name == "EMPTY"))

    def behind(self, ends: Mapping[Place, int], own: str, needed: Iterable[Place]) -> dict[str, list[Place]]:
        """By group the partitions of which something before the end is still before it; `own` has to have read those `needed`, known or not."""
        standing = self.look(ends)
        late: dict[str, list[Place]] = {}
        needed = set(needed)
        for place, end in sorted(ends.items()):
            stands = {**({own: 0} if place in needed else {}), **standing.committed[place]}
            lies = {offset: self.lies(place, offset, end) for offset in set(stands.values()) if offset < end}
            for group, offset in stands.items():
                if lies.get(offset, False):
                    late.setdefault(group, []).append(place)
        return late

    def wait(self, ends: Mapping[Place, int], own: str, needed: Iterable[Place], seconds_max: float) -> dict[str, list[Place]]:
        """Who is still behind when all have come past the ends, or so many seconds are over."""
        deadline, needed = time.monotonic() + seconds_max, list(needed)
        while (late := self.behind(ends, own, needed)) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return late

    def lies(self, place: Place, begin: int, end: int) -> bool:
        """Whether a committed record lies there."""
        consumer = reading.consumer(self._bootstrap, f"kairos-rewrite-{uuid.uuid4().hex}")  # Nothing is ever committed to it.
        try:
            consumer.assign([TopicPartition(*place, begin)])
            message = consumer.poll(REQUEST_SECONDS)
            if message is None:
                raise BrokerUnavailable(f"{place[0]}[{place[1]}] is not read: is Kafka still running?")
            return not reading.is_end(message) and (message.offset() or 0) < end
        finally:
            consumer.close()

    def lift(self, begins: Mapping[Place, int], own: str, seconds_max: float) -> None:
        """Bring whoever stands before these offsets up to them, so that nobody finds that what comes next is gone, which most clients take for a reason to
        go to the end: a group that is empty is put there; one at work that has read all gets there by itself. The workers (`own`) know better."""
        deadline = time.monotonic() + seconds_max
        while True:
            standing = self.look(begins)
            low = [
                (place, group, offset)
                for place, begin in begins.items()
                for group, offset in standing.committed[place].items()
                if offset < begin and group != own
            ]
            for place, group, _ in low:
                if group in standing.empty:
                    self._put(group, place, begins[place])
            at_work = [(place, offset) for place, group, offset in low if group not in standing.empty]
            if all(self.lies(place, offset, begins[place]) for place, offset in at_work) or time.monotonic() > deadline:
                return
            time.sleep(LOOK_SECONDS)

    def _put(self, group: str, place: Place, offset: int) -> None:
        put = ConsumerGroupTopicPartitions(group, [TopicPartition(*place, offset)])
        answer: Any = self._client.alter_consumer_group_offsets([put], request_timeout=REQUEST_SECONDS)[group]
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_MEMBER_ID:  # Somebody has come back: it goes on by itself.
                raise


def _offsets(answer: Any) -> list[TopicPartition]:
    """What a group has committed; nothing of one that is gone."""
    try:
        return list(answer.result().topic_partitions)
    except KafkaException as error:
        if error.args[0].code() in _NOT_YET:
            return []
        raise
