"""Administration of any Kafka: its cluster id, topics, offsets. Topics come as plain values; which ones there are is not this module's business."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, ParamSpec, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, UnknownBrokerIdError
from kafka.protocol.consumer.offsets import IsolationLevel

from streams.broker.errors import BrokerUnavailable

ANSWER_SECONDS_MAX = 9.0
_REQUEST_MS_MAX = 30_000
_ATTEMPTS, _PAUSE_SECONDS = 10, 0.5
_ELSEWHERE = (UnknownBrokerIdError, KafkaConnectionError)
"""The client looked for a broker that it has just forgotten, or chose one of the cluster that does not listen: another choice may find one."""
_GONE = frozenset({"OK", "GroupIdNotFoundError"})
_NOT_YET = frozenset({"NonEmptyGroupError", "NotCoordinatorError", "CoordinatorLoadInProgressError", "CoordinatorNotAvailableError"})
"""What the client says of a group that was to be deleted: that it is, or that it has members, or a coordinator that has just begun."""


P = ParamSpec("P")
R = TypeVar("R")


def _asked_again(ask: Callable[P, R]) -> Callable[P, R]:
    """Ask anew where the client went to the wrong broker of a cluster that answers; BrokerUnavailable where that goes on for 5 s."""

    @functools.wraps(ask)
    def asked(*words: P.args, **more: P.kwargs) -> R:
        for _ in range(_ATTEMPTS):
            try:
                return ask(*words, **more)
            except _ELSEWHERE as error:
                last = error
                time.sleep(_PAUSE_SECONDS)
        raise BrokerUnavailable(
            f"A broker of this Kafka does not answer ({last!r}), and it did not choose another: are all of them running?"
        )

    return asked


class NewTopic(NamedTuple):
    """A topic that shall exist: partitions, and settings as Kafka names them."""

    name: str
    partitions: int
    config: Mapping[str, str]


class DescribedTopic(NamedTuple):
    """A topic that exists: partitions, and those settings that differ from Kafka's defaults."""

    name: str
    partitions: int
    config: dict[str, str]


@_asked_again
def cluster_id(bootstrap: str) -> str:
    """The id of the cluster that answers at `bootstrap`; BrokerUnavailable if none does within 7 s."""
    with _client(bootstrap) as client:
        return str(client.describe_cluster()["cluster_id"])


@_asked_again
def create_topics(bootstrap: str, topics: Iterable[NewTopic]) -> list[str]:
    """Make every topic exist and be ready to use; returns the names of those that are new.

    An existing topic keeps its settings; one whose partitions differ raises BrokerUnavailable, since keys would move.
    """
    wanted = {topic.name: topic for topic in topics}
    with _client(bootstrap) as client:
        missing = sorted(wanted.keys() - set(client.list_topics()))
        if missing:
            request = {name: {"num_partitions": wanted[name].partitions, "configs": dict(wanted[name].config)} for name in missing}
            try:
                client.create_topics(request)
            except TopicAlreadyExistsError:  # Another worker was first with some of them.
                _create_each(client, request)
        if wanted:
            client.wait_for_topics(list(wanted))
            for found in client.describe_topics(list(wanted)):
                _refuse_other_partitions(wanted[found["name"]], len(found["partitions"]), bootstrap)
    return missing


@_asked_again
def describe_topics(bootstrap: str, names: Iterable[str]) -> list[DescribedTopic]:
    """The topics among `names` that exist, sorted by name."""
    with _client(bootstrap) as client:
        present = sorted(set(names) & set(client.list_topics()))
        if not present:
            return []
        partitions = {found["name"]: len(found["partitions"]) for found in client.describe_topics(present)}
        settings = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in present])["topic"]
    return [DescribedTopic(name, partitions[name], {key: str(entry["value"]) for key, entry in settings[name].items()}) for name in present]


