"""Reads one partition of a changelog, from an offset on, in whole record batches: for who wants all of it, as fast as it comes.

The rule: where the reader stands is the log's position, not its last record: behind gaps, markers, aborted transactions and what was compacted away.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine import overrides
from streams.engine.settings import EngineSettings

FETCH_BYTES = 32 << 20
"""What the readers of all partitions of a topic may have fetched together, in equal shares, as long as each may have FETCH_BYTES_MIN."""
FETCH_BYTES_MIN = 1 << 20
FETCH_WAIT_MS = 50
PATIENT_WAIT_MS = 500
"""As long as READ_SECONDS_MAX: who follows a log asks twice a second while nothing comes, and is answered at once when something does."""
RECORDS_MAX = 5000
"""A part ends with the record batch in which it gets so long."""
READ_SECONDS_MAX = 0.5


class Part(NamedTuple):
    """Committed records in order (key, value, offset), and where the log goes on behind them; there may be none, and it goes on all the same."""

    records: list[Any]
    next_offset: int


class Reader:
    """Of one topic partition; `async with`, then `ends`, `seek`, and `read` as often as needed. KafkaError when the broker goes away."""

    def __init__(self, settings: EngineSettings, topic: str, partition: int, partitions: int) -> None:
        """`partitions`: so many the topic has, and all may be read at once."""
        self._target = TopicPartition(topic, partition)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            client_id=f"{settings.app_id}-restore",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=max(FETCH_BYTES_MIN, FETCH_BYTES // partitions),
        )

    async def __aenter__(self) -> Reader:
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        self._consumer.assign([self._target])
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()

    async def ends(self) -> tuple[int, int]:
        """The first offset there is, and the one behind the last that is committed."""
        begin = (await self._consumer.beginning_offsets([self._target]))[self._target]
        end = (await self._consumer.end_offsets([self._target]))[self._target]
        return begin, end

    def seek(self, offset: int) -> None:
        """Read from there."""
        self._consumer.seek(self._target, offset)

    def patient(self) -> None:
        """From now on the broker may take longer to say that there is nothing."""
        overrides.wait_for_more(self._consumer._fetcher, PATIENT_WAIT_MS)

    def behind(self, offset: int) -> int:
        """How many offsets lie between there and the end of what is committed, as the last fetch told it."""
        end = self._consumer.last_stable_offset(self._target)
        return 0 if end is None else max(0, int(end) - offset)

    async def read(self) -> Part:
        """The next part, as soon as there is one; without records where half a second brought none."""
        fetcher = self._consumer._fetcher
        part = overrides.whole_batches(fetcher, self._target, RECORDS_MAX)
        if part is None:
            await overrides.fetched(fetcher, READ_SECONDS_MAX)
            part = overrides.whole_batches(fetcher, self._target, RECORDS_MAX)
        if part is None:
            return Part([], await self._consumer.position(self._target))
        return Part(*part)
