"""What is sent is what aiokafka would have sent."""

from __future__ import annotations

import pytest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v2, ProduceRequest_v3, ProduceRequest_v7

from streams.engine.request import ProduceOnce

TOPICS = [("profiles", [(0, bytearray(b"first")), (7, bytearray(300_000))]), ("é", [(3, b"")]), ("none", [])]


@pytest.mark.parametrize("version", [ProduceRequest_v3, ProduceRequest_v7])
@pytest.mark.parametrize("transactional_id", ["app-topic-1", "", None])
def test_a_request_has_the_bytes_that_aiokafka_gives_it(version: type, transactional_id: str | None) -> None:
    arguments = (transactional_id, -1, 12_345, TOPICS)

    found = b"header" + ProduceOnce(*arguments).build(version).encode()
    expected = b"header" + ProduceRequest(*arguments).build(version).encode()

    assert len(found) == len(expected)
    assert b"size" + found == b"size" + expected


def test_a_version_before_transactions_is_left_alone() -> None:
    arguments = (None, 1, 5, TOPICS)

    assert ProduceOnce(*arguments).build(ProduceRequest_v2).encode() == ProduceRequest(*arguments).build(ProduceRequest_v2).encode()
