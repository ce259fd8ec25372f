"""The local store of one partition: RocksDB, its values and the changelog offset they stand for written together.

The rule: the store is a copy. The changelog is the truth, so no write-ahead log is kept (what a crash loses of a memtable is replayed), and whatever is
in doubt is thrown away and restored. What cannot be read is moved aside, for it may be another's, and what belongs to another app is not touched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from time import thread_time
from typing import Any

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    MemtableFactory,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.engine.errors import EngineError
from streams.engine.metrics import STORE_PARTS, STORE_ROWS, STORE_STALLED
from streams.engine.overlay import Change
from streams.engine.settings import EngineSettings

OWNER_KEY = b"\x00\x00owner"
POSITION_KEY = b"\x00\x00position"
"""Tags of rows may not begin with two zero bytes."""
LOCK_SECONDS_MAX = 5.0
LOCK_WAIT_SECONDS = 0.1
SIBLINGS_MAX = 10
WRITE_BUFFER_BYTES = 16 << 20
ASIDE_FROM = 256
"""So many changes are worth the way to another thread and back."""
BROKEN_MARK = "BROKEN"
"""A file of this name in a store's directory says that RocksDB met something there that it could not read."""
DAMAGED = ("Corruption", "No such file or directory")
"""What RocksDB says where the files are not what they were; a disk that is full or may not be written is another matter."""
LOADING_FROM = 20_000
"""So many rows are worth closing the database and opening it for loading, and back."""
LOADING_MEMTABLES_MAX = 3
"""So many full memtables of a store may wait for their way to disk before more rows come in."""
LOADING_FILES = 8
"""So many files are merged at once while rows are loaded; later, half."""
ROOM_WAIT_SECONDS = 0.005
NEVER = 1 << 30
FACTS = (*STORE_PARTS.values(), STORE_ROWS, STORE_STALLED)


class Locked(OSError):
    """Another process has the store open."""


class Corrupt(Exception):
    """RocksDB cannot open what is there, or could not read it the last time."""


class Owner(msgspec.Struct, frozen=True):
    """Whose rows these are."""

    app_id: str
    topic: str
    partition: int


class Position(msgspec.Struct, frozen=True):
    """How far the values go: everything of this incarnation of the changelog below `offset` is in them."""

    incarnation: str
    offset: int
    written_ms: int


_encode = msgspec.msgpack.encode


class Memory:
    """What the stores of one engine share: the cache of blocks, the room for memtables, and the thread that large writes happen in."""

    def __init__(self, settings: EngineSettings) -> None:
        self.blocks = Cache(settings.block_cache_bytes)
        self.buffers = WriteBufferManager(settings.write_buffer_bytes, False)
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="kairos-store")
        self.scrubber = ThreadPoolExecutor(1, thread_name_prefix="kairos-scrub")

    def options(self) -> Options:
        """Options of a new database over the shared memory."""
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self.blocks)
        blocks.set_bloom_filter(10, False)
        # In the cache they push each other out, and a scan reads and unpacks megabytes of them anew: 670 us where 15 do. Outside: ten bits a row and an index.
        blocks.set_cache_index_and_filter_blocks(False)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_manager(self.buffers)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        # Without it each key of somebody new is searched for in every memtable: 1.8 us, against 0.4.
        options.set_memtable_prefix_bloom_ratio(0.1)
        options.set_memtable_whole_key_filtering(True)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_max_open_files(256)
        options.set_keep_log_file_num(2)
        options.set_max_background_jobs(2)
        return options

    def loading(self) -> Options:
        """Options for rows that come in by the million while nobody reads: memtables are sorted when they are full, not at each row, and RocksDB never
        makes a writer wait, which it would do with Python's lock in its hand."""
        options = self.options()
        options.set_memtable_factory(MemtableFactory.vector())
        options.set_memtable_prefix_bloom_ratio(0.0)
        options.set_allow_concurrent_memtable_write(False)
        options.set_max_write_buffer_number(4 * LOADING_MEMTABLES_MAX)
        options.set_level_zero_file_num_compaction_trigger(LOADING_FILES)
        options.set_level_zero_slowdown_writes_trigger(NEVER)
        options.set_level_zero_stop_writes_trigger(NEVER)
        options.set_soft_pending_compaction_bytes_limit(0)
        options.set_hard_pending_compaction_bytes_limit(0)
        return options


