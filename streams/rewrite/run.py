"""The way of a rewrite: who was erased, where they are held, what is closed, copied and deleted, in this order.

The rule this module owns: what any step needs is read from Kafka, never remembered from the step before by a program that may be gone. So a run that
was killed anywhere is finished by the next one, which begins at the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct

from schemas import rewritten, topics
from streams.broker import admin
from streams.identity.policy import Policy
from streams.replay import reading
from streams.replay.reading import Message, Place
from streams.rewrite import holding, marks, moving
from streams.rewrite.holding import Judge
from streams.rewrite.moving import Copies, Moved, Writer
from streams.rewrite.readers import Readers

OWN = (topics.INTERACTIONS, topics.COMMANDS, topics.IDENTITY)
"""What the workers read, as one group."""
CLOSE_SECONDS_MAX = 90.0
"""So long a transaction that was open when a partition's end was closed may stay so."""
LOOK_SECONDS = 0.1

Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows how far long work has come: what, of how much."""


class Asked(NamedTuple):
    """On which Kafka, for which deployment. `seconds_max`: so long readers may take to come past what is moved; `regardless`: it is moved although
    others than the workers have not."""

    bootstrap: str
    group: str
    changelog: str
    policy: Policy
    replayed: bool
    seconds_max: float
    regardless: bool = False


class Rewrite(Struct, kw_only=True, rename="camel"):
    """What became of a topic: on how many partitions records were moved behind others (copies) and removed, and their bytes."""

    topic: str
    partitions: int
    moved: int
    moved_bytes: int
    removed: int
    removed_bytes: int


class Behind(Exception):
    """Some have not read yet what would be moved: partitions by group; nothing of it was moved. `own`: the workers are among them."""

    def __init__(self, late: Mapping[str, list[Place]], own: bool) -> None:
        super().__init__(", ".join(sorted(late)))
        self.late, self.own = late, own


class Unclosed(Exception):
    """A transaction stays open on these partitions, so nobody can tell what lies on them."""


class _Found(NamedTuple):
    """Of a partition: its first offset, the last record that holds somebody, whatever its transaction came to, and before which offset a run that was
    broken off was moving all (0: none was)."""

    begin: int

    last: int
    before: int


def rewrite(asked: Asked, bar: Bar) -> list[Rewrite]:
    """Take everybody who was erased out of all topics that keep records for a time; by topic what was done. Behind, Unclosed."""
    moving.restore(asked.bootstrap)
    known = marks.gather(*(_all(asked.bootstrap, topic) for topic in (asked.changelog, topics.IDENTITY_CHANGES)))
    if not known.past.erased:
        return []
    judge = Judge(asked.policy, known, time.time_ns() // 1000, asked.replayed)
    readers = Readers(asked.bootstrap)
    done = [_topic(asked, topic, judge, readers, bar) for topic in holding.TOPICS]
    return [*done, _internal(asked, readers)]


def _topic(asked: Asked, topic: str, judge: Judge, readers: Readers, bar: Bar) -> Rewrite:
    """One topic that others read, too."""
    found = _find(asked.bootstrap, topic, judge, bar)
    if not found:
        return _told(topic, {})
    begun = {place: one.before for place, one in found.items() if one.before > one.last}
    with ExitStack() as writing:
        writers = {place: writing.enter_context(Writer(asked.bootstrap, place)) for place in found}
        fresh = {place: writer for place, writer in writers.items() if place not in begun}
        ends = {**begun, **(moving.roll(asked.bootstrap, topic, fresh) if fresh else {})}
        _await_read(asked, readers, ends)
        standing = readers.look(ends).committed
        stable = admin.end_offsets(asked.bootstrap, [topic])
        since_ms = _kept_since(asked.bootstrap, topic)
        done: dict[Place, Moved] = {}
        with bar(f"{topic}: moved", sum(end - found[place].begin for place, end in ends.items())) as told:
            for place, end in ends.items():
                again = reading.read(asked.bootstrap, {place: stable[place]}) if found[place].before else ()
                messages = reading.read(asked.bootstrap, {place: end})
                holds = partial(judge.holds, topic)
                done[place] = moving.copy(
                    writers[place], messages, end, holds, Copies(again, found[place].begin), standing[place], since_ms, told
                )
    _delete(asked, readers, ends)
    return _told(topic, done)


def _internal(asked: Asked, readers: Readers) -> Rewrite:
    """The workers' own topic: what they have read is needed no more."""
    topic = topics.IDENTITY
    begins = admin.begin_offsets(asked.bootstrap, [topic])
    full = [place for place, end in admin.end_offsets(asked.bootstrap, [topic], committed=False).items() if end > begins[place]]
    if not full:
        return _told(topic, {})
    with ExitStack() as writing:
        writers = {place: writing.enter_context(Writer(asked.bootstrap, place)) for place in full}
        closed = moving.roll(asked.bootstrap, topic, writers)
    _await_read(asked, readers, closed)
    done: dict[Place, Moved] = {}
    for place, messages in _by_place(reading.read(asked.bootstrap, closed)):
        for message in messages:
            known = done.get(place, Moved())
            done[place] = known._replace(removed=known.removed + 1, removed_bytes=known.removed_bytes + moving.size(message))
    _delete(asked, readers, closed)
    return _told(topic, done)


