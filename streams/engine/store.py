"""The local store of one partition: RocksDB, its values and the changelog offset they stand for written together.

The rule: the store is a copy. The changelog is the truth, so no write-ahead log is kept (what a crash loses of a memtable is replayed), and whatever is
in doubt is thrown away and restored. What belongs to another app is not touched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from time import thread_time

import msgspec
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, ReadOptions, WriteBatch, WriteBufferManager, WriteOptions

from streams.engine.errors import EngineError
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


class Locked(Exception):
    """Another process has the store open."""


class Corrupt(Exception):
    """RocksDB cannot read what is there."""


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

    def options(self) -> Options:
        """Options of a new database over the shared memory."""
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self.blocks)
        blocks.set_bloom_filter(10, False)
        blocks.set_cache_index_and_filter_blocks(True)
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


class Store:
    """Encoded values by stored key; one process at a time."""

    def __init__(self, path: Path, owner: Owner, memory: Memory) -> None:
        """Opens, or creates; Locked if another process has it, EngineError if it is another app's."""
        self._path = path
        self._owner = owner
        self._memory = memory
        self._no_log = WriteOptions()
        self._no_log.disable_wal = True
        self._writing: Future[None] | None = None
        self._open()

    @property
    def position(self) -> Position | None:
        """None for a store that holds nothing yet."""
        value = self._db.get(POSITION_KEY)
        return None if value is None else msgspec.msgpack.decode(value, type=Position)

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Values in the order of `keys`."""
        found: list[bytes | None] = self._db.get(keys)
        return found

    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values with first <= key < end, sorted, as they are when the first is asked for."""
        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        # The iterator only borrows the bound: it lives as long as these options do.
        yield from self._db.items(from_key=first, read_opt=options)

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

    def _put(self, batch: WriteBatch) -> None:
        self._db.write(batch, self._no_log)

    def _join(self) -> None:
        if self._writing is not None:
            wait([self._writing])

    def _open(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        self._db = self._database()
        value = self._db.get(OWNER_KEY)
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

    def _database(self) -> Rdict:
        try:
            return self._try_open()
        except Corrupt:
            shutil.rmtree(self._path)
            self._path.mkdir(parents=True)
            return self._try_open()

    def _try_open(self) -> Rdict:
        try:
            return Rdict(os.fspath(self._path), self._memory.options())
        except Exception as error:  # rocksdict raises plain Exception; RocksDB's text is all there is to tell them apart.
            text = str(error)
            if "lock" in text.lower():
                raise Locked(text) from error
            if "Corruption" in text:
                raise Corrupt(text) from error
            raise EngineError(f"the store in {self._path} does not open: {text}") from error


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


async def open_store(directory: Path, owner: Owner, memory: Memory, log: Callable[[str], None]) -> Store:
    """The store of a partition in `directory`. One that another process keeps for longer than 5 s (a worker that hangs) is left to it: the next free number is
    taken, and restored."""
    path = directory / f"{owner.topic}-{owner.partition}"
    for attempt in range(int(LOCK_SECONDS_MAX / LOCK_WAIT_SECONDS)):
        try:
            return Store(path, owner, memory)
        except Locked:
            await asyncio.sleep(LOCK_WAIT_SECONDS if attempt else 0.0)
    for number in range(2, SIBLINGS_MAX):
        sibling = path.with_name(f"{path.name}.{number}")
        try:
            store = Store(sibling, owner, memory)
        except Locked:
            continue
        log(f"another process keeps {path} open, {sibling} is used instead")
        return store
    raise EngineError(f"{path} and {SIBLINGS_MAX - 2} others beside it are all kept open by other processes")
