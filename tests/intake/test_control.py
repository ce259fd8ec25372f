"""Time records, refusals by readers, and what a dead letter looks like from outside."""

from datetime import UTC, datetime
from random import Random

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from schemas import topics
from schemas.dead_letter import DETAIL_CHARACTERS_MAX, ORIGINAL_BYTES_MAX, REASONS
from schemas.interaction import DETAIL_HEADER, RECORD_BYTES_MAX, REFUSED_HEADER, TIME_HEADER
from schemas.metrics import BY_NAME
from streams.identity import messages
from tests.intake.given import NOW, PARTITIONS, REPLAY, Record, decide, letter_of
from tests.intake.kinds import KINDS

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_time_goes_to_every_partition_of_the_identity_topic() -> None:
    decision = decide(Record(b'{"time":"2026-03-01T09:00:00Z"}', ((TIME_HEADER, b""),), None, partition=3), clock=REPLAY)

    assert [(outgoing.topic, outgoing.partition) for outgoing in decision.send] == [(topics.IDENTITY, i) for i in range(PARTITIONS)]
    assert {messages.decode(outgoing.value or b"") for outgoing in decision.send} == {messages.Time(3, NOW)}
    assert decision.tally == {}, "a time record is no interaction"


def test_time_under_the_live_clock_is_counted_and_dropped() -> None:
    decision = decide(Record(b'{"time":"2026-03-01T09:00:00Z"}', ((TIME_HEADER, b""),)), Record(b"", ((TIME_HEADER, b"1"),)))

    assert decision.send == []
    assert decision.tally == {("kairos_times_dropped",): 2}, "neither an interaction nor a dead letter"


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b'{"time":true}', b'{"time":"soon"}'])
def test_time_that_cannot_be_read_is_a_dead_letter(value: bytes | None) -> None:
    (outgoing,) = decide(Record(value, ((TIME_HEADER, b""),)), clock=REPLAY).send

    assert letter_of(outgoing).reason in {"not_an_interaction", "bad_timestamp"}


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_refusal_by_a_reader_keeps_its_reason_and_the_original_bytes(reason: str) -> None:
    (outgoing,) = decide(Record(b"\xff\0line", ((REFUSED_HEADER, reason.encode()),))).send

    assert (letter_of(outgoing).reason, letter_of(outgoing).original) == (reason, b"\xff\0line")


def test_refusal_by_a_reader_says_what_the_reader_found() -> None:
    said = [(REFUSED_HEADER, b"unreadable"), (DETAIL_HEADER, "a line of 3 columns, not 8 \u2013 nothing more".encode())]

    first, second = (letter_of(decide(Record(b"a line", tuple(headers))).send[0]) for headers in (said, said[::-1]))

    assert (
        (first.reason, first.detail) == (second.reason, second.detail) == ("unreadable", "a line of 3 columns, not 8 \u2013 nothing more")
    )


@pytest.mark.parametrize("detail", [b"\xff" * 100_000, "\U0001f600".encode() * 100_000, b""])
def test_what_a_reader_found_is_bounded_and_never_empty(detail: bytes) -> None:
    (outgoing,) = decide(Record(b"a line", ((REFUSED_HEADER, b"unreadable"), (DETAIL_HEADER, detail)))).send

    assert 0 < len(letter_of(outgoing).detail) <= DETAIL_CHARACTERS_MAX


def test_dead_letter_is_a_cloud_event() -> None:
    (outgoing,) = decide(Record(b"oops", (("traceparent", TRACE),))).send
    headers = dict(outgoing.headers)

    event = from_binary(KafkaMessage(headers=headers, key=outgoing.key, value=outgoing.value or b""), JSONFormat())

    assert event.get_id() == "journey.interactions.v1-2-77"
    assert event.get_type() == topics.DEAD_LETTERS
    assert event.get_source() == "kairos/intake"
    assert event.get_time() == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert headers["traceparent"] == TRACE


def test_key_of_a_dead_letter_says_nothing_of_a_person() -> None:
    keys = {decide(Record(b"oops", (), key)).send[0].key for key in (b"ann@shop.co.uk", None)}

    assert len(keys) == 1
    (here,) = keys
    assert here is not None
    assert len(here) == 32
    assert decide(Record(b"oops", offset=78)).send[0].key != here


def test_dead_letter_fits_its_topic_whatever_was_sent() -> None:
    (outgoing,) = decide(Record(b"\xff" * 3_000_000, (), b"\xff" * 3_000_000)).send
    letter = letter_of(outgoing)

    assert outgoing.value is not None
    assert len(outgoing.value) < RECORD_BYTES_MAX == topics.BY_NAME[topics.DEAD_LETTERS].record_bytes_max
    assert (len(letter.original), letter.original_size) == (ORIGINAL_BYTES_MAX, 3_000_000)
    assert len(letter.detail) <= DETAIL_CHARACTERS_MAX


def test_every_count_is_a_metric_with_its_labels() -> None:
    records = [*(Record(*kind.make(Random(0))) for kind in KINDS), Record(b"", ((TIME_HEADER, b""),))]

    for name, *labels in decide(*records).tally:
        assert len(BY_NAME[name].labels) == len(labels)
