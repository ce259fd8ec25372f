"""Every topic is declared here: its key, partitions, cleanup, retention, size limit, who writes and who reads it."""

from typing import Literal, NamedTuple

DAY_MS = 24 * 3600 * 1000
MEBIBYTE = 1024 * 1024
BATCH_BYTES_MAX = 4 * MEBIBYTE
"""`max.message.bytes` of our topics: a full 1 MiB record batch passes with room for its headers."""


class Topic(NamedTuple):
    """One topic; retention in milliseconds (-1: for ever), sizes in bytes; no partitions of its own where it has those of the interactions."""

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
COMMANDS = "journey.commands.v1"
PROFILES = "journey.profiles.v1"
STAGES = "journey.stages.v1"
SEGMENTS = "journey.segments.v1"
MOMENTS = "journey.moments.v1"
IDENTITY_CHANGES = "journey.identity.changes.v1"
IDENTITY_CONFLICTS = "journey.identity.conflicts.v1"
DEAD_DELIVERIES = "journey.deliveries.dead.v1"
ENDPOINTS = "journey.endpoints.v1"

_PLACE = "hash of where the record lay"
_NODE = "keyed hash of an identifier"
_CUSTOMER = "customer id"


def _output(name: str, about: str, days: int | None, readers: tuple[str, ...] = ("subscribers", "connectors")) -> Topic:
    """A topic that the customer agent publishes on: kept for some days, or (None) compacted to the newest value of each customer."""
    cleanup: Literal["delete", "compact"] = "compact" if days is None else "delete"
    return Topic(name, _CUSTOMER, None, cleanup, -1 if days is None else days * DAY_MS, BATCH_BYTES_MAX, ("customer",), readers, about)


_TAKEN = "Every interaction, as producers send it."
_REFUSED = "Records that were refused, and why."
_ORDERED = "Commands about who is who: link, keep apart, allow again, mark as shared, unmark, export, erase; each with who, when and why."
_UNDELIVERED = "Outputs that an endpoint did not take, and why; where each lies, not what it says."
_SWITCHED = "Endpoints that are switched off, by an answer 410 or by an operator, and on again."
_ASKED = "Internal: who is this? Its messages are no contract."

TOPICS = (
    Topic(INTERACTIONS, "any", None, "delete", 7 * DAY_MS, MEBIBYTE // 4, ("producers", "connectors"), ("intake",), _TAKEN),
    Topic(COMMANDS, "command id", None, "delete", 7 * DAY_MS, MEBIBYTE // 4, ("operators",), ("commands",), _ORDERED),
    Topic(
        *(DEAD_LETTERS, _PLACE, None, "delete", 30 * DAY_MS, MEBIBYTE // 4),
        *(("intake", "commands", "customer", "connectors"), ("operators",), _REFUSED),
    ),
    Topic(IDENTITY, _NODE, None, "delete", 7 * DAY_MS, 4 * MEBIBYTE, ("intake", "commands", "customer"), ("customer",), _ASKED),
    _output(
        PROFILES, "The newest profile of every customer; redirects of merged ones, for 30 days; empty: erased, or a redirect's end.", None
    ),
    _output(STAGES, "Stage changes and their retractions.", 30),
    _output(SEGMENTS, "Segment entries and exits and their retractions.", 30),
    _output(MOMENTS, "Moments with their verdicts and retractions.", 30),
    _output(IDENTITY_CHANGES, "Merges, splits and erasures of customers, and the receipts of commands.", 365),
    _output(IDENTITY_CONFLICTS, "Links that were refused, and by which rule.", 90, readers=("operators",)),
    Topic(DEAD_DELIVERIES, _CUSTOMER, None, "delete", 30 * DAY_MS, MEBIBYTE // 4, ("deliverer",), ("operators",), _UNDELIVERED),
    Topic(ENDPOINTS, "endpoint", None, "compact", -1, MEBIBYTE // 4, ("deliverer",), ("deliverer", "operators"), _SWITCHED),
)
"""In the order of one event's way."""

BY_NAME = {topic.name: topic for topic in TOPICS}

HASHES_ONLY = (IDENTITY_CHANGES, IDENTITY_CONFLICTS)
"""Kept for long, since nothing in them says who anybody was: customer ids and keyed hashes."""
SEGMENT_MS = DAY_MS
"""Kafka throws away a segment when its last record is old enough: what is kept for a time is kept for up to a segment's span more."""
COMPACTION_MS = 7 * DAY_MS
"""What a compacted topic no longer needs is gone from it after this, however little was written since."""
CLEAN_AFTER_MS = max(topic.retention_ms for topic in TOPICS if topic.name not in HASHES_ONLY) + SEGMENT_MS
"""So long after an erasure no topic holds what was erased."""

PARTITIONS = 4
"""Partitions of the co-partitioned topics where nobody says otherwise; at most 64 a cell."""


def configuration(topic: Topic) -> dict[str, str]:
    """The topic's settings as Kafka names them."""
    return {
        "cleanup.policy": topic.cleanup,
        **({"max.compaction.lag.ms": str(COMPACTION_MS)} if topic.cleanup == "compact" else {"segment.ms": str(SEGMENT_MS)}),
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(BATCH_BYTES_MAX),
        "message.timestamp.type": "LogAppendTime",
    }
