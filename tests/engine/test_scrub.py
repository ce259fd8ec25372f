"""What was deleted or replaced is in no file any more once it was scrubbed, by this worker or the next."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from rocksdict import DBCompressionType, Options

from streams.engine.overlay import Change
from streams.engine.scrub import Scrub
from streams.engine.settings import EngineSettings
from streams.engine.store import WRITE_BUFFER_BYTES, Memory, Owner, Position, Store

SECRET = b"ann@brand.co"
OTHERS = 51_000
"""So many rows of 1,000 bytes fill several files."""
assert OTHERS * 1_000 > 3 * WRITE_BUFFER_BYTES


class Plain(Memory):
    """Files can be read as they are."""

    def options(self) -> Options:
        options = super().options()
        options.set_compression_type(DBCompressionType.none())
        return options


def opened(path: Path) -> Store:
    return Store(path / "s", Owner("app", "t", 0), Plain(EngineSettings(app_id="app", bootstrap="", state_dir=path)))


def put(store: Store, *rows: tuple[bytes, bytes | None]) -> None:
    store.write([Change(key, False, value) for key, value in rows], Position("i", 1, 1))


def fill(store: Store) -> None:
    for first in range(0, OTHERS, 1_000):
        put(store, *((b"k%08d" % number, os.urandom(1_000)) for number in range(first, first + 1_000)))


def found(path: Path) -> list[str]:
    """Files that hold the secret."""
    return [file.name for file in path.rglob("*") if file.is_file() and SECRET in file.read_bytes()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a secret in one of its files, replaced by one row and deleted from another."""
    made = opened(tmp_path)
    put(made, (b"k-seven", SECRET * 10), (b"k-eleven", SECRET))
    fill(made)
    put(made, (b"k-seven", None), (b"k-eleven", b"nobody"))
    return made


def test_a_deleted_row_stays_in_a_file_until_it_is_scrubbed(store: Store, tmp_path: Path) -> None:
    assert found(tmp_path), "nothing to scrub: RocksDB has merged everything by itself"

    async def scrub() -> None:
        one = Scrub(store, 0.01)
        one.ask()
        await one.done()

    asyncio.run(scrub())

    assert not found(tmp_path)
    assert store.get_many([b"k-seven", b"k-eleven"]) == [None, b"nobody"]
    assert len(list(store.scan(b"k", b"l"))) == OTHERS + 1
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["s"], "the mark is left"


def test_what_a_worker_left_to_do_is_done_by_the_next(store: Store, tmp_path: Path) -> None:
    async def die() -> None:
        one = Scrub(store, 60.0)
        one.ask()
        await asyncio.sleep(0)
        one.end()

    asyncio.run(die())
    store.close()
    assert found(tmp_path)

    async def come_back() -> None:
        await Scrub(again, 0.01).done()

    again = opened(tmp_path)
    asyncio.run(come_back())
    assert not found(tmp_path)
    again.close()

    again = opened(tmp_path)
    asyncio.run(come_back())
    again.close()


def test_what_is_asked_for_meanwhile_is_done_as_well(store: Store, tmp_path: Path) -> None:
    async def scrub() -> None:
        one = Scrub(store, 0.05)
        one.ask()
        await asyncio.sleep(0.06)
        put(store, (b"k-twenty", SECRET))
        put(store, *((b"k-last", os.urandom(1_000)) for _ in range(20_000)))
        put(store, (b"k-twenty", None))
        one.ask()
        await one.done()

    asyncio.run(scrub())

    assert not found(tmp_path)
    store.close()


def test_a_store_can_be_closed_while_it_is_scrubbed(store: Store, tmp_path: Path) -> None:
    async def scrub() -> None:
        one = Scrub(store, 0.0)
        one.ask()
        await asyncio.sleep(0.02)
        one.end()
        store.close()

    asyncio.run(scrub())

    assert (tmp_path / "s.to-scrub").exists()
    opened(tmp_path).close()


def test_a_store_that_cannot_list_its_files_says_so_and_is_scrubbed_at_the_next_start(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    class Unlisted:
        """A database whose manifest cannot be read."""

        def flush(self) -> None: ...

        def live_files(self) -> list[object]:
            raise Exception("IO error: No such file or directory: MANIFEST-000004")

    async def run() -> None:
        scrub = Scrub(store, 0.0)
        scrub.ask()
        await scrub.done()

    real, store._db = store._db, Unlisted()  # type: ignore[assignment]  # It has what is asked of it here.
    asyncio.run(run())
    store._db = real

    assert "it is tried again at the next start" in caplog.text
    assert found(tmp_path), "nothing was scrubbed"
    asyncio.run(scrubbed_by_the_next(store))
    assert not found(tmp_path)


async def scrubbed_by_the_next(store: Store) -> None:
    await Scrub(store, 0.0).done()
