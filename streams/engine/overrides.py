"""What of Faust and aiokafka is replaced or looked into below their public surface: the fault that it answers, and what the original looked like.

The rule: every such place is a row of UPSTREAM. A test compares the hashes, so that a new version of either library is read before it is used.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import threading
from collections.abc import Mapping
from itertools import islice
from operator import attrgetter
from typing import Any

import aiokafka
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException, KafkaError, NodeNotReadyError
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import server_list
from mode.threads import WorkerThread

from streams.engine.batch import Record
from streams.engine.offsets import Chunk

UPSTREAM: dict[str, tuple[str, str]] = {
    # original: (sha256 of its source, the fault that is answered)
    "faust.app.base:App.on_rebalance_return": ("a488c4c75a35447c", "its sensors time a rebalance, which has ended by then"),
    "faust.serializers.schemas:Schema.compile": ("d46eec5ce3195b2c", "decodes a key and a value; here the value is the batch"),
    "faust.tables.manager:TableManager.__init__": ("f13ed9db7ccd1a53", "called, and added to"),
    "mode.threads:WorkerThread.__init__": ("2ded78c36c50152c", "called; the thread keeps the process alive, `BoundedThread` does not"),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.__post_init__": ("913dc7c0d9578e2d", "called, and added to"),
    "faust.transport.consumer:ThreadDelegateConsumer._commit": (
        "a20eec84e4b2ed50",
        "commits what is acknowledged, by a timer; here the transaction carries the offset",
    ),
    "faust.transport.consumer:Consumer._drain_messages": ("44a2500309e83c63", "four tasks and a turn of the loop for every record"),
    "faust.transport.consumer:Consumer.commit": (
        "a354437baaa08bf8",
        "commits arithmetic over acknowledgements; here the transaction carries the offset",
    ),
    "faust.transport.consumer:Consumer.on_partitions_revoked": ("d04b7ae72c6fc206", "does not wait for what is being written"),
    "faust.transport.consumer:Consumer.perform_seek": ("0e8c130ff4b0afd8", "seeks to offsets fetched before the fence"),
    "faust.transport.consumer:Consumer.verify_all_partitions_active": ("4e0e46f5c297305d", "knows only events; watchdog.py knows batches"),
    "faust.transport.drivers.aiokafka:Consumer._new_consumer_thread": ("0870ec53dea75083", "the place to put our thread in"),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread._create_worker_consumer": (
        "c2701bfc3e6f6cad",
        "reads uncommitted, long-polls for 1.5 s",
    ),
    "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread.on_start": (
        "38b4e8bd1e10723a",
        "the fetcher holds all partitions back for one that waits",
    ),
    "faust.tables.manager:TableManager.on_start": ("365dd25fbc0e0684", "sleeps a second and starts a recovery by highwater"),
    "faust.tables.manager:TableManager.on_rebalance": (
        "2d2c23a07bf54328",
        "recovers by highwater (issues 176, 597, 651), resumes the input before it seeks",
    ),
    "faust.tables.manager:TableManager.on_partitions_revoked": ("382852adff42ab99", "belongs to that recovery"),
    "faust.tables.manager:TableManager.wait_until_recovery_completed": ("e0f224aba177e99d", "belongs to that recovery"),
    "faust.assignor.partition_assignor:PartitionAssignor._perform_assignment": (
        "1e0bf2c5c8f42574",
        "leaves workers idle with standbys, and gives what is lost to who has no copy; placing.py",
    ),
    "faust.assignor.partition_assignor:PartitionAssignor._protocol_assignments": ("e231e876d04a222d", "the place to put ours in"),
    "mode.threads:WorkerThread.stop": ("c80d8f1597fa362c", "joins for ever: a worker told to stop hangs when the broker is gone"),
    "aiokafka.consumer.fetcher:Fetcher.fetched_records": ("be4348896b9b66af", "one limit for all partitions; `drain` has one for each"),
    "aiokafka.consumer.fetcher:Fetcher._get_actions_per_node": (
        "1dab2cf937d165d0",
        "one wait for all times; `wait_for_more` sets what it reads",
    ),
    "aiokafka.consumer.fetcher:FetchResult.getall": ("3e717e30de5068d5", "as slow as what it calls; `_light` does what it does"),
    "aiokafka.consumer.fetcher:FetchResult.check_assignment": ("b5340df67e3f330f", "asked by `drain` and `whole_batches`"),
    "aiokafka.consumer.fetcher:FetchResult._update_position": ("83fb1473bf10027b", "called by `drain` and `whole_batches`"),
    "aiokafka.consumer.fetcher:Fetcher._create_fetch_waiter": ("61d840568746477e", "called by `fetched`"),
    "aiokafka.consumer.fetcher:Fetcher._notify": ("d3a30d94f34fd3a0", "called once records were taken, so that more are fetched"),
    "aiokafka.consumer.fetcher:PartitionRecords.__init__": (
        "8ec1c2ae6ea1af87",
        "makes a cycle of itself and all that was fetched; `_let_go` ends it",
    ),
    "aiokafka.consumer.fetcher:PartitionRecords._unpack_records": (
        "b803e6d46480732c",
        "a turn of a generator and three questions for every record; `_next_committed` asks them of a batch",
    ),
    "aiokafka.consumer.fetcher:PartitionRecords._contains_abort_marker": ("17e9ad2322ef4e0a", "asked by `drain` and `whole_batches`"),
    "aiokafka.consumer.fetcher:PartitionRecords._consume_aborted_up_to": ("56876530cd6412f3", "called by `_next_committed`"),
    "aiokafka.consumer.fetcher:PartitionRecords._consumer_record": (
        "e668541600b047ab",
        "builds eleven fields a record; `_light` builds six",
    ),
    "aiokafka.client:AIOKafkaClient.get_random_node": (
        "0e2daf38b78e99a7",
        "None where no broker is named; `ask_until_one_is_named` raises",
    ),
    "aiokafka.client:AIOKafkaClient.coordinator_lookup": (
        "19cc69fb75f8d667",
        "takes that None for a fault of its caller, an AssertionError, which would end a worker",
    ),
    "aiokafka.client:AIOKafkaClient._wait_on_metadata": (
        "52b0a5ee78ef3aa0",
        "waits for ever once its client is closed; `Producer._located` is woken by `discard`",
    ),
    "aiokafka.consumer.group_coordinator:GroupCoordinator._do_heartbeat": (
        "dc1d6632aaa68e96",
        "says yes while a rebalance is on; `heartbeat` does not",
    ),
    "aiokafka.consumer.group_coordinator:GroupCoordinator._send_req": ("fa4b12e914ce9fcf", "called by `heartbeat`"),
    "aiokafka.producer.transaction_manager:TransactionManager.fatal_error": ("8e9fd08dc50042c4", "called by FencedProducer.discard"),
    "aiokafka.producer.sender:Sender._fail_all": (
        "5a67e3b6f87be0c5",
        "says again, to nobody, what `discard` has said; taken off by `_close`",
    ),
    "aiokafka.producer.message_accumulator:MessageAccumulator.fail_all": ("f1e12e8100bfcb8c", "called by FencedProducer.discard"),
    "aiokafka.producer.message_accumulator:BatchBuilder.append": (
        "657d76f55157d9ca",
        "costs twice what encoding does; `pack` calls the encoder below it",
    ),
    "aiokafka.protocol.produce:ProduceRequest.build": (
        "269edf27f5f5bd83",
        "joins records at every level of the request; request.py joins them once",
    ),
    "aiokafka.conn:AIOKafkaConnection.send": (
        "5909ea32f4efca49",
        "puts header and size before a request; request.py takes them both at once",
    ),
    "aiokafka.producer.sender:SendProduceReqHandler.create_request": ("807639a952058369", "the place to put our request in"),
    "aiokafka.producer.producer:AIOKafkaProducer.stop": ("43ef97147111893b", "flushes first, for ever when the broker is gone"),
}


_PARTS = attrgetter("key", "value", "headers", "timestamp", "offset")


def source_hash(name: str) -> str:
    """The hash of the source of `module:Class.method` as installed."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part)
    function = getattr(found, "fun", found)
    return hashlib.sha256(inspect.getsource(inspect.unwrap(function)).encode()).hexdigest()[:16]