class Store:
    """Encoded values by stored key; one process at a time."""

    def __init__(self, path: Path, owner: Owner, memory: Memory) -> None:
        """Opens, or creates; Locked if another process has it, Corrupt if it cannot be read, EngineError if it is another app's."""
        self._path = path
        self._owner = owner
        self._memory = memory
        self._no_log = WriteOptions()
        self._no_log.disable_wal = True
        self._writing: Future[None] | None = None
        self._scrubbing: Future[None] | None = None
        self._open()

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._path

    @property
    def position(self) -> Position | None:
        """None for a store that holds nothing yet."""
        value = self._read(POSITION_KEY)
        return None if value is None else msgspec.msgpack.decode(value, type=Position)

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Values in the order of `keys`."""
        found: list[bytes | None] = self._read(keys)
        return found

    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values with first <= key < end, sorted, as they are when the first is asked for."""
        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        # The iterator only borrows the bound: it lives as long as these options do.
        rows = self._db.iter(options)
        rows.seek(first)
        while rows.valid():
            yield rows.key(), rows.value()
            rows.next()
        try:
            rows.status()  # It ends as well where it cannot read on, and items() does not tell.
        except Exception as error:  # As everywhere, rocksdict raises plain Exception.
            raise self._unreadable(error) from error

    def write(self, changes: Iterable[Change], position: Position) -> None:
        """All changes and the position they stand for, or none of it."""
        self._put(_packed(changes, position))

    async def write_aside(self, changes: Sequence[Change], position: Position) -> float:
        """`write`, but many changes go in while the loop does something else; one at a time. Returns CPU seconds of the calling thread."""
        start = thread_time()
        batch = _packed(changes, position)
        if len(changes) < ASIDE_FROM:
            self._put(batch)
            return thread_time() - start
        self._writing = self._memory.writer.submit(self._put, batch)
        spent = thread_time() - start
        await asyncio.wrap_future(self._writing)
        return spent

    async def at_rest(self) -> None:
        """Until no write is under way."""
        if self._writing is not None:
            await asyncio.wait([asyncio.wrap_future(self._writing)])

    @contextmanager
    def loading(self, rows: int) -> Iterator[None]:
        """Inside, about so many rows are loaded and nearly none read; if they are many, the database is opened for that, and as usual at the end.

        Locked where another process was quicker to open it: then the store is closed.
        """
        if rows < LOADING_FROM:
            yield
            return
        self._reopen(self._memory.loading())
        try:
            yield
        finally:
            self._reopen(self._memory.options())

    def load(self, rows: Mapping[bytes, bytes | None], position: Position) -> None:
        """`write`, of what came from a changelog: None deletes."""
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(POSITION_KEY, _encode(position))
        self._put(batch)

    def facts(self) -> dict[str, int]:
        """What RocksDB says of itself, by its own names; some microseconds."""
        ask = self._db.property_int_value
        return {name: ask(name) or 0 for name in FACTS}

    async def has_room(self) -> None:
        """Until what was loaded is on its way to disk, but for a bounded rest."""
        while (self._db.property_int_value("rocksdb.num-immutable-mem-table") or 0) > LOADING_MEMTABLES_MAX:
            await asyncio.sleep(ROOM_WAIT_SECONDS)

    async def loaded(self) -> None:
        """All that was loaded goes to disk, while the loop does something else."""
        self._writing = self._memory.writer.submit(self._db.flush)
        await asyncio.wrap_future(self._writing)

    async def rewrite(self) -> None:
        """Merge every file with what lies above it, one after the other, in a thread: what was deleted or replaced before is in none of them any more.

        EngineError where the disk does not take it. Cancelled, it ends with the file in hand.
        """
        await self._scrub(self._db.flush)
        for file in self._files():
            await self._scrub(self._db.compact_range, file["start_key"], file["end_key"])

    def wipe(self) -> None:
        """Throw everything away; the store is empty and open."""
        self._join()
        self._db.close()
        shutil.rmtree(self._path)
        self._open()

    def close(self) -> None:
        """Write out what is in memory, and let go of the directory."""
        self._join()
        self._db.flush()
        self._db.close()

    def _reopen(self, options: Options) -> None:
        self._join()
        self._db.close()
        self._db = self._try_open(options)

    def _read(self, keys: Any) -> Any:
        try:
            return self._db.get(keys)
        except Exception as error:  # As everywhere, rocksdict raises plain Exception.
            raise self._unreadable(error) from error

    def _put(self, batch: WriteBatch) -> None:
        try:
            self._db.write(batch, self._no_log)
        except Exception as error:  # What a flush or a merge met in the background comes to light here.
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> EngineError:
        if not _is_damage(str(error)):
            return EngineError(f"the store in {self._path} fails: {error}")
        with suppress(OSError):  # A disk that takes nothing any more: it is found again.
            (self._path / BROKEN_MARK).touch()
        return EngineError(
            f"the store in {self._path} is damaged, the next start moves it aside and restores it from its changelog: {error}"
        )

    async def _scrub(self, work: Callable[..., None], *what: bytes) -> None:
        self._scrubbing = self._memory.scrubber.submit(work, *what)
        try:
            await asyncio.wrap_future(self._scrubbing)
        except Exception as error:  # As everywhere, rocksdict raises plain Exception.
            raise self._unreadable(error) from error

    def _files(self) -> list[dict[str, Any]]:
        try:
            files: list[dict[str, Any]] = self._db.live_files()
        except Exception as error:  # As everywhere, rocksdict raises plain Exception.
            raise self._unreadable(error) from error
        return files

    def _join(self) -> None:
        wait([under_way for under_way in (self._writing, self._scrubbing) if under_way is not None])

    def _open(self) -> None:
        if (self._path / BROKEN_MARK).exists():
            raise Corrupt("it could not be read the last time")
        self._path.mkdir(parents=True, exist_ok=True)
        self._db = self._try_open(self._memory.options())
        value = self._read(OWNER_KEY)
        if value is None:
            self._db.put(OWNER_KEY, _encode(self._owner), self._no_log)
            return
        owner = msgspec.msgpack.decode(value, type=Owner)
        if owner != self._owner:
            self._db.close()
            raise EngineError(
                f"{self._path} holds the rows of {owner.app_id}, {owner.topic}[{owner.partition}], not of {self._owner.app_id}, "
                f"{self._owner.topic}[{self._owner.partition}]: give each app a state directory of its own"
            )

    def _try_open(self, options: Options) -> Rdict:
        try:
            # Without the options of its columns an old database keeps those that it was made with.
            return Rdict(os.fspath(self._path), options, {"default": options})
        except Exception as error:  # rocksdict raises plain Exception; RocksDB's text is all there is to tell them apart.
            text = str(error)
            if _is_damage(text):  # First: "block checksum mismatch" speaks of no lock.
                raise Corrupt(text) from error
            if "lock" in text.lower():
                raise Locked(text) from error
            raise EngineError(f"the store in {self._path} does not open: {text}") from error


