"""How an agent's body is run over a Faust stream: one batch after the other, an error costs the batch and not the stream.

The rule: a body that raises is begun again; what it had in hand is isolated. A body that asks for the next batch without finishing
the last one ends the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import perf_counter, thread_time
from typing import Any

from streams.engine.batch import Batch
from streams.engine.custody import Custody
from streams.engine.errors import EngineError

Body = Callable[["Batches"], Awaitable[None]]


class Batches:
    """What an agent iterates over. Batches that are out of date by the time they arrive are not shown."""

    def __init__(self, events: AsyncIterator[Batch], custody: Custody) -> None:
        self._events = events
        self._custody = custody
        self.current: Batch | None = None
        self.ended = False

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self

    async def __anext__(self) -> Batch:
        last = self.current
        if last is not None and not last.finished and self._custody.current(last):
            raise EngineError(f"an agent asked for the next batch before it finished the one of {last.topic}[{last.partition}]")
        self.current = None
        while True:
            try:
                batch = await anext(self._events)
            except StopAsyncIteration:
                self.ended = True
                raise
            if self._custody.current(batch):
                self.current = batch
                batch.began = perf_counter()
                batch.cpu_began = thread_time()
                return batch


async def drive(stream: Any, body: Body, custody: Custody) -> None:
    """Run `body` until the stream ends."""
    events = aiter(stream)
    while True:
        batches = Batches(events, custody)
        try:
            await body(batches)
        except asyncio.CancelledError:
            raise
        except EngineError as error:
            custody.shared.fail(error)
            return
        except Exception as error:  # noqa: BLE001 - Whatever the agent raises is the record's fault until it fails alone.
            batch = batches.current
            if batch is None or batch.finished:
                custody.shared.fail(error)
                return
            batch.fail(error)
        else:
            if not batches.ended:
                custody.shared.fail(EngineError("an agent returned before its stream ended"))
            return
