"""The topics an engine stands on: sources that are there and co-partitioned, changelogs made where they are missing.

The rule: a changelog is compacted, takes records of 4 MiB, and stamps them when they are appended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import uuid4

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from streams.engine.errors import EngineError
from streams.engine.settings import EngineSettings

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(7 * 86_400_000),  # What was deleted is gone after a week, however little is written.
    "max.message.bytes": str(4 << 20),
    "message.timestamp.type": "LogAppendTime",
    "min.cleanable.dirty.ratio": "0.3",
    "segment.bytes": str(64 << 20),
}

MOCK_VERSION = (2, 3)
"""What a broker that cannot be administered is taken for: it does not say what it is."""
MOCK_TOMBSTONE_MS = 86_400_000


FIXED = (
    "rows would be in other partitions than the records of their keys. The number of partitions is fixed once there is state; for another number make "
    "topics anew with it, and replay all input from its beginning under another app_id"
)
"""Why a number of partitions that changed is refused, and what to do instead."""


class Ground(NamedTuple):
    """What was found: the number of partitions, and of each changelog topic what a store has to agree with."""

    partitions: int
    incarnations: dict[str, str]
    """By changelog topic: the cluster and the topic's own id; a topic of the same name that was made anew differs."""
    tombstone_ms: dict[str, int]
    """By changelog topic: for how long a deletion can be read after it was written (delete.retention.ms)."""


def changelog_topic(app_id: str, table: str) -> str:
    """The name of a table's changelog topic."""
    return f"{app_id}-{table}-changelog"


def prepare(settings: EngineSettings, sources: Iterable[str], tables: Iterable[str]) -> Ground:
    """Check the sources and make the changelogs. Blocks; kafka.errors.KafkaError if no broker answers, EngineError for what must be mended."""
    sources = sorted(set(sources))
    changelogs = sorted({changelog_topic(settings.app_id, table) for table in tables})
    client = KafkaAdminClient(
        bootstrap_servers=settings.bootstrap.split(","),
        client_id=f"{settings.app_id}-engine",
        bootstrap_timeout_ms=5000,
        **({} if settings.administered else {"api_version": MOCK_VERSION}),
    )
    try:
        present = set(client.list_topics())
        wanted = sources if settings.administered else [*sources, *changelogs]
        missing = [name for name in wanted if name not in present]
        if missing:
            raise EngineError(f"no such topic: {', '.join(missing)}; create the topics first")
        partitions = _one_count({found["name"]: len(found["partitions"]) for found in client.describe_topics(sources)}, settings.partitions)
        _create(client, [name for name in changelogs if name not in present], partitions, settings.changelog_replication)
        if not settings.administered:
            return Ground(partitions, dict.fromkeys(changelogs, str(uuid4())), dict.fromkeys(changelogs, MOCK_TOMBSTONE_MS))
        return _ground(client, changelogs, partitions)
    finally:
        client.close()


def _one_count(counts: dict[str, int], wanted: int | None) -> int:
    shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    if len(set(counts.values())) != 1:
        raise EngineError(f"the source topics must have the same number of partitions, but they have: {shown}")
    count = next(iter(counts.values()))
    if wanted is not None and count != wanted:
        raise EngineError(f"the source topics have {count} partitions, not {wanted}: give it --partitions {count} ({shown})")
    return count


def _create(client: KafkaAdminClient, missing: list[str], partitions: int, replication: int) -> None:
    for name in missing:
        try:
            client.create_topics(
                {name: {"num_partitions": partitions, "replication_factor": replication, "configs": dict(CHANGELOG_CONFIG)}}
            )
        except TopicAlreadyExistsError:  # Another worker was first.
            continue
    if missing:
        client.wait_for_topics(missing)


def _ground(client: KafkaAdminClient, changelogs: list[str], partitions: int) -> Ground:
    if not changelogs:
        return Ground(partitions, {}, {})
    cluster = str(client.describe_cluster()["cluster_id"])
    incarnations: dict[str, str] = {}
    for found in client.describe_topics(changelogs):
        if len(found["partitions"]) != partitions:
            raise EngineError(f"{found['name']} has {len(found['partitions'])} partitions, its source has {partitions}: {FIXED}")
        incarnations[found["name"]] = f"{cluster}/{found.get('topic_id', '')}"
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in changelogs]
    described = client.describe_configs(resources, config_filter="all")["topic"]
    return Ground(partitions, incarnations, {name: int(described[name]["delete.retention.ms"]["value"]) for name in changelogs})
