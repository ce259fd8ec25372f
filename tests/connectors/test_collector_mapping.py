"""What becomes of a body: items keep what they say, what cannot be taken at all is a Problem with a code, what is no interaction is refused."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector import mapping
from connectors.collector.config import Config
from connectors.collector.mapping import Item
from connectors.collector.problem import Problem
from schemas.dead_letter import ORIGINAL_BYTES_MAX, REASONS
from streams.intake import envelope

RECEIVED = "2026-11-22T12:00:00Z"
KEY = "wk_secret"


def taken(body: Any, kind: str | None = None, item_bytes_max: int = 32_768) -> list[Item]:
    config, packed = Config(bootstrap="", topic="", item_bytes_max=item_bytes_max), json.dumps(body).encode()
    text, said = mapping.read(packed)
    if kind is None:
        return mapping.batch(said, KEY, "shop", RECEIVED, config)
    return mapping.single(text, kind, KEY, "shop", RECEIVED, config)


def values(body: Any, kind: str | None = None) -> list[Any]:
    return [json.loads(item.value) for item in taken(body, kind)]


def problem(body: bytes, **options: int) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        _, read = mapping.read(mapping.unpacked(body, options.get("unpacked", 1_000)))
        mapping.batch(read, KEY, "shop", RECEIVED, Config(bootstrap="", topic="", items_max=2))
    return caught.value.status, caught.value.code


def test_a_batch_stands_for_items_that_do_not_say_when_they_were_sent_or_where() -> None:
    page = {"page": {"url": "https://shop.example"}}
    own = {"type": "track", "event": "Seen", "userId": "u", "sentAt": "own", "context": {"ip": None}}

    first, second, third = values({"batch": [own, {"type": "page", "sentAt": None}, {"type": "track"}], "sentAt": "batch", "context": page})

    assert (first["sentAt"], first["context"]) == ("own", {"ip": None})
    assert (second["sentAt"], second["context"], second["type"]) == ("batch", page, "page")
    assert third["sentAt"] == "batch"
    assert {each["receivedAt"] for each in (first, second, third)} == {RECEIVED}


def test_what_does_not_say_when_it_was_was_when_it_was_sent() -> None:
    own = {"timestamp": "2026-11-22T11:00:00Z"}, {"timestamp": None, "originalTimestamp": "2026-11-22T10:00:00Z"}, {"timestamp": None}, {}

    def times(**batch: str) -> list[tuple[str | None, ...]]:
        found = values({"batch": [{"userId": "u", **each} for each in own], **batch})
        return [(each.get("timestamp"), each.get("originalTimestamp")) for each in found]

    assert times() == [("2026-11-22T11:00:00Z", None), (None, "2026-11-22T10:00:00Z"), (RECEIVED, None), (RECEIVED, None)]
    assert times(sentAt="2026-11-22T08:00:00Z")[2:] == [("2026-11-22T08:00:00Z", None)] * 2


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
    assert mapping.PATHS[last] == mapping.PATHS[kind] == kind
    assert values({"type": "else", "userId": "u"}, kind)[0]["type"] == kind


def test_numbers_come_through_as_they_were_written() -> None:
    body = b'{"batch": [{"type": "track", "properties": {"revenue": 10.10, "n": 12345678901234567890}}]}'

    (item,) = mapping.batch(mapping.read(body)[1], KEY, "shop", RECEIVED, Config(bootstrap="", topic=""))

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
        (gzip.compress(b'{"batch": []}', mtime=0)[:-6], 400, "bad_gzip"),
        (gzip.compress(b'{"batch": ', mtime=0) + gzip.compress(b"[]}", mtime=0), 400, "bad_gzip"),
        (gzip.compress(b" " * 2_000, mtime=0), 413, "body_too_large"),
        (b'{"batch": ' + b"[" * 100_000, 400, "not_json"),
    ],
)
def test_what_cannot_be_taken_at_all_has_a_status_and_a_code(body: bytes, status: int, code: str) -> None:
    assert problem(body, unpacked=1_000 if body.startswith(b"\x1f") else 1_000_000) == (status, code)


def test_gzip_is_known_by_its_first_bytes() -> None:
    body = json.dumps({"batch": []}).encode()

    assert mapping.unpacked(gzip.compress(body), 1_000) == mapping.unpacked(body, 1_000) == body


def test_a_context_that_items_share_cannot_make_a_batch_grow_beyond_its_bound() -> None:
    body = {"batch": [{}] * 1_000, "context": {"page": "x" * 30_000}}

    with pytest.raises(Problem) as caught:
        taken(body)

    assert (caught.value.status, caught.value.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [b'{"batch": [' + b"1," * 4_000_000 + b"1]}", b"{" + b",".join(b'"%d":1' % number for number in range(1_000_000)) + b"}"],
    ids=["in a batch", "names of a body"],
)
def test_very_many_small_pieces_are_not_held_one_by_one(body: bytes) -> None:
    tracemalloc.start()
    try:
        assert problem(body, unpacked=1 << 24)[0] in (400, 413)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 3 * len(body)


def test_an_item_of_very_many_names_is_not_held_name_by_name() -> None:
    body = b'{"batch": [{' + b",".join(b'"%d":1' % number for number in range(500_000)) + b"}]}"
    tracemalloc.start()
    try:
        (item,) = mapping.batch(mapping.read(body)[1], KEY, "shop", RECEIVED, Config(bootstrap="", topic=""))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert item.refused == "too_large" and most < 4 * len(body)


def test_an_item_far_too_large_is_not_read_and_the_key_in_it_goes_no_further() -> None:
    large = {"writeKey": KEY, "text": "x" * 300_000}

    (single,) = taken(large, "track")
    first, second = taken({"batch": [large, {"userId": "u"}]})

    for item in (single, first):
        assert item.refused == "too_large" and KEY.encode() not in item.value
        assert len(item.value) == ORIGINAL_BYTES_MAX and " bytes, the collector takes 32768; SHA-256 " in item.detail
    assert second.refused is None


@pytest.mark.parametrize("key", [b'"\xff"', b"7", b"[]", b"null"])
def test_a_key_that_is_no_text_is_none(key: bytes) -> None:
    assert mapping.write_key(mapping.read(b'{"writeKey": ' + key + b"}")[1]) is None


def test_a_name_that_is_no_text_makes_a_dead_letter_on_every_path() -> None:
    config = Config(bootstrap="", topic="")
    broken = b'{"\xff": 1}'

    (single,) = mapping.single(broken, "track", KEY, "shop", RECEIVED, config)
    (batched,) = mapping.batch(mapping.read(b'{"batch": [' + broken + b"]}")[1], KEY, "shop", RECEIVED, config)

    assert {single.refused, batched.refused} == {"not_json"}


@pytest.mark.parametrize("source", [b'"a"', b'{"\xff": 1}', b'{"system": "claimed"}'])
def test_whatever_an_item_says_of_its_source_the_key_says_which_system(source: bytes) -> None:
    (item,) = mapping.single(b'{"source": ' + source + b"}", "track", KEY, "shop", RECEIVED, Config(bootstrap="", topic=""))

    assert json.loads(item.value)["source"] == {"system": "shop"}


def test_however_deep_an_item_is_it_has_an_answer() -> None:
    """Whether it is still read hangs on how deep its reader stands, so the two passes over a body part ways at some depth."""
    outcomes = Counter(_at_depth(depth) for depth in range(700, 1_000))

    assert outcomes.keys() <= {"not_json", "too_deep", None} and len(outcomes) > 1


def _at_depth(depth: int) -> str | None:
    body = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    try:
        mapping.read(body)
    except Problem as refused:
        return refused.code
    return _from_deeper(lambda: mapping.single(body, "track", KEY, "shop", RECEIVED, Config(bootstrap="", topic=""))[0].refused, 5)


def _from_deeper(call: Callable[[], str | None], frames: int) -> str | None:
    return call() if not frames else _from_deeper(call, frames - 1)


TEXTS = st.text(st.one_of(st.sampled_from('\\"u\ud83d\ude00\udfff d8'), st.characters()), max_size=12)


@given(st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, max_size=4)), max_size=4), st.booleans())
def test_half_a_character_costs_nobody_a_batch(said: dict[str, Any], neighbour: bool) -> None:
    packed = json.dumps({"batch": [said, *[{"userId": "u"}] * neighbour]}).encode()

    text, body = mapping.read(packed)

    assert len(mapping.batch(body, KEY, "shop", RECEIVED, Config(bootstrap="", topic=""))) == 1 + neighbour
    assert json.loads(text) == json.loads(
        packed, object_pairs_hook=lambda pairs: {_put_right(name): _put_right(value) for name, value in pairs}
    )


def _put_right(value: Any) -> Any:
    if isinstance(value, list):
        return [_put_right(each) for each in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


def test_very_many_halves_take_no_time() -> None:
    began = time.process_time()

    assert problem(b'{"batch": "' + rb"\ud83d" * 600_000 + rb"\n" * 2_000_000 + b'"', unpacked=1 << 24) == (400, "not_json")
    assert time.process_time() - began < 2.0


def outcome(body: Any) -> Any:
    (item,) = mapping.outcome(json.dumps(body).encode(), KEY, "crm", RECEIVED, Config(bootstrap="", topic=""))
    return json.loads(item.value)


def test_an_outcome_is_an_interaction_that_counts_once_however_often_it_is_told() -> None:
    said = {"momentId": "m1", "kind": "acted", "token": "t", "writeKey": KEY, "timestamp": None}

    assert outcome(said) == {
        "messageId": "m1-acted",
        "type": "track",
        "event": "Moment Acted",
        "timestamp": RECEIVED,
        "receivedAt": RECEIVED,
        "outcome": {"momentId": "m1", "kind": "acted", "token": "t"},
        "source": {"system": "crm"},
    }
    own = {"messageId": "second", "timestamp": "2026-11-22T11:00:00Z", "channel": "email", "userId": "42", "event": "Order Completed"}
    assert outcome({**said, "token": None, **own}) == {
        **own,
        "type": "track",
        "event": "Moment Acted",
        "receivedAt": RECEIVED,
        "outcome": {"momentId": "m1", "kind": "acted"},
        "source": {"system": "crm"},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"momentId": "m1"},
        {"momentId": "", "kind": "acted"},
        {"momentId": "m" * 129, "kind": "acted"},
        {"momentId": "m1", "kind": "ignored"},
        {"momentId": 7, "kind": "acted"},
        {"momentId": "m1", "kind": "acted", "token": "t" * 65},
    ],
)
def test_what_tells_of_no_moment_is_refused(wrong: Any) -> None:
    with pytest.raises(Problem) as caught:
        outcome(wrong)

    assert (caught.value.status, caught.value.code) == (400, "no_outcome")