class BoundedThread(WorkerThread):
    """The consumer's thread: it does not keep the process alive, and is waited for no longer than it takes when the broker is there."""

    join_seconds_max = 3.0

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def stop(self) -> None:
        if self.is_stopped.wait(self.join_seconds_max) and self.is_alive() and threading.current_thread() is not self:
            self.join(self.join_seconds_max)


def create_worker_consumer(thread: Any, transport: Any) -> aiokafka.AIOKafkaConsumer:
    """Faust's consumer, but it reads what is committed only, polls short, and always uses Faust's assignor, which keeps co-partitioned topics together."""
    settings = thread.app.tables.shared.settings
    thread._assignor = thread.app.assignor
    consumer = aiokafka.AIOKafkaConsumer(
        client_id=f"{settings.app_id}-reader",
        group_id=settings.app_id,
        group_instance_id=settings.instance_id,
        bootstrap_servers=server_list(transport.url, transport.default_port),
        partition_assignment_strategy=[thread.app.assignor],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=settings.fetch_wait_ms,
        max_partition_fetch_bytes=settings.fetch_bytes_max,
        max_poll_interval_ms=24 * 3_600_000,  # watchdog.py watches; while a store is restored nothing is polled.
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=int(min(settings.heartbeat_seconds, settings.session_timeout_seconds / 3) * 1000),
        rebalance_timeout_ms=int(settings.rebalance_timeout_seconds * 1000),
        request_timeout_ms=int(max(30.0, settings.session_timeout_seconds, settings.rebalance_timeout_seconds + 5) * 1000),
        metadata_max_age_ms=60_000,
    )
    ask_until_one_is_named(consumer._client)
    return consumer


