"""Agents are declared before the engine starts, one for a topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.broker.embedded import EmbeddedBroker
from streams.engine import Engine, EngineError, EngineSettings


async def nothing(batches: Any) -> None:
    async for _ in batches:
        raise AssertionError("there is nothing to read")


def test_a_topic_has_one_agent(tmp_path: Path) -> None:
    engine = Engine(EngineSettings(app_id="a", bootstrap="127.0.0.1:1", state_dir=tmp_path))
    engine.agent("t")(nothing)

    with pytest.raises(EngineError, match="t has two agents"):
        engine.agent("t")(nothing)


def test_an_agent_that_comes_after_the_start_is_refused(broker: EmbeddedBroker, new_topic: Callable[..., str], tmp_path: Path) -> None:
    first, late = new_topic("input", 1), new_topic("late", 1)

    async def run() -> None:
        engine = Engine(EngineSettings(app_id=first, bootstrap=broker.bootstrap, state_dir=tmp_path))
        engine.agent(first)(nothing)
        await engine.start()
        try:
            with pytest.raises(EngineError, match=f"an agent of {late} comes too late"):
                engine.agent(late)(nothing)
        finally:
            await engine.stop()

    asyncio.run(run())
