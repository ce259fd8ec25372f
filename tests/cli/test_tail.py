"""The newest records are those that Kafka took last, whichever partition they lie in."""

from __future__ import annotations

from connectors.consumer import Record
from streams.cli.tail import newest, newest_then_all


def _record(timestamp_ms: int, partition: int, offset: int) -> Record:
    return Record("journey.moments.v1", partition, offset, None, b"{}", (), timestamp_ms)


HELD = [_record(30, 0, 0), _record(50, 0, 1), _record(10, 1, 0), _record(50, 1, 1), _record(40, 2, 0), _record(50, 0, 2)]
LAST = [_record(40, 2, 0), _record(50, 0, 1), _record(50, 0, 2), _record(50, 1, 1)]


def test_the_newest_of_all_partitions_come_in_the_order_of_kafkas_time() -> None:
    assert newest(iter(HELD), 4) == LAST
    assert newest(iter(HELD), 0) == []


def test_following_begins_with_the_newest_and_goes_on_with_what_comes() -> None:
    later = _record(90, 1, 2)

    assert list(newest_then_all(iter([*HELD, None, later]), 4, 60)) == [*LAST, later]
