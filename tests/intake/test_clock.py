"""When an interaction occurred and was received."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import instants
from streams.instants import DAY, HOUR, MINUTE, SECOND
from streams.intake import clock
from tests.intake.given import NOW, REPLAY, Record, decide, letter_of, sent, touch
from tests.intake.kinds import bytes_of

NOON = "2026-02-28T12:00:00Z"
NOON_INSTANT = 1_772_280_000 * SECOND


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (NOON, NOON_INSTANT),
        ("2026-02-28T13:00:00+01:00", NOON_INSTANT),
        ("2026-02-28T12:00:00", NOON_INSTANT),
        ("2026-02-28 12:00:00.000001Z", NOON_INSTANT + 1),
        ("2026-02-28T12:00:00.123456789Z", NOON_INSTANT + 123_456),
        ("2026-02-28t12:00:00z", NOON_INSTANT),
        ("2026-02-28T11:59:60Z", NOON_INSTANT),
        ("2026-02-28t12:59:60.25+01:00", NOON_INSTANT + SECOND // 4),
        ("2026-02-28T11:59:61Z", None),
        ("9999-12-31T23:59:60Z", None),
        ("2026-02-28T11:60:60Z", None),
        (1_772_280_000, NOON_INSTANT),
        (1_772_280_000.25, NOON_INSTANT + SECOND // 4),
        (1_772_280_000_001, NOON_INSTANT + 1_000),
        (1_772_280_000_000_001, NOON_INSTANT + 1),
        ("1772280000", NOON_INSTANT),
        ("1772280000001", NOON_INSTANT + 1_000),
        ("1772280000000001", NOON_INSTANT + 1),
        (0, 0),
        (-1, -SECOND),
        (10**17, None),
        (-(10**17), None),
        (10**40, None),
        (1e300, None),
        ("", None),
        ("now", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-02-28T12:00:00+99:00", None),
        ("١٧٧٢٢٨٠٠٠٠", None),
        ("17722800000000000000000", None),
    ],
)
def test_instant_reads_text_and_numbers_of_every_unit(said: str | float, expected: int | None) -> None:
    assert clock.instant(said) == expected


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_instant_takes_whatever_json_can_hold(said: str | float) -> None:
    read = clock.instant(said)

    assert read is None or isinstance(read, int)


@given(st.integers(min_value=clock.EARLIEST, max_value=NOW + DAY))
def test_instant_reads_what_is_written(instant: int) -> None:
    assert clock.instant(instants.text(instant)) == instant
    assert clock.instant(instant) == instant


def test_reception_is_when_the_broker_took_it_or_earlier_if_a_collector_says_so() -> None:
    assert touch().received_at == NOW
    assert touch(receivedAt=NOON).received_at == NOON_INSTANT
    assert touch(receivedAt="2027-01-01T00:00:00Z").received_at == NOW


def test_reception_in_a_replay_is_as_it_was_recorded() -> None:
    recorded = touch(clock=REPLAY, receivedAt="2011-01-01T00:00:00Z", timestamp="2011-01-01T00:00:00Z")

    assert recorded.received_at == recorded.occurred_at == instants.parse("2011-01-01T00:00:00Z")


def test_reception_in_a_replay_is_no_later_than_the_broker_took_it() -> None:
    assert touch(clock=REPLAY, receivedAt=NOW + HOUR).received_at == NOW


@pytest.mark.parametrize("year", [2027, 5000, 9999])
def test_what_vouches_for_its_own_future_is_refused_in_a_replay_too(year: int) -> None:
    said = {"timestamp": f"{year}-12-31T23:59:59Z", "receivedAt": f"{year}-12-31T00:00:00Z"}

    assert letter_of(sent(clock=REPLAY, **said)).reason == "too_far_ahead"


def test_reception_is_now_where_the_record_has_no_timestamp() -> None:
    value = bytes_of({"userId": "1", "timestamp": 0, "event": "x"})

    for timestamp_ms in (-1, 0, 2**62):
        (outgoing,) = decide(Record(value, timestamp_ms=timestamp_ms)).send
        assert letter_of(outgoing).received_at == "2026-03-01T09:00:00Z"


@pytest.mark.parametrize("wrong", [0, MINUTE, -MINUTE, 13 * HOUR, DAY, -DAY])
def test_clock_that_is_wrong_is_put_right(wrong: int) -> None:
    occurred = NOW - HOUR

    corrected = touch(timestamp=occurred + wrong, sentAt=NOW + wrong)

    assert corrected.occurred_at == occurred


def test_what_was_kept_and_sent_again_later_is_not_moved() -> None:
    assert touch(timestamp=NOW - 3 * DAY, sentAt=NOW - 2 * DAY).occurred_at == NOW - 3 * DAY


def test_replay_repeats_itself_whenever_it_is_run() -> None:
    said = {"timestamp": NOW - HOUR, "sentAt": NOW - MINUTE}

    assert touch(clock=REPLAY, **said).occurred_at == NOW - HOUR
    assert touch(clock=REPLAY, receivedAt=NOW, **said).occurred_at == NOW - HOUR + MINUTE


def test_clock_is_left_alone_without_sent_at() -> None:
    assert touch(timestamp=NOW - HOUR, receivedAt=NOW - MINUTE).occurred_at == NOW - HOUR


def test_original_timestamp_counts_where_one_is_given() -> None:
    assert touch(timestamp=NOON, originalTimestamp=NOW - HOUR, sentAt=NOW - MINUTE).occurred_at == NOW - HOUR + MINUTE
    assert touch(timestamp=NOON, originalTimestamp=NOW - HOUR).occurred_at == NOON_INSTANT
    assert touch(timestamp=None, originalTimestamp=NOON).occurred_at == NOON_INSTANT


def test_a_day_ahead_is_the_last_that_is_taken() -> None:
    assert touch(timestamp=NOW + DAY).occurred_at == NOW + DAY
    assert letter_of(sent(timestamp=NOW + DAY + 1)).reason == "too_far_ahead"


def test_the_year_2000_is_the_first_that_is_taken() -> None:
    assert touch(timestamp="2000-01-01T00:00:00Z").occurred_at == clock.EARLIEST
    assert letter_of(sent(timestamp="1999-12-31T23:59:59.999999Z")).reason == "too_old"


@given(st.datetimes(), st.sampled_from([1, 1_000, SECOND]))
def test_an_instant_is_written_with_the_decimals_that_it_needs(said: datetime, unit: int) -> None:
    exact = said.replace(microsecond=said.microsecond // unit * unit)
    decimals = "microseconds" if exact.microsecond % 1_000 else "milliseconds" if exact.microsecond else "seconds"
    written = exact.isoformat(timespec=decimals) + "Z"

    assert instants.text(instants.parse(written) or 0) == written


def test_an_instant_that_text_cannot_say_is_written_as_the_last_one() -> None:
    assert instants.text(instants.LATEST) == instants.text(instants.LATEST + 2 * DAY) == "9999-12-31T23:59:59.999999Z"
