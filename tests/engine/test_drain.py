"""What the fetcher still holds of a partition that was given away and came back is thrown away; it is nobody's to be read."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from aiokafka.consumer.fetcher import FetchResult
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition

from streams.engine.overrides import drain

TARGET = TopicPartition("orders", 3)


def test_what_was_fetched_before_a_reassignment_is_dropped_while_the_new_position_is_not_known() -> None:
    async def drained() -> tuple[dict[TopicPartition, object], dict[TopicPartition, object]]:
        subscriptions = SubscriptionState()
        subscriptions.assign_from_user([TARGET])
        before = subscriptions.subscription.assignment
        before.state_value(TARGET).reset_to(7)
        old = FetchResult(TARGET, assignment=before, partition_records=SimpleNamespace(next_fetch_offset=7), backoff=0)
        subscriptions.assign_from_user([TARGET])
        fetcher = SimpleNamespace(
            _records={TARGET: old}, _subscriptions=subscriptions, _notify=lambda future: None, _wait_consume_future=None
        )
        return drain(fetcher, {TARGET: 10}), fetcher._records

    chunks, left = asyncio.run(drained())

    assert chunks == {} and left == {}