@_asked_again
def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete those of `names` that exist."""
    with _client(bootstrap) as client:
        present = sorted(set(names) & set(client.list_topics()))
        if present:
            client.delete_topics(present)


@_asked_again
def alter_topic(bootstrap: str, name: str, config: Mapping[str, str]) -> None:
    """Change these settings of a topic, as Kafka names them; the others stay."""
    with _client(bootstrap) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(config))])


@_asked_again
def delete_records(bootstrap: str, begins: Mapping[tuple[str, int], int]) -> None:
    """Delete what lies before these offsets, by (topic, partition)."""
    if begins:
        with _client(bootstrap) as client:
            client.delete_records({TopicPartition(*place): offset for place, offset in begins.items()})


@_asked_again
def end_offsets(bootstrap: str, names: Iterable[str], committed: bool = True) -> dict[tuple[str, int], int]:
    """The end of each partition by (topic, partition): the last stable offset, or with `committed=False` the high watermark."""
    isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    with _client(bootstrap) as client:
        partitions = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in client.describe_topics(list(names))
            for partition in topic["partitions"]
        ]
        found = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST), isolation_level=isolation)
    return {(partition.topic, partition.partition): answer.offset for partition, answer in found.items()}


def begin_offsets(bootstrap: str, names: Iterable[str]) -> dict[tuple[str, int], int]:
    """The first offset that there still is of each partition by (topic, partition)."""
    return _listed(bootstrap, names, OffsetSpec.EARLIEST)


def offsets_since(bootstrap: str, names: Iterable[str], timestamp_ms: int) -> dict[tuple[str, int], int | None]:
    """The first offset of each partition that was appended then or later, by (topic, partition); None where nothing was."""
    found = _listed(bootstrap, names, timestamp_ms)
    return {place: None if offset < 0 else offset for place, offset in found.items()}


@_asked_again
def topics_like(bootstrap: str, prefix: str) -> list[str]:
    """The names of all topics that begin so, sorted."""
    with _client(bootstrap) as client:
        return sorted(name for name in client.list_topics() if name.startswith(prefix))


@_asked_again
def delete_groups(bootstrap: str, groups: Iterable[str]) -> list[str]:
    """Delete those of the consumer groups that there are; the names of those that stay for now, since they have members or Kafka has just started."""
    with _client(bootstrap) as client:
        found = client.delete_groups(list(groups))
    others = {group: said for group, said in found.items() if said not in _GONE | _NOT_YET}
    if others:
        raise BrokerUnavailable(
            f"Consumer groups cannot be deleted: {', '.join(f'{group} ({said})' for group, said in sorted(others.items()))}."
        )
    return sorted(group for group, said in found.items() if said in _NOT_YET)


@_asked_again
def _listed(bootstrap: str, names: Iterable[str], spec: OffsetSpec | int) -> dict[tuple[str, int], int]:
    with _client(bootstrap) as client:
        partitions = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in client.describe_topics(list(names))
            for partition in topic["partitions"]
        ]
        found = client.list_partition_offsets(dict.fromkeys(partitions, spec))
    return {(partition.topic, partition.partition): answer.offset for partition, answer in found.items()}


@contextmanager
def _client(bootstrap: str) -> Iterator[KafkaAdminClient]:
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap,
            bootstrap_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
            request_timeout_ms=_REQUEST_MS_MAX,
            client_id="kairos-admin",
        )
    except KafkaError as error:
        raise BrokerUnavailable(f"No Kafka answers at {bootstrap} ({type(error).__name__}): is it running, is this its address?") from None
    try:
        yield client
    finally:
        client.close()


def _create_each(client: KafkaAdminClient, request: Mapping[str, Mapping[str, object]]) -> None:
    for name, options in request.items():
        try:
            client.create_topics({name: options})
        except TopicAlreadyExistsError:
            continue


def _refuse_other_partitions(wanted: NewTopic, partitions: int, bootstrap: str) -> None:
    if partitions != wanted.partitions:
        raise BrokerUnavailable(
            f"{wanted.name} at {bootstrap} has {partitions} partitions, not {wanted.partitions}: keys would change places. "
            "Ask for the number that it has, or delete the topic."
        )
