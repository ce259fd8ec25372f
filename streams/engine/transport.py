"""Kafka as Faust sees it through the engine: membership and reading are Faust's driver, but an event is one batch of one partition.

The rule: the drain loop never blocks and never decides. It asks for what partitions have room for, brings it with the token it asked with, and waits
to be woken. Everything of the consumer happens in Faust's consumer thread; everything of partitions in the main loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.engine import overrides
from streams.engine.batch import Batch
from streams.engine.errors import HOPELESS, Overtaken
from streams.engine.life import Token
from streams.engine.offsets import Chunk

log = logging.getLogger(__name__)

SCHEME = "kairos"
TAKE_SECONDS = 1.0
PAUSE_SECONDS = 0.2
CROWDED_WAIT_MS = 50
"""How long the broker may hold a fetch of partitions that have nothing while others have more than they can take: asking costs CPU, which they need."""


class Message(ConsumerMessage):
    """A Faust message that carries a batch."""

    __slots__ = ("batch",)


class Room(NamedTuple):
    """How many records a partition has room for, and the token it asks with."""

    records: int
    token: Token


def still_sought(room: Mapping[TopicPartition, Room], sought: Mapping[TopicPartition, Token]) -> dict[TopicPartition, int]:
    """Of what is asked for, what was not sought anew since."""
    return {target: asked.records for target, asked in room.items() if sought.get(target) is asked.token}


class Fetched(NamedTuple):
    """What one call brought: chunks and ends by (topic, partition), and the seconds that unpacking took."""

    chunks: dict[TopicPartition, Chunk]
    stable_ends: dict[TopicPartition, int | None]
    seconds: float


class Thread(driver.AIOKafkaConsumerThread):
    """Owns the aiokafka consumer; every coroutine here runs in the consumer's loop."""

    Worker = overrides.BoundedThread
    _poked: asyncio.Future[None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._sought: dict[TopicPartition, Token] = {}
        """With which token each partition was last sought: what is asked for with another would be read past its new owner."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        return overrides.create_worker_consumer(self, transport)

    async def on_start(self) -> None:
        await super().on_start()
        overrides.never_hold_back(self._consumer)

    async def take(self, room: Mapping[TopicPartition, Room], crowded: bool) -> Fetched:
        """Records of the partitions that have room, as soon as there are any; nothing when poked, or after a second.

        A partition that is sought while this waits is left out: its position must not move by a read that nobody will accept. `crowded`: some partition
        has all it can take, so nobody is in a hurry to hear that others have nothing.
        """
        consumer = self._consumer
        if consumer is None or consumer._closed:
            raise ConsumerStoppedError
        consumer._coordinator.check_errors()
        fetcher, subscriptions = consumer._fetcher, consumer._subscription
        overrides.wait_for_more(fetcher, CROWDED_WAIT_MS if crowded else self.app.tables.shared.settings.fetch_wait_ms)
        with subscriptions.fetch_context():
            if subscriptions.reassignment_in_progress:
                await asyncio.sleep(PAUSE_SECONDS)
                return Fetched({}, {}, 0.0)
            start = perf_counter()
            chunks = overrides.drain(fetcher, still_sought(room, self._sought))
            if chunks:
                return Fetched(chunks, self._stable_ends(), perf_counter() - start)
            waiter = fetcher._create_fetch_waiter()
            self._poked = waiter
            await asyncio.wait([waiter], timeout=TAKE_SECONDS)
            self._poked = None
            if not waiter.done():
                waiter.cancel()
            elif not waiter.cancelled():
                waiter.result()
            start = perf_counter()
            chunks = {} if subscriptions.reassignment_in_progress else overrides.drain(fetcher, still_sought(room, self._sought))
            return Fetched(chunks, self._stable_ends(), perf_counter() - start)

    def poke(self) -> None:
        """End a take that waits. Called in the main loop."""
        self.thread_loop.call_soon_threadsafe(self._wake)

    async def is_member(self, generation: int) -> bool:
        """Whether the group's coordinator knows us in this generation: asked, not remembered."""
        return await overrides.heartbeat(self._ensure_consumer()._coordinator, generation)

    async def locate(self, target: TopicPartition, token: Token, known: int) -> int:
        """Fetch the committed offset (the first one there is, if there is none or it is gone), and seek to it for `token`.

        The changelog may know of more that is done (`known`); it is not believed beyond the end, for then the input was made anew.
        """
        consumer = self._ensure_consumer()
        begin = int((await consumer.beginning_offsets([target]))[target])
        committed = await consumer.committed(target)
        if committed is not None and committed < begin:
            log.warning("%s[%d]: records from %d to %d were deleted before they were read", *target, committed, begin)
        offset = begin if committed is None else max(begin, int(committed))
        if known > offset:
            end = int((await consumer.end_offsets([target]))[target])
            if known <= end:
                offset = known
            else:
                log.warning("%s[%d]: the changelog stands for %d records of another topic of this name, it ends at %d", *target, known, end)
        if target not in consumer.assignment():
            raise KafkaError(f"{target} is no longer assigned")
        consumer.seek(target, offset)
        self._sought[target] = token
        return offset

    async def commit_offset(self, target: TopicPartition, next_offset: int, token: Token) -> None:
        """Commit an offset of a partition that is ours since `token`. Overtaken if the group has moved on."""
        consumer = self._ensure_consumer()
        if consumer._coordinator.generation != token.generation:
            raise Overtaken(f"the offset of {target} was read in generation {token.generation}")
        await consumer.commit({target: next_offset})

    async def ask_to_rejoin(self) -> None:
        """The group assigns anew."""
        self._ensure_consumer()._coordinator.request_rejoin()

    def _wake(self) -> None:
        if self._poked is not None and not self._poked.done():
            self._poked.set_result(None)

    def _stable_ends(self) -> dict[TopicPartition, int | None]:
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None:
            return {}
        return {target: assignment.state_value(target).lso for target in assignment.tps}


class Consumer(driver.Consumer):
    """Brings batches to agents; commits nothing, since the transactions do."""

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        custody = self.app.tables
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):
            held = custody.hold_back()
            room = {
                TopicPartition(*target): Room(wanted, partition.token)
                for target, partition in custody.partitions.items()
                if target.topic not in held and (wanted := partition.room())
            }
            crowded = any(partition.waiting.count and not partition.room() for partition in custody.partitions.values())
            try:
                fetched = await self.in_thread(self._thread.take(room, crowded))
            except ConsumerStoppedError:
                return
            except HOPELESS as error:
                custody.shared.fail(error)
                return
            except KafkaError as error:
                log.warning("reading failed, once more: %r", error)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            custody.shared.metrics.read(fetched.seconds)
            for target, asked in room.items():
                partition = custody.partitions.get(TP(*target))
                if partition is None:
                    continue
                partition.saw_end(asked.token, fetched.stable_ends.get(target))
                if target in fetched.chunks:
                    partition.offer(asked.token, fetched.chunks[target])

    # What partitions ask (shared.Membership).

    async def is_member(self, generation: int) -> bool:
        """Whether the coordinator still knows us in this generation."""
        return bool(await self.in_thread(self._thread.is_member(generation)))

    async def locate(self, topic: str, partition: int, token: Token, known: int) -> int:
        """The committed offset, or `known` if that is beyond; the input is sought there, for those who ask with `token`."""
        return int(await self.in_thread(self._thread.locate(TopicPartition(topic, partition), token, known)))

    async def commit_offset(self, topic: str, partition: int, next_offset: int, token: Token) -> None:
        """Without transactions: the input's offset, committed as a member of the token's generation."""
        await self.in_thread(self._thread.commit_offset(TopicPartition(topic, partition), next_offset, token))

    def rejoin(self) -> None:
        """Ask for a new assignment."""
        self.app.tables.shared.keep(asyncio.create_task(self.in_thread(self._thread.ask_to_rejoin())))

    def wake(self) -> None:
        """Some partition has room."""
        self._thread.poke()

    async def deliver(self, batch: Batch) -> None:
        """One event, through Faust's conductor, to the agent's stream."""
        target = TP(batch.topic, batch.partition)
        offset = batch.records[-1].offset if batch.records else batch.next_offset
        message = Message(
            batch.topic,
            batch.partition,
            offset,
            batch.clock.now / 1e6,
            0,
            [],
            None,
            None,
            None,
            0,
            0,
            target,
            generation_id=self.app.consumer_generation_id,
        )
        message.batch = batch
        await self.callback(message)

    async def in_thread(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the consumer's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._thread.thread_loop))

    def broker_answers(self) -> bool:
        """Whether the group's coordinator is known and has answered; without a broker it is not."""
        coordinator = getattr(self._thread._consumer, "_coordinator", None)
        return coordinator is not None and coordinator.coordinator_id is not None

    # What Faust would do on its own, and must not.

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.app.tables.release(revoked)
        await super().on_partitions_revoked(revoked)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    async def perform_seek(self) -> None:
        return None

    async def verify_all_partitions_active(self) -> None:
        return None


class Transport(driver.Transport):
    """`kairos://host:port`"""

    Consumer = Consumer


def register() -> None:
    """Make the scheme known to Faust where the package's entry point is not installed."""
    if SCHEME not in TRANSPORTS.aliases:
        TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
