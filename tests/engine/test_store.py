"""The store keeps values and position together, and what is not its own it does not touch."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.engine.errors import EngineError
from streams.engine.overlay import Change
from streams.engine.settings import EngineSettings
from streams.engine.store import ASIDE_FROM, LOADING_FROM, Memory, Owner, Position, Store, open_store

MANY = [Change(b"a%05d" % number, None, b"row") for number in range(ASIDE_FROM)]
OWNER = Owner("app", "topic", 1)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(EngineSettings(app_id="app", bootstrap="", state_dir=tmp_path))


def test_values_and_position_survive_closing(tmp_path: Path, memory: Memory) -> None:
    store = Store(tmp_path / "s", OWNER, memory)
    assert store.position is None
    store.write([Change(b"a1", None, b"one"), Change(b"a2", None, b"two"), Change(b"b1", None, b"x")], Position("i", 7, 1))
    store.write([Change(b"a2", None, None)], Position("i", 8, 2))
    store.close()

    store = Store(tmp_path / "s", OWNER, memory)

    assert store.position == Position("i", 8, 2)
    assert store.get_many([b"a1", b"a2", b"b1"]) == [b"one", None, b"x"]
    assert list(store.scan(b"a", b"b")) == [(b"a1", b"one")]
    store.wipe()
    assert store.position is None
    assert store.get_many([b"a1"]) == [None]
    store.close()


def test_another_apps_store_is_refused(tmp_path: Path, memory: Memory) -> None:
    Store(tmp_path / "s", OWNER, memory).close()

    with pytest.raises(EngineError, match="give each app a state directory of its own"):
        Store(tmp_path / "s", Owner("other", "topic", 1), memory)


def test_a_store_that_is_kept_open_is_left_alone(tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.store.LOCK_SECONDS_MAX", 0.3)
    said: list[str] = []
    held = asyncio.run(open_store(tmp_path, OWNER, memory, said.append))

    other = asyncio.run(open_store(tmp_path, OWNER, memory, said.append))
    other.write([Change(b"a", None, b"other")], Position("i", 1, 1))

    assert held.get_many([b"a"]) == [None]
    assert len(said) == 1
    held.close()
    other.close()


def damaged(tmp_path: Path, memory: Memory, files: str, damage: Callable[[Path], object]) -> Path:
    """A store of ten thousand rows whose files of that pattern are not what they were."""
    store = asyncio.run(open_store(tmp_path, OWNER, memory, print))
    store.write([Change(b"a%05d" % number, None, b"%090d" % number) for number in range(10_000)], Position("i", 7, 1))
    store.close()
    path = tmp_path / "topic-1"
    for file in path.glob(files):
        damage(file)
    return path


def overwrite_the_middle(file: Path) -> None:
    held = bytearray(file.read_bytes())
    held[len(held) // 2 : len(held) // 2 + 6000] = bytes(6000)
    file.write_bytes(held)


@pytest.mark.parametrize(
    ("files", "damage"),
    [
        ("MANIFEST-*", lambda file: file.write_bytes(b"rubbish")),
        ("CURRENT", lambda file: file.write_bytes(b"rubbish")),
        ("*.sst", Path.unlink),
    ],
)
def test_a_store_that_does_not_open_is_moved_aside(tmp_path: Path, memory: Memory, files: str, damage: Callable[[Path], object]) -> None:
    path, said = damaged(tmp_path, memory, files, damage), list[str]()

    store = asyncio.run(open_store(tmp_path, OWNER, memory, said.append))

    assert store.position is None
    assert store.get_many([b"a00001"]) == [None]
    assert len(said) == 1 and "is broken, it is moved to topic-1.broken" in said[0]
    assert (tmp_path / "topic-1.broken").is_dir() and path.is_dir()
    store.close()


@pytest.mark.parametrize(
    "read", [lambda store: list(store.scan(b"a", b"b")), lambda store: store.get_many([b"a%05d" % number for number in range(10_000)])]
)
def test_what_cannot_be_read_is_an_error_and_moved_aside_at_the_next_start(
    tmp_path: Path, memory: Memory, read: Callable[[Store], object]
) -> None:
    damaged(tmp_path, memory, "*.sst", overwrite_the_middle)
    store, said = asyncio.run(open_store(tmp_path, OWNER, memory, print)), list[str]()

    with pytest.raises(EngineError, match="is damaged, the next start moves it aside"):
        read(store)
    store.close()
    store = asyncio.run(open_store(tmp_path, OWNER, memory, said.append))

    assert store.position is None
    assert len(said) == 1
    store.close()


def test_what_is_loaded_is_there_afterwards_in_a_database_as_usual(tmp_path: Path, memory: Memory) -> None:
    async def told() -> None:
        store = Store(tmp_path / "s", OWNER, memory)
        store.write([Change(b"a1", None, b"before"), Change(b"a2", None, b"before")], Position("i", 1, 1))
        with store.loading(LOADING_FROM):
            for part in range(5):
                store.load({b"b%05d" % number: b"%d" % part for number in range(5000)}, Position("i", 1 + part, 1))
                await store.has_room()
            store.load({b"a1": None, b"b00007": b"last"}, Position("i", 7, 1))
            await store.loaded()

        assert store.position == Position("i", 7, 1)
        assert store.get_many([b"a1", b"a2", b"b00007", b"b04999"]) == [None, b"before", b"last", b"4"]
        assert len(list(store.scan(b"b", b"c"))) == 5000
        store.close()
        assert "memtable_factory=SkipListFactory" in newest_options(tmp_path / "s")

    asyncio.run(told())


def test_an_old_database_has_the_options_of_now(tmp_path: Path, memory: Memory) -> None:
    Store(tmp_path / "s", OWNER, memory).close()
    options = memory.options()
    options.set_write_buffer_size(1 << 20)
    memory.options = lambda: options  # type: ignore[method-assign]  # As the next version might have it.

    Store(tmp_path / "s", OWNER, memory).close()

    assert "write_buffer_size=1048576" in newest_options(tmp_path / "s")


def newest_options(path: Path) -> str:
    return max(path.glob("OPTIONS-*")).read_text()


def test_many_changes_are_written_while_the_loop_turns(tmp_path: Path, memory: Memory) -> None:
    async def told() -> None:
        store = Store(tmp_path / "s", OWNER, memory)
        gate, turned = threading.Event(), []
        memory.writer.submit(gate.wait)
        writing = asyncio.create_task(store.write_aside(MANY, Position("i", 7, 1)))
        for _ in range(3):
            await asyncio.sleep(0)
            turned.append(store.position)
        gate.set()
        await store.at_rest()

        assert turned == [None, None, None]
        assert store.position == Position("i", 7, 1)
        assert len(list(store.scan(b"a", b"b"))) == len(MANY)
        await writing
        store.close()

    asyncio.run(told())


def test_a_store_closes_behind_the_write_that_is_under_way(tmp_path: Path, memory: Memory) -> None:
    async def told() -> None:
        store = Store(tmp_path / "s", OWNER, memory)
        memory.writer.submit(time.sleep, 0.05)
        writing = asyncio.create_task(store.write_aside(MANY, Position("i", 7, 1)))
        await asyncio.sleep(0)

        store.close()

        await writing
        store = Store(tmp_path / "s", OWNER, memory)
        assert store.position == Position("i", 7, 1)
        assert len(list(store.scan(b"a", b"b"))) == len(MANY)
        store.close()

    asyncio.run(told())


def test_few_changes_are_written_at_once(tmp_path: Path, memory: Memory) -> None:
    async def told() -> None:
        store = Store(tmp_path / "s", OWNER, memory)
        gate = threading.Event()
        memory.writer.submit(gate.wait)

        await store.write_aside(MANY[:3], Position("i", 7, 1))

        assert store.position == Position("i", 7, 1)
        gate.set()
        store.close()

    asyncio.run(told())


def test_a_directory_that_cannot_be_made_is_no_reason_to_try_again(tmp_path: Path, memory: Memory) -> None:
    (tmp_path / "state").write_text("no directory")

    with pytest.raises(EngineError, match=r"the store in .*/state/topic-1 cannot be made: .*Not a directory"):
        asyncio.run(open_store(tmp_path / "state", OWNER, memory, print))
