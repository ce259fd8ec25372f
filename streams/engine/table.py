"""The rows of one partition: opened, restored from their changelog, brought forward by each batch.

The rule: the store has what the changelog has, never more. What a batch has put gets here when the broker has it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from streams.engine.cache import Cache
from streams.engine.ending import Written, offset_behind
from streams.engine.errors import EngineError
from streams.engine.journal import END_KEY, Journal
from streams.engine.overlay import Change, Overlay
from streams.engine.producer import Producer
from streams.engine.reader import Reader
from streams.engine.restore import follow, restore
from streams.engine.scrub import Scrub
from streams.engine.shared import Shared
from streams.engine.store import Locked, Owner, Position, Store, open_store

log = logging.getLogger(__name__)


class Table:
    """Of the agent that reads (topic, number); `name` is the table's."""

    def __init__(self, topic: str, number: int, name: str, shared: Shared) -> None:
        self.changelog = shared.changelog(name)
        self.journal = Journal()
        """Where the changelog ends, for those who write it without transactions."""
        self._owner = Owner(shared.settings.app_id, topic, number)
        self._source = shared.source(name, number)
        self._shared = shared
        self._store: Store | None = None
        self._scrub: Scrub | None = None
        self._cache = Cache()

    async def restore(self, progress: Callable[[int, int, int], None]) -> None:
        """Open the store if need be, and bring it to the changelog's end; `progress(offset, end, rows)` after each part."""
        shared = self._shared
        store = await self._opened()
        self._cache.clear()
        shared.shares.add(self._cache)
        with shared.recovery.part(self._owner.topic) as part:

            def at(offset: int, end: int, rows: int) -> None:
                part.at(offset, end, rows)
                progress(offset, end, rows)

            await self._replay(store, at)
        if self._scrub is None:
            self._scrub = Scrub(store, shared.settings.scrub_seconds)
        if self._journal is None and store.get_many([END_KEY])[0] is not None:
            raise EngineError(
                f"{self.changelog} was written under guarantee at_least_once, and exactly_once cannot tell which of its rows count: "
                "keep at_least_once, or begin with another app_id"
            )

    async def follow(self, progress: Callable[[int, int], None]) -> None:
        """Keep the store at the changelog's end, as a copy, until cancelled; `progress(offsets behind, rows since the last call)`.

        KafkaError when the broker goes away. What it has then is sound, and `restore` or another `follow` goes on from there.
        """
        store, replayed = await self._opened(), 0

        def at(offset: int, end: int, rows: int) -> None:
            nonlocal replayed
            progress(end - offset, rows - replayed)
            replayed = rows

        await self._replay(store, at)
        await follow(store, self._source, self._reader(), progress, self._journal)

    @property
    def position(self) -> int:
        """The input's offset that the rows stand for as the changelog has it; 0 where transactions keep it."""
        return 0 if self.journal.last is None else self.journal.last.position

    async def open(self, producer: Producer, position: int) -> None:
        """Without transactions: say again what void writes touched, and make a beginning where there is none. Overtaken if another writes as well."""
        assert self._store is not None
        journal, keys = self.journal, sorted(self.journal.void)
        if journal.last is not None and not keys:
            return
        changes = [Change(key, False, value) for key, value in zip(keys, self._store.get_many(keys) if keys else (), strict=True)]
        changes.append(journal.end(len(changes), position))
        assert self.changelog is not None
        packed = producer.pack_rows(self.changelog, self._owner.partition, changes)
        sent = await producer.send(packed)
        for each in sent:
            await each
        journal.wrote(changes, offset_behind(sent[-1], packed))
        self._store.write(changes, self._at(journal.offset))

    def rows(self) -> Overlay:
        """A view for one batch."""
        assert self._store is not None
        return Overlay(self._store, self._cache, self._owner.partition, self._shared.ground.partitions)

    async def apply(self, written: Written) -> float:
        """The broker has these changes: the store and the cache get them. Returns the CPU seconds that it took."""
        assert self._store is not None
        offset = written.changelog_offset
        if offset is None:
            position = self._store.position
            offset = position.offset if position else 0
        spent = await self._store.write_aside(written.changes, self._at(offset))
        start = time.thread_time()
        self._cache.apply(written.changes)
        return spent + time.thread_time() - start

    def facts(self) -> Mapping[str, int]:
        """What RocksDB says of the store; nothing while none is open."""
        return {} if self._store is None else self._store.facts()

    def scrub(self) -> None:
        """What the batch in hand deletes or replaces is to be gone from the files, soon."""
        assert self._scrub is not None
        self._scrub.ask()

    def close(self) -> None:
        """Let go of store and memory."""
        if self._scrub is not None:
            self._scrub.end()
            self._scrub = None
        if self._store is not None:
            self._store.close()
            self._store = None
        self._cache.clear()
        self._shared.shares.remove(self._cache)

    @property
    def _journal(self) -> Journal | None:
        """What tells which rows count, where no transaction does."""
        return self.journal if self._shared.settings.guarantee == "at_least_once" else None

    def _reader(self) -> Reader:
        return Reader(self._shared.settings, self._source.topic, self._source.partition, self._shared.ground.partitions)

    async def _opened(self) -> Store:
        if self._store is None:
            self._store = await open_store(self._shared.settings.state_dir, self._owner, self._shared.memory, log.warning)
        await self._store.at_rest()
        return self._store

    async def _replay(self, store: Store, at: Callable[[int, int, int], None]) -> None:
        try:
            await restore(store, self._source, self._reader(), self._shared.failpoint, at, log.warning, self._journal)
        except Locked:  # Another process has it now: what is left to scrub is marked beside it.
            self._store = None
            if self._scrub is not None:
                self._scrub.end()
                self._scrub = None
            raise

    def _at(self, offset: int) -> Position:
        return Position(self._source.incarnation, offset, int(time.time() * 1000))
