"""Everything that can go wrong in the engine, sorted by what is done about it: end the worker, isolate a record, or try again.

The rule: an error is matched by its class, never by its text.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


class EngineError(Exception):
    """The worker cannot go on; the text says why and what to do."""


class RecordTooLarge(Exception):
    """A decision wants to write a record that no broker would take; its input is isolated."""

    def __init__(self, topic: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"a record of {size_bytes} bytes for {topic}, the limit is {limit_bytes}")


class TooSlow(KafkaError):
    """A transaction lasted longer than Kafka lets it: its producer was discarded."""


class Overtaken(KafkaError):
    """Without transactions: another has this partition by now, or wrote to its changelog; what was written meanwhile is void, the partition begins anew."""


class Injected(KafkaError):
    """A fail point raised this in a test."""


FENCED = (ProducerFenced, InvalidProducerEpoch)
"""Another producer with our transactional id has begun: the partition is given up, the group joined again."""

REFUSED = (RecordTooLarge, MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError)
"""The broker will never take what the decision says: the input is isolated down to the record that leads to it."""

HOPELESS = (
    EngineError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""Trying again cannot help: the worker ends with the reason."""

TRANSIENT = (KafkaError, OSError, TimeoutError)
"""The outside world: discard the producer, fence again, and do it again; as long as it takes."""


def where(error: BaseException) -> str:
    """The error's class and the line that raised it; not its text, which may hold what the record held."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else type(error).__name__
