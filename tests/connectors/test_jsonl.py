"""Lines of JSON: what is one passes byte for byte, what is none is refused, and nothing stops the reading."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jsonl import mapping
from connectors.jsonl.source import READER
from connectors.runtime.readers import readers
from connectors.runtime.sources import Ready, Refused, mapped
from schemas.interaction import RECORD_BYTES_MAX

GOOD = b'{"userId":"42","event":"Page Viewed","timestamp":"2026-01-01T00:00:00.5Z","new":[1]}'


def _map(tmp_path: Path, content: bytes) -> list[Ready | Refused]:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(content)
    return list(mapped(READER, file))


def test_a_line_passes_as_it_stands(tmp_path: Path) -> None:
    assert _map(tmp_path, GOOD + b"\r\n\n" + GOOD) == [Ready(GOOD, "user_id:42", 1_767_225_600_500_000)] * 2


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"not json", "no JSON: Expecting value at character 0"),
        (b'{"userId":', "no JSON: Expecting value at character 10"),
        (b"\xff\xfe", "no UTF-8 from byte 0 on"),
        (b'{"a":"\xff"}', "no UTF-8 from byte 6 on"),
        (b"{} {}", "no JSON: Extra data at character 3"),
        (b"\x00", "no JSON: Expecting value at character 0"),
        (b'{"a":NaN}', "no JSON: NaN is no value of JSON"),
        (b'{"a":"x', "no JSON: Unterminated string at character 5"),
        (b'{"a":"\\q"}', "no JSON: Invalid \\escape at character 6"),
    ],
)
def test_a_line_that_is_no_json_is_refused_alone_and_with_what_is_wrong(tmp_path: Path, line: bytes, detail: str) -> None:
    assert _map(tmp_path, GOOD + b"\n" + line + b"\n" + GOOD)[1:] == [
        Refused("unreadable", line, detail),
        Ready(GOOD, "user_id:42", 1_767_225_600_500_000),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"17",
        b"null",
        b'{"userId":{}}',
        b'{"timestamp":"never"}',
        b'{"timestamp":1e400}',
        b'{"identifiers":[]}',
        b"[" * 100_000,
        b'{"a":[1,2]}',
    ],
)
def test_what_a_line_of_json_says_is_not_the_readers_to_judge(tmp_path: Path, line: bytes) -> None:
    (one,) = _map(tmp_path, line)

    assert isinstance(one, Ready)
    assert one.value == line
    assert one.occurred_at is None
    assert list(READER.times(tmp_path / "lines.jsonl")) == [None]


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        (b'{"anonymousId":"c","userId":null}', "anonymous_id:c"),
        (b'{"identifiers":{"phone":"1","email":["e","f"]},"anonymousId":"c"}', "email:e"),
        (b'{"identifiers":{"crm_id":17850}}', "crm_id:17850"),
        (b'{"identifiers":{"badge":[9],"email":[]}}', "badge:9"),
        (b'{"userId":""}', None),
    ],
)
def test_the_first_identifier_names_the_place(tmp_path: Path, line: bytes, identifier: str | None) -> None:
    assert [one.identifier for one in _map(tmp_path, line) if isinstance(one, Ready)] == [identifier]


@pytest.mark.parametrize(
    "written",
    [
        b"1767225600",
        b"1767225600000",
        b"1767225600000000",
        b"1767225600.0",
        b'"2026-01-01T01:00:00+01:00"',
        b'"2026-01-01"',
        b'"1767225600000"',
    ],
)
def test_an_instant_is_read_in_any_unit(tmp_path: Path, written: bytes) -> None:
    (one,) = _map(tmp_path, b'{"timestamp":' + written + b"}")

    assert isinstance(one, Ready)
    assert one.occurred_at == 1_767_225_600_000_000
    assert list(READER.times(tmp_path / "lines.jsonl")) == [one.occurred_at]


def test_the_original_timestamp_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    (one,) = _map(tmp_path, b'{"userId":"1","timestamp":null,"originalTimestamp":1767225600}')

    assert isinstance(one, Ready)
    assert one.occurred_at == 1_767_225_600_000_000


def test_what_is_too_old_to_be_taken_in_does_not_hold_time_back(tmp_path: Path) -> None:
    _map(tmp_path, b'{"userId":"1","timestamp":"1970-01-01T00:00:00Z"}\n{"userId":"1","timestamp":"2000-01-01T00:00:00Z"}')

    assert list(READER.times(tmp_path / "lines.jsonl")) == [None, 946_684_800_000_000]


def test_a_line_beyond_a_records_limit_is_refused_and_cut(tmp_path: Path) -> None:
    line = b'{"userId":"' + b"x" * (3 * RECORD_BYTES_MAX) + b'"}'

    assert _map(tmp_path, line + b"\n" + GOOD) == [
        Refused("too_large", line[: RECORD_BYTES_MAX + 1], "a line of more than 262,144 bytes"),
        Ready(GOOD, "user_id:42", 1_767_225_600_500_000),
    ]


def test_readers_are_found_by_being_there() -> None:
    assert set(readers()) == {"online-retail", "jsonl"}
    assert all(reader.name == name for name, reader in readers().items())


@given(st.binary(min_size=1).filter(lambda line: b"\n" not in line and line.strip()))
def test_the_detail_of_a_refusal_repeats_nothing_of_the_line(line: bytes) -> None:
    (one,) = READER.map(b'{"email":"ann@example.org" ' + line)

    assert isinstance(one, Ready) or (one.detail and "ann" not in one.detail)
    (other,) = READER.map(line)
    faults = "|".join(map(re.escape, mapping._FAULTS))
    known = rf"no UTF-8 from byte \d+ on|no JSON: ({faults}) at character \d+|no JSON: -?\w+ is no value of JSON"
    assert isinstance(other, Ready) or re.fullmatch(known, other.detail)
