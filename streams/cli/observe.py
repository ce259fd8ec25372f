"""What the workers publish, as it comes: a thread that reads the output topics for the live view.

The rule this module owns: it only watches. Nothing that is checked or exported rests on its counts; the facts are read anew when all has settled.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from msgspec import Struct

from schemas import topics

NEWS_KEPT = 60
POLL_SECONDS = 0.2
BATCH_RECORDS = 500


class Seen:
    """Counts and news so far. One thread writes, others read: every field is replaced or appended to, never taken apart."""

    def __init__(self) -> None:
        self.customers: dict[bytes, int] = {}
        """Interactions applied, by customer; a merged one is gone."""
        self.applied = 0
        self.dead = 0
        self.retracted = 0
        self.merges = 0
        self.stages: Counter[str] = Counter()
        self.segments: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()
        self.newest_stages: deque[Mapping[str, Any]] = deque(maxlen=NEWS_KEPT)
        self.newest_moments: deque[Mapping[str, Any]] = deque(maxlen=NEWS_KEPT)
        """Wire values as they came, oldest first."""


class _Profile(Struct, rename="camel"):
    interactions: int = 0
    merged_into: str | None = None


_PROFILE = msgspec.json.Decoder(_Profile)


class Observer:
    """Reads the outputs from their beginning, committed ones only, in a thread of its own; a context manager."""

    def __init__(self, bootstrap: str, group: str, partitions: int) -> None:
        self.seen = Seen()
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{group}-view",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": 16 * 1024,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(topic, partition, 0) for topic in _TAKE for partition in range(partitions)])
        self._thread = threading.Thread(target=self._read, name="observer", daemon=True)

    def __enter__(self) -> Seen:
        self._thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(BATCH_RECORDS, POLL_SECONDS):
                    error = message.error()
                    if error is None:
                        value = message.value()
                        if value is not None:
                            _TAKE[message.topic() or ""](self.seen, message.key() or b"", value)
                        elif message.topic() == topics.PROFILES:  # A redirect that has ended, or a customer who was erased.
                            self.seen.applied -= self.seen.customers.pop(message.key() or b"", 0)
                    elif error.code() not in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._PARTITION_EOF):
                        raise KafkaException(error)
        except (KafkaException, msgspec.MsgspecError, orjson.JSONDecodeError, LookupError, TypeError) as failure:
            self.failure = failure  # the view stands still and says so; the run goes on


def _profile(seen: Seen, key: bytes, value: bytes) -> None:
    profile = _PROFILE.decode(value)
    before = seen.customers.get(key, 0)
    if profile.merged_into is not None:
        seen.customers.pop(key, None)
        seen.applied -= before
        return
    seen.customers[key] = profile.interactions
    seen.applied += profile.interactions - before


def _stage(seen: Seen, _key: bytes, value: bytes) -> None:
    change = orjson.loads(value)
    if change.get("retracts"):
        seen.retracted += 1
        return
    seen.stages[change["to"]] += 1
    seen.newest_stages.append(change)


def _segment(seen: Seen, _key: bytes, value: bytes) -> None:
    change = orjson.loads(value)
    if change.get("retracts"):
        seen.retracted += 1
        return
    seen.segments[change["segment"]] += 1 if change["entered"] else -1


def _moment(seen: Seen, _key: bytes, value: bytes) -> None:
    moment = orjson.loads(value)
    if moment.get("retracts"):
        seen.retracted += 1
        return
    seen.moments[moment["moment"]] += 1
    seen.newest_moments.append(moment)


def _dead_letter(seen: Seen, _key: bytes, _value: bytes) -> None:
    seen.dead += 1


def _identity_change(seen: Seen, _key: bytes, value: bytes) -> None:
    seen.merges += orjson.loads(value)["kind"] == "merge"


_TAKE: dict[str, Callable[[Seen, bytes, bytes], None]] = {
    topics.PROFILES: _profile,
    topics.STAGES: _stage,
    topics.SEGMENTS: _segment,
    topics.MOMENTS: _moment,
    topics.DEAD_LETTERS: _dead_letter,
    topics.IDENTITY_CHANGES: _identity_change,
}
