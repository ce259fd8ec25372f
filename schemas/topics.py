"""Every topic is declared here: its key, partitions, cleanup, retention, size limit, who writes and who reads it."""

from typing import Literal, NamedTuple

DAY_MS = 24 * 3600 * 1000
MEBIBYTE = 1024 * 1024


class Topic(NamedTuple):
    """One topic; retention in milliseconds (-1: for ever), sizes in bytes, partitions None where it is co-partitioned with the interactions."""

    name: str
    key: str
    partitions: int | None
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    record_bytes_max: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    about: str


INTERACTIONS = "journey.interactions.v1"
DEAD_LETTERS = "journey.interactions.dead.v1"
IDENTITY = "journey.identity.v1"
PROFILES = "journey.profiles.v1"
STAGES = "journey.stages.v1"
SEGMENTS = "journey.segments.v1"
MOMENTS = "journey.moments.v1"
IDENTITY_CHANGES = "journey.identity.changes.v1"
IDENTITY_CONFLICTS = "journey.identity.conflicts.v1"

_CUSTOMER = "customer id"
_SUBSCRIBERS = ("subscribers", "connectors")

TOPICS = (
    Topic(INTERACTIONS, "any", None, "delete", 7 * DAY_MS, MEBIBYTE, ("producers", "connectors"), ("intake",), "Every interaction, as producers send it."),
    Topic(DEAD_LETTERS, "any", None, "delete", 30 * DAY_MS, MEBIBYTE, ("intake", "connectors"), ("operators",), "Records that were refused, and why."),
    Topic(IDENTITY, "keyed hash of an identifier", None, "delete", 7 * DAY_MS, 4 * MEBIBYTE, ("intake", "customer"), ("customer",), "Internal: who is this?"),
    Topic(PROFILES, _CUSTOMER, None, "compact", -1, MEBIBYTE, ("customer",), _SUBSCRIBERS, "The newest profile of every customer; redirects of merged ones."),
    Topic(STAGES, _CUSTOMER, None, "delete", 30 * DAY_MS, MEBIBYTE, ("customer",), _SUBSCRIBERS, "Stage changes and their retractions."),
    Topic(SEGMENTS, _CUSTOMER, None, "delete", 30 * DAY_MS, MEBIBYTE, ("customer",), _SUBSCRIBERS, "Segment entries and exits and their retractions."),
    Topic(MOMENTS, _CUSTOMER, None, "delete", 30 * DAY_MS, MEBIBYTE, ("customer",), _SUBSCRIBERS, "Moments with their verdicts and retractions."),
    Topic(IDENTITY_CHANGES, _CUSTOMER, None, "delete", 365 * DAY_MS, MEBIBYTE, ("customer",), _SUBSCRIBERS, "Merges and splits of customers."),
    Topic(IDENTITY_CONFLICTS, _CUSTOMER, None, "delete", 90 * DAY_MS, MEBIBYTE, ("customer",), ("operators",), "Links that were refused, and by which rule."),
)
"""In the order of one event's way."""

BY_NAME = {topic.name: topic for topic in TOPICS}

PARTITIONS = 4
"""Partitions of the co-partitioned topics where nobody says otherwise; at most 64 a cell."""

BATCH_BYTES_MAX = 4 * MEBIBYTE
"""`max.message.bytes` of our topics: a full 1 MiB record batch passes with room for its headers."""


def configuration(topic: Topic) -> dict[str, str]:
    """The topic's settings as Kafka names them."""
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(BATCH_BYTES_MAX),
        "message.timestamp.type": "LogAppendTime",
    }
