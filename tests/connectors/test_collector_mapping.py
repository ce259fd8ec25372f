"""What becomes of a body: items keep what they say, what cannot be taken at all is a Problem with a code, what is no interaction is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from connectors.collector import mapping
from connectors.collector.mapping import Item, Problem
from schemas.dead_letter import ORIGINAL_BYTES_MAX, REASONS
from streams.intake import envelope

RECEIVED = "2026-11-22T12:00:00Z"


def taken(body: Any, kind: str | None = None, item_bytes_max: int = 32_768) -> list[Item]:
    said = mapping.fields(json.dumps(body).encode())
    return list(mapping.items(said, kind, "shop", RECEIVED, 100, item_bytes_max))


def values(body: Any, kind: str | None = None) -> list[Any]:
    return [json.loads(item.value) for item in taken(body, kind)]


def problem(body: bytes, **options: int) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        list(mapping.items(mapping.fields(mapping.unpacked(body, options.get("unpacked", 1_000))), None, "shop", RECEIVED, 2, 1_000))
    return caught.value.status, caught.value.code


def test_a_batch_stands_for_items_that_do_not_say_when_they_were_sent_or_where() -> None:
    page = {"page": {"url": "https://shop.example"}}
    own = {"type": "track", "event": "Seen", "userId": "u", "sentAt": "own", "context": {"ip": None}}

    first, second, third = values({"batch": [own, {"type": "page", "sentAt": None}, {"type": "track"}], "sentAt": "batch", "context": page})

    assert (first["sentAt"], first["context"]) == ("own", {"ip": None})
    assert (second["sentAt"], second["context"], second["type"]) == ("batch", page, "page")
    assert third["sentAt"] == "batch"
    assert {each["receivedAt"] for each in (first, second, third)} == {RECEIVED}


def test_the_key_goes_no_further_and_says_the_source() -> None:
    message = {
        "writeKey": "wk_secret",
        "api_key": "wk_secret",
        "userId": "u",
        "source": {"system": "claimed", "owner": "brand"},
        "receivedAt": "claimed",
    }

    (single,) = taken(message, "track")
    (batched,) = taken({"batch": [message], "writeKey": "wk_secret"})

    for item in (single, batched):
        assert b"wk_secret" not in item.value
        assert json.loads(item.value)["source"] == {"system": "shop", "owner": "brand"}
        assert json.loads(item.value)["receivedAt"] == RECEIVED


@pytest.mark.parametrize(
    ("last", "kind"), [("t", "track"), ("i", "identify"), ("p", "page"), ("s", "screen"), ("g", "group"), ("a", "alias")]
)
def test_a_path_says_the_type(last: str, kind: str) -> None:
    assert mapping.PATHS[last] == kind and mapping.PATHS[kind] is None
    assert values({"type": "else", "userId": "u"}, kind)[0]["type"] == kind


def test_numbers_come_through_as_they_were_written() -> None:
    body = b'{"batch": [{"type": "track", "properties": {"revenue": 10.10, "n": 12345678901234567890}}]}'

    (item,) = mapping.items(mapping.fields(body), None, "shop", RECEIVED, 10, 1_000)

    assert b'"revenue": 10.10' in item.value and b"12345678901234567890" in item.value


def test_what_is_taken_is_what_intake_reads() -> None:
    (item,) = taken(
        {"batch": [{"messageId": "m", "type": "track", "event": "Seen", "anonymousId": None, "userId": 7, "_metadata": {"lib": 1}}]}
    )

    found = envelope.read(item.value)

    assert isinstance(found, envelope.Envelope)
    assert (found.message_id, found.user_id, found.received_at) == ("m", 7, RECEIVED)
    assert found.source is not None and found.source.system == "shop"


def test_a_bad_item_is_refused_and_its_batch_is_not() -> None:
    good = {"type": "track", "event": "Seen", "userId": "u"}

    found = taken({"batch": [good, 5, None, "text", [], {**good, "text": "x" * 40_000}, good]})

    assert [item.refused for item in found] == [None, *["not_an_object"] * 4, "too_large", None]
    assert {item.refused for item in found} - {None} <= REASONS.keys()
    assert found[1].value == b"5"
    assert "the collector takes 32768; SHA-256 " in found[5].detail


def test_of_what_is_far_too_large_a_dead_letters_worth_is_kept() -> None:
    (item,) = taken({"batch": [{"text": "x" * 500_000}]})

    assert item.refused == "too_large" and len(item.value) == ORIGINAL_BYTES_MAX


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"[]", 400, "not_an_object"),
        (b"\xff\xfe", 400, "not_json"),
        (b'{"batch": {}}', 400, "no_batch"),
        (b'{"batch": null}', 400, "no_batch"),
        (b"{}", 400, "no_batch"),
        (b'{"batch": [1, 2, 3]}', 413, "batch_too_long"),
        (b"\x1f\x8b nothing", 400, "bad_gzip"),
        (gzip.compress(b'{"batch": []}')[:-6], 400, "bad_gzip"),
        (gzip.compress(b'{"batch": ') + gzip.compress(b"[]}"), 400, "bad_gzip"),
        (gzip.compress(b" " * 2_000), 413, "body_too_large"),
        (b'{"batch": ' + b"[" * 100_000, 400, "not_json"),
    ],
)
def test_what_cannot_be_taken_at_all_has_a_status_and_a_code(body: bytes, status: int, code: str) -> None:
    assert problem(body, unpacked=1_000 if body.startswith(b"\x1f") else 1_000_000) == (status, code)


def test_gzip_is_known_by_its_first_bytes() -> None:
    body = json.dumps({"batch": []}).encode()

    assert mapping.unpacked(gzip.compress(body), 1_000) == mapping.unpacked(body, 1_000) == body
