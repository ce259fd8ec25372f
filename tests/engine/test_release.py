"""A partition that goes has nothing under way any more when its store closes: so nothing old is written to it by whoever has it next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

from aiokafka.errors import KafkaError

from streams.engine.life import State, Token
from streams.engine.partition import Partition
from streams.engine.settings import EngineSettings


class Producer:
    """Tells whoever waits for it when it is discarded."""

    def __init__(self) -> None:
        self.discarded = asyncio.Event()

    def discard(self, error: KafkaError) -> None:
        self.discarded.set()


def released(finish: Callable[[Producer, list[str]], Awaitable[None]], seconds_max: float) -> list[str]:
    """What happened in which order when a partition went whose batch was being finished."""

    async def run() -> list[str]:
        happened: list[str] = []
        settings = EngineSettings(app_id="a", bootstrap="127.0.0.1:1", state_dir=Path("nowhere"))
        metrics = SimpleNamespace(released=lambda topic, number: None, state=lambda topic, number, state: None)
        shared = SimpleNamespace(settings=settings, metrics=metrics)
        table = SimpleNamespace(close=lambda: happened.append("closed"))
        partition = Partition("t", 0, "table", shared, table)  # type: ignore[arg-type]  # What a release asks of them, and no more.
        partition.token, partition.state = Token(1), State.RUNNING
        producer = Producer()
        partition._producer = producer  # type: ignore[assignment]  # as above
        partition._finishing = asyncio.ensure_future(finish(producer, happened))
        await asyncio.sleep(0)
        await partition.release(seconds_max)
        return happened

    return asyncio.run(run())


def test_what_is_being_finished_is_joined_before_the_store_closes() -> None:
    async def finish(producer: Producer, happened: list[str]) -> None:
        await asyncio.sleep(0.05)
        happened.append("failed" if producer.discarded.is_set() else "stored")

    assert released(finish, 60.0) == ["stored", "closed"]


def test_what_does_not_end_is_made_to_fail_before_the_store_closes() -> None:
    async def finish(producer: Producer, happened: list[str]) -> None:
        await producer.discarded.wait()
        happened.append("failed")

    assert released(finish, 0.05) == ["failed", "closed"]
