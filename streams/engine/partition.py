"""One partition of one agent: fenced, restored, positioned, then one batch at a time until it is taken away.

The rule: at most one batch of a partition is decided or finished at any time, so a batch sees all that its predecessors wrote. A finish is never
cancelled: it is joined, or its producer is discarded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError

from streams.engine.batch import Batch, Bounds, Clock, Decision, Record, Says
from streams.engine.ending import Ending, Written
from streams.engine.errors import FENCED, HOPELESS, REFUSED, TRANSIENT, EngineError, TooSlow, where
from streams.engine.guarantees import AnyProducer, ending_of, producer_of
from streams.engine.isolation import Isolation
from streams.engine.life import FOLLOWS, State, Token, backoff_seconds
from streams.engine.offsets import Chunk, Gap, Taken, Waiting
from streams.engine.overlay import Overlay
from streams.engine.pace import Pace
from streams.engine.producer import AcknowledgedProducer
from streams.engine.shared import Progress, Shared
from streams.engine.standing import Standing
from streams.engine.table import Table

log = logging.getLogger(__name__)

FENCE_SECONDS_MAX = 30.0
STRANGE_ERRORS_MAX = 5  # What has no class of its own may be a client library's fault: so many are tried again until a batch goes well.


class Partition:
    """(topic, number) of an agent; `table` is None for an agent without state."""

    def __init__(self, topic: str, number: int, table: str | None, shared: Shared, copy: Table | None = None) -> None:
        """`copy`: rows that were kept warm here (standby.py)."""
        self.topic = topic
        self.number = number
        self.table = table
        self.state = State.RELEASED
        self.token: Token | None = None
        self.waiting = Waiting(0)
        self._shared = shared
        self._bounds = Bounds(shared.settings.batch_records_max, shared.settings.batch_bytes_max, shared.settings.batch_seconds_max)
        self._isolation = Isolation()
        self._pace = Pace()
        self._stands = Standing()
        self._advances = 0
        self._table = copy if copy is not None or table is None else Table(topic, number, table, shared)
        self._producer: AnyProducer | None = None
        self._life: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._busy = self._tick_due = False
        self._chunk_at = 0.0
        self._strange_errors = 0
        self._uncertain: tuple[int, Any, float] | None = None

    # What the transport asks and tells.

    def room(self) -> int:
        """How many more records it wants now."""
        return self.waiting.room(self._bounds) if self.state is State.RUNNING and self.token is not None else 0

    def offer(self, token: Token, chunk: Chunk) -> None:
        """Records that were read; dropped unless `token` is the one of now."""
        if token is self.token and self.state is State.RUNNING:
            if not self.waiting.count:
                self._chunk_at = time.perf_counter()
            try:
                self.waiting.offer(chunk)
            except Gap as gap:
                log.warning("%s[%d] is read anew: %s", self.topic, self.number, gap)
                self._begin_anew(1)
                return
            self._pump()

    def saw_end(self, token: Token, stable_end: int | None) -> None:
        """The input's last stable offset, for the lag."""
        if token is self.token:
            self._stands.stable_end = stable_end

    def tick(self) -> None:
        """Time has passed: a stateful partition gets a batch without records, before any with."""
        if self.table is not None and self.state is State.RUNNING:
            self._tick_due = True
            self._pump()

    def settle(self) -> None:
        """Nothing waits, and all that follows the position are markers: commit it, so that the lag that others see is none."""
        waiting = self.waiting
        if self.state is State.RUNNING and not self._busy and not waiting.count and waiting.read_to > waiting.position:
            batch = self._batch(Taken((), waiting.read_to), None)
            batch.finished = True
            self._begin(batch)
            self._end(batch, Says(), None)

    def progress(self) -> Progress:
        """Where it stands."""
        return self._stands.progress(self.waiting, self.state)

    def store_facts(self) -> Mapping[str, int]:
        """What RocksDB says of its store, by RocksDB's names; nothing where none is open."""
        return {} if self._table is None else self._table.facts()

    def hold(self) -> None:
        """It is not read on for now, for the sake of others: that is no standstill."""
        self._advances += 1

    def backlog(self) -> tuple[int, int]:
        """How many records are known to wait for it, none while it does not run, and how many make a batch."""
        return self.progress().lag_records or 0, self._bounds.records

    def standing(self) -> object:
        """What ought to be another thing before long, since there is work; None where there is none.

        To begin anew is no advance, nor is a tick while records wait.
        """
        idle = self.state is State.RELEASED or (self.state is State.RUNNING and not self._busy and not self.progress().lag_records)
        return None if idle else (self, self._advances)

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}] ({self.state.name}, position {self.waiting.position})"

    # Its life.

    def come_alive(self, generation: int) -> None:
        """It is ours from this generation of the group on."""
        self.token = Token(generation)
        self._isolation = Isolation()
        self._shared.metrics.taken_up(self.topic, self.number)
        self._start_life(0)

    async def release(self, seconds_max: float) -> None:
        """It is ours no longer: join the batch in hand, or make it fail, and close the store."""
        self.token = None
        if self._life is not None and not self._life.done():
            self._life.cancel()
            await asyncio.wait([self._life], timeout=min(5.0, seconds_max))
        if self._finishing is not None and not self._finishing.done():
            await asyncio.wait([self._finishing], timeout=seconds_max)
            if not self._finishing.done():
                self._discard(TooSlow(f"{self.topic}[{self.number}] was taken away"))
                await asyncio.wait([self._finishing], timeout=min(5.0, seconds_max / 2))
        self._discard(TooSlow("released"))
        if self._table is not None:
            self._table.close()
        self._to(State.RELEASED)
        self._shared.metrics.released(self.topic, self.number)

    def _begin_anew(self, attempt: int) -> None:
        """Still ours, but nothing that is under way counts: fence, restore, seek."""
        assert self.token is not None
        self.token = Token(self.token.generation)
        self._start_life(attempt)

    def _start_life(self, attempt: int) -> None:
        assert self.token is not None
        self._discard(KafkaError("its partition begins anew"))
        self.waiting = Waiting(self.waiting.position)
        self._busy = False
        self._stands.anew()
        self._to(State.FENCING)
        self._life = self._shared.keep(asyncio.create_task(self._live(self.token, attempt)))

    async def _live(self, token: Token, attempt: int) -> None:
        while token is self.token:
            try:
                if attempt:
                    await asyncio.sleep(backoff_seconds(attempt))
                await self._fence(token)
                await self._restore(not attempt)
                await self._position(token)
                break
            except Exception as error:  # noqa: BLE001 - Sorted by class; none is swallowed.
                if isinstance(error, FENCED):
                    self._give_up(error)
                    return
                if isinstance(error, HOPELESS) or self._is_too_strange(error):
                    self._shared.fail(error)
                    return
                attempt += 1
                log.warning("%s[%d] is %s, once more: %r", self.topic, self.number, self.state.name, error)
                self._discard(KafkaError("its partition begins anew"))
                self._to(State.FENCING)
        if token is self.token:
            self._to(State.RUNNING)
            self._shared.wake()

    async def _fence(self, token: Token) -> None:
        while not await self._shared.transport.is_member(token.generation):
            await asyncio.sleep(0.1)
        self._producer = producer_of(self._shared.settings, self.topic, self.number)
        await asyncio.wait_for(self._producer.fence(), FENCE_SECONDS_MAX)
        self._shared.failpoint.reach("after_fence")

    async def _restore(self, first: bool) -> None:
        self._to(State.RESTORING)
        if self._table is not None:
            await self._table.restore(partial(self._restoring, first))
            self._shared.failpoint.reach("after_restore")

    async def _position(self, token: Token) -> None:
        self._to(State.POSITIONED)
        known = 0 if self._table is None else self._table.position
        position = await self._shared.transport.locate(self.topic, self.number, token, known)
        if self._table is not None and isinstance(self._producer, AcknowledgedProducer):
            await self._table.open(self._producer, position)
        self._count_uncertain(position)
        self.waiting = Waiting(position)
        self._shared.failpoint.reach("after_position")

    def _restoring(self, first: bool, offset: int, end: int, rows: int) -> None:
        self._advances += self._stands.restoring(first, offset, end, rows)

    def _to(self, state: State) -> None:
        assert state is self.state or state in FOLLOWS[self.state], (self.state, state)
        self.state = state
        self._shared.metrics.state(self.topic, self.number, state)

    def _discard(self, error: KafkaError) -> None:
        producer, self._producer = self._producer, None
        if producer is not None and (closing := producer.discard(error)) is not None:
            self._shared.keep(closing)

    def _give_up(self, error: BaseException) -> None:
        log.warning("%s[%d] was fenced by another producer, joining the group again: %r", self.topic, self.number, error)
        self.token = None
        self._discard(KafkaError("fenced"))
        self._shared.transport.rejoin()

    # Its batches.

    def _pump(self) -> None:
        if self._busy or self.state is not State.RUNNING:
            return
        waiting = self.waiting
        if self._tick_due:
            self._tick_due = False
            behind = not waiting.count and waiting.read_to > waiting.position
            taken = Taken((), waiting.read_to if behind else -1)
        elif waiting.count:
            limit = self._isolation.limit(waiting.position, self._bounds.records)
            if waiting.count < limit and waiting.bytes < self._bounds.bytes_max and self._pace.rests(self._pump):
                return
            taken = waiting.take(self._bounds, limit)
            if waiting.room(self._bounds):
                self._shared.wake()
        else:
            return
        batch = self._batch(taken, None if self._table is None else self._table.rows())
        refused = self._isolation.refused(taken.records)
        if refused is not None:
            self._begin(batch)
            self._poisoned(batch, taken.records[0], refused)
            return
        self._begin(batch)
        batch.waiting_since = self._chunk_at if taken.records else batch.began
        self._shared.deliver(batch)

    def _batch(self, taken: Taken, rows: Overlay | None) -> Batch:
        clock = Clock(time.time_ns() // 1000, self._shared.settings.replayed)
        return Batch(self.topic, self.number, taken.records, taken.next_offset, rows, clock, self.token, self._end)

    def _begin(self, batch: Batch) -> None:
        self._busy = True
        self._stands.begin(batch.records)
        batch.began = batch.waiting_since = time.perf_counter()

    def _end(self, batch: Batch, decision: Decision | None, error: Exception | None) -> None:
        if batch.token is not self.token or self.token is None:
            return
        if decision is None:
            assert error is not None
            self._undecided(batch, error)
            return
        assert self._producer is not None
        self._finishing = self._shared.keep(asyncio.create_task(self._finish(batch, decision, self._producer)))

    async def _finish(self, batch: Batch, decision: Decision, producer: AnyProducer) -> None:
        decided, shared = time.perf_counter(), self._shared
        if decision.scrub and self._table is not None:
            self._table.scrub()
        ending = ending_of(batch, producer, self._table if batch.rows is not None else None, self.waiting.position, shared)
        limit = shared.settings.transaction_timeout_ms / 1000
        guard = asyncio.get_running_loop().call_later(
            limit, producer.discard, TooSlow(f"the end of a batch of {self.topic}[{self.number}] took more than {limit:g} s")
        )
        try:
            written = await ending.run(batch, decision)
        except Exception as error:  # noqa: BLE001 - Sorted by class in _unfinished; none is swallowed.
            self._unfinished(batch, decision, ending, error)
            return
        finally:
            guard.cancel()
        await self._apply(batch, written, ending)
        try:
            await ending.settle(batch)
        except KafkaError as error:
            self._unfinished(batch, decision, ending, error)
            return
        self._done(batch, decision, ending, decided)

    async def _apply(self, batch: Batch, written: Written, ending: Ending) -> None:
        start = time.perf_counter()
        if written.changes:
            assert self._table is not None
            ending.work_seconds += await self._table.apply(written)
        ending.seconds["store"] = time.perf_counter() - start
        self._shared.failpoint.reach("after_store")

    def _done(self, batch: Batch, decision: Decision, ending: Ending, decided: float) -> None:
        shared = self._shared
        moved = batch.next_offset > self.waiting.position
        if batch.next_offset >= 0:
            self.waiting.acknowledge(batch.next_offset)
            self._isolation.went_well(batch.next_offset)
        self._stands.end()
        if moved or not self.progress().lag_records:
            self._advances += 1
        self._strange_errors = 0
        seconds = time.perf_counter() - batch.began
        self._bounds.learn(len(batch.records), batch.work_seconds + ending.work_seconds)
        self._pace.committed(ending.seconds.get("commit", 0.0))
        ending.seconds["decide"] = decided - batch.began
        ending.seconds["wait"] = batch.began - batch.waiting_since
        shared.metrics.batch(batch, ending.seconds, seconds)
        shared.committed(self.topic, self.number, decision, seconds)
        shared.between_batches()
        if batch.token is self.token:
            self._busy = False
            self._pump()

    # What goes wrong with them.

    def _undecided(self, batch: Batch, error: Exception) -> None:
        """The agent raised, or what it decided cannot be written: nothing was begun."""
        if isinstance(error, HOPELESS) or not batch.records:
            self._shared.fail(error)
        elif len(batch.records) > 1:
            log.warning("%s fails, isolating: %s", batch, where(error))
            self._isolation.narrow(batch.next_offset, len(batch.records))
            self.waiting.give_back(Taken(batch.records, batch.next_offset))
            self._busy = False
            self._pump()
        else:
            self._poisoned(batch, batch.records[0], error)

    def _poisoned(self, batch: Batch, record: Record, error: Exception) -> None:
        decision = None if batch.isolated else self._shared.poisoned(self.topic, record, error)
        if decision is None:
            self._shared.fail(
                EngineError(f"the record at offset {record.offset} of {self.topic}[{self.number}] cannot be processed: {where(error)}")
            )
            return
        last = self._batch(Taken(batch.records, batch.next_offset), None)
        last.isolated = last.finished = True
        last.began = batch.began
        self._end(last, decision, None)

    def _unfinished(self, batch: Batch, decision: Decision, ending: Ending, error: Exception) -> None:
        if batch.token is not self.token or self.token is None:
            log.warning("the batch %s was taken away before its end: %r", batch, error)
            return
        if not ending.begun and not isinstance(error, TRANSIENT):
            self._undecided(batch, error)
            return
        if isinstance(error, HOPELESS) or self._is_too_strange(error):
            self._shared.fail(error)
            return
        if isinstance(error, FENCED):
            self._give_up(error)
            return
        log.warning("%s[%d] could not finish a batch of %d, once more: %r", self.topic, self.number, len(batch.records), error)
        if ending.committing and batch.next_offset >= 0:
            self._uncertain = (batch.next_offset, decision, time.perf_counter() - batch.began)
        if isinstance(error, REFUSED):
            if batch.isolated or not batch.records:
                self._shared.fail(error)
                return
            self._isolation.narrow(batch.next_offset, len(batch.records))
            if len(batch.records) == 1:
                self._isolation.refuse(batch.records[0].offset, error)
        self._begin_anew(1)

    def _is_too_strange(self, error: BaseException) -> bool:
        self._strange_errors += not isinstance(error, TRANSIENT)
        return self._strange_errors > STRANGE_ERRORS_MAX

    def _count_uncertain(self, position: int) -> None:
        """A commit whose answer never came: the position tells whether it went through; then its counts are owed."""
        uncertain, self._uncertain = self._uncertain, None
        if uncertain is not None and position >= uncertain[0]:
            self._shared.committed(self.topic, self.number, uncertain[1], uncertain[2])
