"""The store keeps values and position together, and what is not its own it does not touch."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from streams.engine.errors import EngineError
from streams.engine.overlay import Change
from streams.engine.settings import EngineSettings
from streams.engine.store import ASIDE_FROM, Memory, Owner, Position, Store, open_store

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


def test_a_store_that_is_broken_begins_anew(tmp_path: Path, memory: Memory) -> None:
    store = Store(tmp_path / "s", OWNER, memory)
    store.write([Change(b"a", None, b"one")], Position("i", 7, 1))
    store.close()
    for manifest in (tmp_path / "s").glob("MANIFEST-*"):
        manifest.write_bytes(b"rubbish")

    store = Store(tmp_path / "s", OWNER, memory)

    assert store.position is None
    store.close()


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