def ask_until_one_is_named(client: AIOKafkaClient) -> None:
    """Where Kafka names no broker, as after it hung until its controller gave it up, it is asked again; NodeNotReadyError where nobody asks again."""
    any_node = client.get_random_node

    def named() -> int:
        node = any_node()
        if node is None:
            raise NodeNotReadyError("Kafka names no broker")
        return int(node)

    client.get_random_node = named


def never_hold_back(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """A partition whose records wait in the fetcher must not delay the fetches of all others on its node."""
    consumer._fetcher._prefetch_backoff = 0.0


def wait_for_more(fetcher: Any, milliseconds: int) -> None:
    """The broker may hold the next fetches this long while there is nothing."""
    fetcher._fetch_max_wait_ms = milliseconds


def drain(fetcher: Any, room: Mapping[TopicPartition, int]) -> dict[TopicPartition, Chunk]:
    """What the fetcher has of the partitions in `room`, each up to its number of records; a chunk may be empty where only markers were read.

    Raises what the fetcher met. As aiokafka's fetched_records, but with a limit for each partition and light records.
    """
    waiting, subscriptions = fetcher._records, fetcher._subscriptions
    chunks: dict[TopicPartition, Chunk] = {}
    for target in list(waiting):
        if not subscriptions.is_assigned(target):
            _let_go(waiting.pop(target))
            continue
        wanted = room.get(target)
        if not wanted:
            continue
        result = waiting[target]
        if type(result) is not FetchResult:
            if not chunks:
                _consumed(fetcher, target)
                result.check_raise()
            break
        state = subscriptions.subscription.assignment.state_value(target)
        if not state.has_valid_position:  # It was given away and came back; what is left was fetched for its former life.
            _consumed(fetcher, target)
            continue
        before = state.position
        try:
            records = _light(result, target, wanted) if result.check_assignment(target) else []
        except CorruptRecordException:  # What was read of it in this call is not given away: it is fetched again from the position.
            _consumed(fetcher, target)
            raise
        if not result.has_more():
            _consumed(fetcher, target)
        if before is not None and state.position is not None:
            chunks[target] = Chunk(records, state.position, before)
    return chunks


def whole_batches(fetcher: Any, target: TopicPartition, records_max: int) -> tuple[list[Any], int] | None:
    """What the fetcher has of one partition: committed records of whole record batches until there are so many, and the position behind them.

    None if it has nothing. As PartitionRecords, but what it asks for each record is asked for each batch. The records are aiokafka's own.
    """
    result = fetcher._records.get(target)
    if result is None:
        return None
    if type(result) is not FetchResult:
        _consumed(fetcher, target)
        result.check_raise()
        return None
    if not result.check_assignment(target):
        _consumed(fetcher, target)
        return None
    found = result._partition_records
    records = _committed(found, target, records_max)
    result._update_position()
    if not found._records.has_next():
        _consumed(fetcher, target)
    return records, found.next_fetch_offset


async def fetched(fetcher: Any, seconds_max: float) -> None:
    """Until the fetcher has got something, or so much time has passed."""
    waiter = fetcher._create_fetch_waiter()
    await asyncio.wait([waiter], timeout=seconds_max)
    if not waiter.done():
        waiter.cancel()
    elif not waiter.cancelled():
        waiter.result()


async def heartbeat(coordinator: Any, generation: int) -> bool:
    """Ask the group's coordinator whether we are a member in this generation and no rebalance is on."""
    if coordinator is None or coordinator.generation != generation:
        return False
    try:
        answer = await coordinator._send_req(HeartbeatRequest(coordinator.group_id, generation, coordinator.member_id))
    except KafkaError:
        return False
    return bool(answer.error_code == 0 and coordinator.generation == generation)


def _consumed(fetcher: Any, target: TopicPartition) -> None:
    _let_go(fetcher._records.pop(target))
    fetcher._notify(fetcher._wait_consume_future)


def _let_go(result: Any) -> None:
    """A fetch's megabytes are freed with the last who asks for them: aiokafka's own reading of them, never begun here, holds them in a cycle, and the
    collector of cycles is off (garbage.py)."""
    found = getattr(result, "_partition_records", None)
    if found is not None:
        found._records_iterator = None


def _committed(found: Any, target: TopicPartition, records_max: int) -> list[Any]:
    records: list[Any] = []
    while len(records) < records_max and (batch := _next_committed(found, target)) is not None:
        first = found.next_fetch_offset
        # A batch is fetched whole, also where the position lies in its middle.
        records += batch if batch.base_offset >= first else [record for record in batch if record.offset >= first]
        found.next_fetch_offset = batch.next_offset
    return records


def _light(result: Any, target: TopicPartition, records_max: int) -> list[Record]:
    """Up to so many committed records; of a record batch that is not read to its end the rest waits in the result."""
    found, partition = result._partition_records, target.partition
    begun = getattr(result, "begun", None)
    records: list[Record] = []
    while (wanted := records_max - len(records)) > 0:
        if begun is None:
            batch = _next_committed(found, target)
            if batch is None:
                break
            begun = batch, map(_PARTS, batch)
        batch, rest = begun
        read = [Record(key, value, tuple(headers), at, partition, offset) for key, value, headers, at, offset in islice(rest, wanted)]
        first = found.next_fetch_offset
        if len(read) < wanted:
            found.next_fetch_offset, begun = batch.next_offset, None
        else:
            found.next_fetch_offset = max(first, read[-1].offset + 1)
        records += read if not read or read[0].offset >= first else [record for record in read if record.offset >= first]
    result.begun = begun
    result._update_position()
    if begun is None and not found._records.has_next():
        _let_go(result)
        result._partition_records = None
    return records


def _next_committed(found: Any, target: TopicPartition) -> Any | None:
    """The next record batch that holds committed records; None where there is no more of them."""
    log = found._records
    while log.has_next():
        batch = log.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"a record batch of {target} at {batch.base_offset} has another checksum than it says")
        found._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if found._contains_abort_marker(batch):
                found._aborted_producers.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in found._aborted_producers):
            return batch
        found.next_fetch_offset = batch.next_offset
    return None