def _find(bootstrap: str, topic: str, judge: Judge, bar: Bar) -> dict[Place, _Found]:
    """The partitions that hold somebody. Read without regard to transactions: what was aborted lies in the files as well."""
    ends = admin.end_offsets(bootstrap, [topic], committed=False)
    begins = admin.begin_offsets(bootstrap, [topic])
    last: dict[Place, int] = {}
    before: dict[Place, int] = {}
    with bar(f"{topic}: read", sum(ends.values()) - sum(begins.values())) as told:
        for message in reading.read(bootstrap, ends, "read_uncommitted"):
            told(1)
            place = (message.topic, message.partition)
            if judge.holds(topic, message):
                last[place] = message.offset
            moved = rewritten.of(message.headers)
            if moved is not None and begins[place] < moved.before <= message.offset:
                before[place] = moved.before
    return {place: _Found(begins[place], offset, before.get(place, 0)) for place, offset in sorted(last.items())}


def _await_read(asked: Asked, readers: Readers, closed: Mapping[Place, int]) -> None:
    """Until all transactions before the ends are decided, and whoever reads has come past them. Behind, Unclosed."""
    _await_closed(asked.bootstrap, closed)
    late = readers.wait(closed, asked.group, [place for place in closed if place[0] in OWN], asked.seconds_max)
    if asked.group in late or (late and not asked.regardless):
        raise Behind(late, asked.group in late)


def _await_closed(bootstrap: str, ends: Mapping[Place, int]) -> None:
    """Until all transactions before these ends are decided, and their markers written, which come a moment after. Unclosed."""
    names = {topic for topic, _ in ends}
    deadline = time.monotonic() + CLOSE_SECONDS_MAX
    while True:
        stable = admin.end_offsets(bootstrap, names)
        unclosed = [f"{topic}[{partition}]" for (topic, partition), end in ends.items() if stable[topic, partition] < end]
        if not unclosed:
            return
        if time.monotonic() > deadline:
            raise Unclosed(", ".join(sorted(unclosed)))
        time.sleep(LOOK_SECONDS)


def _delete(asked: Asked, readers: Readers, begins: Mapping[Place, int]) -> None:
    readers.lift(begins, asked.group, asked.seconds_max)
    admin.delete_records(asked.bootstrap, begins)


def _kept_since(bootstrap: str, topic: str) -> int:
    """What the broker took before (milliseconds) is past the topic's retention: no copy of it may begin it anew."""
    (found,) = admin.describe_topics(bootstrap, [topic])
    retention_ms = int(found.config.get("retention.ms", topics.BY_NAME[topic].retention_ms))
    return 0 if retention_ms < 0 else time.time_ns() // 1_000_000 - retention_ms


def _all(bootstrap: str, topic: str) -> Iterator[Message]:
    ends = admin.end_offsets(bootstrap, [topic], committed=False)
    _await_closed(bootstrap, ends)
    return reading.read(bootstrap, ends)


def _by_place(messages: Iterator[Message]) -> Iterator[tuple[Place, Iterator[Message]]]:
    return groupby(messages, key=lambda message: (message.topic, message.partition))


def _told(topic: str, done: Mapping[Place, Moved]) -> Rewrite:
    each = list(done.values())
    return Rewrite(
        topic=topic,
        partitions=len(each),
        moved=sum(one.moved for one in each),
        moved_bytes=sum(one.moved_bytes for one in each),
        removed=sum(one.removed for one in each),
        removed_bytes=sum(one.removed_bytes for one in each),
    )