def _is_damage(text: str) -> bool:
    return any(words in text for words in DAMAGED)


def _packed(changes: Iterable[Change], position: Position) -> WriteBatch:
    batch = WriteBatch(raw_mode=True)
    put, delete = batch.put, batch.delete
    for key, _, value in changes:
        if value is None:
            delete(key)
        else:
            put(key, value)
    put(POSITION_KEY, _encode(position))
    return batch


def _opened(path: Path, owner: Owner, memory: Memory, log: Callable[[str], None]) -> Store:
    try:
        try:
            return Store(path, owner, memory)
        except Corrupt as error:
            aside = path.with_name(f"{path.name}.broken")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            log(f"the store in {path} is broken, it is moved to {aside.name} and restored from its changelog: {error}")
            return Store(path, owner, memory)
    except Locked:
        raise
    except OSError as error:  # A directory that may not be written, or not be made: no attempt will change that.
        raise EngineError(f"the store in {path} cannot be made: {error}") from error


async def open_store(directory: Path, owner: Owner, memory: Memory, log: Callable[[str], None]) -> Store:
    """The store of a partition in `directory`; what has to be restored for it is said to `log`.

    One that is broken is moved aside. One that another process keeps for longer than 5 s (a worker that hangs) is left to it: the next free number is taken.
    """
    path = directory / f"{owner.topic}-{owner.partition}"
    for attempt in range(int(LOCK_SECONDS_MAX / LOCK_WAIT_SECONDS)):
        try:
            return _opened(path, owner, memory, log)
        except Locked:
            await asyncio.sleep(LOCK_WAIT_SECONDS if attempt else 0.0)
    for number in range(2, SIBLINGS_MAX):
        sibling = path.with_name(f"{path.name}.{number}")
        try:
            store = _opened(sibling, owner, memory, log)
        except Locked:
            continue
        log(f"another process keeps {path} open, {sibling} is used instead")
        return store
    raise EngineError(f"{path} and {SIBLINGS_MAX - 2} others beside it are all kept open by other processes")
