"""Follows profiles: the newest of each customer, redirects, ends; kept in a file, so that following goes on where it was.

The rule this module owns: a change is given out before it counts as seen, so who is killed while at work with it is given it again, and none is missed:
also not the ends that Kafka has forgotten by the time a follower comes back.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from connectors.consumer.reading import TIMEOUT_SECONDS, Record, end_of, is_end, open_consumer, partitions_of, record_of
from schemas import topics
from schemas.profile import Profile

AWAY_SECONDS_MAX = 12 * 3600
"""Kafka keeps an empty value for a day (`delete.retention.ms`) before it forgets it. Who was away for longer than this reads all anew."""
MERGED_HOPS_MAX = 100
FETCHED_MAX = 500
FETCH_SECONDS = 0.25
_READ = msgspec.json.Decoder(Profile).decode
_NONE = -1

_TABLES = """
CREATE TABLE IF NOT EXISTS profiles (
    customer TEXT PRIMARY KEY, version INTEGER NOT NULL, merged_into TEXT, seen INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL, sweep_to INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
"""`seen`: in which reading of all the customer was met; `sweep_to`: where that reading's end is."""


class Change(NamedTuple):
    """What is new of a customer: the profile; or None and into whom the customer was merged; or neither: erased, or its redirect has ended."""

    customer_id: str
    profile: Profile | None
    merged_into: str | None


class Profiles:
    """All customers as of what was read so far; use it from one thread, and in a `with`. `file` is made where there is none.

    Raises ReadFailed where no broker answers or the topic is not there.
    """

    def __init__(self, bootstrap: str, file: Path, topic: str = topics.PROFILES) -> None:
        self._bootstrap, self._topic = bootstrap, topic
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # It holds what customers are called: for its owner's eyes.
        self._kept = sqlite3.connect(file)
        self._kept.execute("PRAGMA secure_delete = ON")  # Who is erased is overwritten.
        self._kept.executescript(_TABLES)
        self._sweep = int(self._fact("sweep") or 0)

    def get(self, customer_id: str) -> Profile | None:
        """The newest profile of a customer, of whom it was merged into where it was; None where there is none."""
        for _ in range(MERGED_HOPS_MAX):
            row = self._kept.execute("SELECT merged_into, value FROM profiles WHERE customer = ?", (customer_id,)).fetchone()
            if row is None:
                return None
            if row[0] is None:
                return _READ(row[1])
            customer_id = row[0]
        return None

    def __len__(self) -> int:
        """How many customers there are."""
        return int(self._kept.execute("SELECT count(*) FROM profiles WHERE merged_into IS NULL").fetchone()[0])

    def catch_up(self) -> Generator[Change, None, None]:
        """All that is new up to the topic's end as it is now."""
        return self._changes(to_end=True, is_over=lambda: False)

    def follow(self, is_over: Callable[[], bool] = lambda: False) -> Generator[Change, None, None]:
        """All that is new, and then what comes, until `is_over`, which is asked at least once a second."""
        return self._changes(to_end=False, is_over=is_over)

    def close(self) -> None:
        """Close the file."""
        self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _changes(self, to_end: bool, is_over: Callable[[], bool]) -> Generator[Change, None, None]:
        consumer = open_consumer(self._bootstrap, "read_committed")
        try:
            places = partitions_of(consumer, self._topic, OFFSET_BEGINNING, TIMEOUT_SECONDS)
            ends = {place.partition: end_of(consumer, place, TIMEOUT_SECONDS) for place in places}
            self._begin(ends, consumer.list_topics(self._topic, timeout=TIMEOUT_SECONDS).cluster_id or "")
            starts = self._places()
            consumer.assign([TopicPartition(self._topic, partition, starts[partition]) for partition in ends])
            unread = {partition for partition, end in ends.items() if starts[partition] < end}
            while not is_over():
                if to_end and not unread:
                    return
                messages = consumer.consume(FETCHED_MAX, FETCH_SECONDS)
                ended = {message.partition() or 0 for message in messages if is_end(message)}
                records = [record_of(message) for message in messages if message.error() is None]
                yield from self._taken(records, ended)
                unread -= ended | {record.partition for record in records if record.offset >= ends[record.partition] - 1}
        finally:
            consumer.close()
            self._kept.rollback()  # What was given out and not come back for is given out again.

    def _taken(self, records: list[Record], ended: set[int]) -> Generator[Change, None, None]:
        """What is new in these; it is kept when all of it was given out."""
        for record in records:
            change = self._apply(record)
            if change is not None:
                yield change
        for partition, following in {record.partition: record.offset + 1 for record in records}.items():
            self._kept.execute("UPDATE places SET next = ? WHERE partition = ?", (following, partition))
        self._kept.executemany("UPDATE places SET sweep_to = 0 WHERE partition = ?", [(partition,) for partition in ended])
        yield from self._swept()
        self._note("read_at", str(time.time()))
        self._kept.commit()

    def _apply(self, record: Record) -> Change | None:
        customer = (record.key or b"").decode()
        row = self._kept.execute("SELECT version, value FROM profiles WHERE customer = ?", (customer,)).fetchone()
        if record.value is None:
            return self._ended(customer, known=row is not None)
        profile = _READ(record.value)
        if row is not None and profile.version <= row[0]:
            self._kept.execute("UPDATE profiles SET seen = ? WHERE customer = ?", (self._sweep, customer))
            return None
        written = (customer, profile.version, profile.merged_into, self._sweep, record.value)
        self._kept.execute("INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?, ?)", written)
        if row is not None and bytes(row[1]) == record.value:
            return None
        return Change(customer, profile if profile.merged_into is None else None, profile.merged_into)

    def _ended(self, customer: str, known: bool) -> Change | None:
        """While all is read anew somebody may begin again further on: whoever is gone is told at its end."""
        if not known:
            return None
        if self._is_sweeping():
            self._kept.execute("UPDATE profiles SET seen = ? WHERE customer = ?", (_NONE, customer))
            return None
        self._kept.execute("DELETE FROM profiles WHERE customer = ?", (customer,))
        return Change(customer, None, None)

    def _swept(self) -> Generator[Change, None, None]:
        """Once all was read anew: those who were not met are no more."""
        if self._fact("sweeping") != "yes" or self._is_sweeping():
            return
        gone = self._kept.execute("SELECT customer FROM profiles WHERE seen <> ?", (self._sweep,)).fetchall()
        for (customer,) in gone:
            self._kept.execute("DELETE FROM profiles WHERE customer = ?", (customer,))
            yield Change(customer, None, None)
        self._note("sweeping", "no")

    def _begin(self, ends: dict[int, int], cluster: str) -> None:
        """Go on, or read all anew: where there is nothing yet, after long, or where the topic is another one."""
        places = self._places()
        is_other = self._fact("cluster") not in ("", cluster) or any(following > ends.get(each, 0) for each, following in places.items())
        is_late = time.time() - float(self._fact("read_at") or 0) > AWAY_SECONDS_MAX
        if is_other or is_late or set(places) != set(ends):
            self._sweep += 1
            if is_other:
                self._kept.execute("UPDATE profiles SET version = ?", (_NONE,))
            self._kept.execute("DELETE FROM places")
            self._kept.executemany("INSERT INTO places VALUES (?, 0, ?)", list(ends.items()))
            for name, value in (("sweep", str(self._sweep)), ("sweeping", "yes"), ("cluster", cluster), ("read_at", str(time.time()))):
                self._note(name, value)
            self._kept.commit()

    def _is_sweeping(self) -> bool:
        return self._kept.execute("SELECT 1 FROM places WHERE next < sweep_to LIMIT 1").fetchone() is not None

    def _places(self) -> dict[int, int]:
        return dict(self._kept.execute("SELECT partition, next FROM places").fetchall())

    def _fact(self, name: str) -> str:
        row = self._kept.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return "" if row is None else str(row[0])

    def _note(self, name: str, value: str) -> None:
        self._kept.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
