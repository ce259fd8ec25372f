"""Records gather for a while after a commit, never for long, and a full batch waits for nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.engine import pace
from streams.engine.batch import Record
from streams.engine.life import State, Token
from streams.engine.offsets import Chunk
from streams.engine.pace import REST_SECONDS_MAX, REST_SHARE, Pace
from streams.engine.partition import Partition
from streams.engine.settings import EngineSettings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """It stands, so that on a busy machine nothing is over before it was looked at; the loop's own goes on."""
    at = [0.0]
    monkeypatch.setattr(pace, "perf_counter", lambda: at[0])
    return at


def test_before_the_first_commit_nothing_waits() -> None:
    assert not Pace().rests(lambda: None)


def test_after_a_commit_it_rests_for_a_share_of_it_and_wakes_who_asked_once(clock: list[float]) -> None:
    async def run() -> tuple[int, float]:
        paced, woken, began = Pace(), [], time.perf_counter()
        paced.committed(0.06)
        for _ in range(3):
            assert paced.rests(lambda: woken.append(time.perf_counter() - began))
        await asyncio.sleep(0.1)
        clock[0] += REST_SHARE * 0.06
        assert not paced.rests(lambda: woken.append(0.0))
        return len(woken), woken[0]

    count, seconds = asyncio.run(run())

    assert count == 1
    assert seconds >= REST_SHARE * 0.06 * 0.99


def test_it_rests_no_longer_than_its_bound_however_slow_the_broker() -> None:
    async def run() -> float:
        paced, woken, began = Pace(), asyncio.Event(), time.perf_counter()
        paced.committed(1_000.0)
        assert paced.rests(woken.set)
        await asyncio.wait_for(woken.wait(), 60)
        assert not paced.rests(woken.set)
        return time.perf_counter() - began

    assert asyncio.run(run()) >= REST_SECONDS_MAX * 0.99


def test_few_records_wait_for_more_after_a_commit_and_a_full_batch_does_not(clock: list[float]) -> None:
    async def run() -> list[int]:
        delivered: list[int] = []
        settings = EngineSettings(app_id="a", bootstrap="127.0.0.1:1", state_dir=Path("nowhere"), batch_records_max=100)
        shared = SimpleNamespace(settings=settings, wake=lambda: None, deliver=lambda batch: delivered.append(len(batch.records)))
        partition = Partition("t", 0, None, shared)  # type: ignore[arg-type]  # What handing out a batch asks of it, and no more.
        partition.token, partition.state = Token(1), State.RUNNING
        partition._pace.committed(1.0)
        partition.offer(partition.token, chunk(0, 3))
        assert delivered == []
        partition.offer(partition.token, chunk(3, 97))
        assert delivered == [100]

        partition._busy = False
        partition._pace.committed(1.0)
        partition.offer(partition.token, chunk(100, 3))
        assert delivered == [100]
        clock[0] += REST_SECONDS_MAX
        while len(delivered) < 2:
            await asyncio.sleep(0.01)
        return delivered

    assert asyncio.run(run()) == [100, 3]


def chunk(first: int, count: int) -> Chunk:
    records = [Record(b"k", b"v", (), 0, 0, first + number) for number in range(count)]
    return Chunk(records, first + count, first)
