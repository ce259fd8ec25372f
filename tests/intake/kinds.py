"""Kinds of bad records: each a name, the reason it is refused for, and a way to make one from a source of chance."""

import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from schemas.interaction import AHEAD_SECONDS_MAX, IDENTIFIERS_MAX, JSON_DEPTH_MAX, RECORD_BYTES_MAX, REFUSED_HEADER

NOW_SECONDS = 1_772_355_600
"""2026-03-01T09:00:00Z: when the broker took the records."""


class Bad(NamedTuple):
    """A record to refuse: its value and its headers."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Kind(NamedTuple):
    """A kind of bad record, and the reason that fits it."""

    name: str
    reason: str
    make: Callable[[Random], Bad]


def good(random: Random) -> dict[str, object]:
    """An interaction that would be accepted."""
    return {
        "messageId": f"m-{random.randrange(10**9)}",
        "type": "track",
        "event": "Order Completed",
        "userId": f"u-{random.randrange(1000)}",
        "timestamp": "2026-03-01T08:59:00Z",
        "channel": "web",
        "properties": {"revenue": 12.5},
    }


def bytes_of(value: object) -> bytes:
    """JSON as a producer writes it; NaN and Infinity too, as Python does."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _with(**fields: object) -> Callable[[Random], Bad]:
    return lambda random: Bad(bytes_of(good(random) | fields))


def _without(*names: str) -> Callable[[Random], Bad]:
    return lambda random: Bad(bytes_of({name: value for name, value in good(random).items() if name not in names}))


def _spliced(name: str, literal: str) -> Callable[[Random], Bad]:
    """A good interaction with one more member whose value is written as it stands."""
    return lambda random: Bad(bytes_of(good(random))[:-1] + f', "{name}": {literal}}}'.encode())


def _raw(make: Callable[[Random], bytes]) -> Callable[[Random], Bad]:
    return lambda random: Bad(make(random))


def _deep(opening: str, closing: str) -> Callable[[Random], Bad]:
    def make(random: Random) -> Bad:
        levels = random.choice([JSON_DEPTH_MAX, 100, 1_000, 20_000])
        return Bad(bytes_of(good(random))[:-1] + f', "properties": {opening * levels}1{closing * levels}}}'.encode())

    return make


def _cut(random: Random) -> bytes:
    value = bytes_of(good(random))
    return value[: random.randrange(1, len(value))]


def _flipped(random: Random) -> bytes:
    value = bytearray(bytes_of(good(random)))
    value[random.randrange(len(value))] = random.randrange(0x80, 0xC0)
    return bytes(value)


def _ahead(random: Random) -> object:
    return NOW_SECONDS + AHEAD_SECONDS_MAX + random.randrange(1, 10**9)


_TOLD = {"momentId": "m", "kind": "acted", "token": "A" * 48}
_JUNK = (
    "",
    "null",
    "None",
    "undefined",
    "NaN",
    "[object Object]",
    "anonymous",
    "guest",
    "0",
    "00000000-0000-0000-0000-000000000000",
    "-1",
    " ",
)

NOT_JSON = (
    Kind("plain text", "not_json", _raw(lambda random: f"order {random.random()}".encode())),
    Kind("cut short", "not_json", _raw(_cut)),
    Kind("two values", "not_json", _raw(lambda random: bytes_of(good(random)) * 2)),
    Kind("single quotes", "not_json", _raw(lambda random: str(good(random)).encode())),
    Kind("trailing comma", "not_json", _raw(lambda random: bytes_of(good(random))[:-1] + b",}")),
    Kind("byte order mark", "not_json", _raw(lambda random: b"\xef\xbb\xbf" + bytes_of(good(random)))),
    Kind("NaN", "not_json", _with(properties={"revenue": float("nan")})),
    Kind("Infinity", "not_json", _with(properties={"revenue": float("-inf")})),
    Kind("leading zero", "not_json", _spliced("properties", '{"revenue": 007}')),
    Kind("bare NUL", "not_json", _raw(lambda random: bytes_of(good(random)).replace(b"Order", b"Or\0er"))),
    Kind("NULs", "not_json", _raw(lambda random: bytes(random.randrange(1, 100)))),
    Kind("half a surrogate pair and no end", "not_json", _raw(lambda random: b'{"userId":"\\ud83d"')),
    Kind("newline in a text", "not_json", _raw(lambda random: bytes_of(good(random)).replace(b"Order ", b"Order\n"))),
    Kind("blanks", "not_json", _raw(lambda random: b" " * random.randrange(1, 9))),
)

NOT_READABLE = (
    Kind("no value", "empty", lambda random: Bad(None)),
    Kind("empty value", "empty", lambda random: Bad(b"")),
    Kind("over 256 KiB", "too_large", lambda random: Bad(bytes_of(good(random) | {"text": "x" * RECORD_BYTES_MAX}))),
    Kind("1 MB", "too_large", lambda random: Bad(random.randbytes(1_000_000))),
    Kind("invalid UTF-8", "not_utf8", _raw(_flipped)),
    Kind("Latin-1", "not_utf8", _raw(lambda random: bytes_of(good(random) | {"text": "café au lait"}).decode().encode("latin-1"))),
    Kind("UTF-16", "not_utf8", _raw(lambda random: bytes_of(good(random)).decode().encode("utf-16"))),
    Kind("half a surrogate pair", "not_utf8", _spliced("text", '"\\ud83d and no more"')),
    Kind("the other half alone, after a backslash", "not_utf8", _spliced("text", '"\\\\\\uDE00"')),
    Kind("half of a name that nobody reads", "not_utf8", _spliced("unread", '{"\\ud83d": 1}')),
    Kind("surrogate in UTF-8", "not_utf8", _with(text="\ud800")),
    Kind("gzip", "not_utf8", _raw(lambda random: b"\x1f\x8b\x08\0" + random.randbytes(40) + b"\xff")),
    Kind("deep lists", "too_deep", _deep("[", "]")),
    Kind("deep objects", "too_deep", _deep('{"a":', "}")),
    Kind("deep in turns", "too_deep", _deep('[{"a":', "}]")),
    Kind("deep and never closed", "too_deep", _raw(lambda random: b"[" * random.randrange(100, 200_000))),
    Kind("a list", "not_an_object", _raw(lambda random: bytes_of([good(random)]))),
    Kind("a text", "not_an_object", _raw(lambda random: bytes_of(str(random.random())))),
    Kind("a number", "not_an_object", _raw(lambda random: str(random.randrange(10**6)).encode())),
    Kind("null", "not_an_object", _raw(lambda random: b"null")),
    Kind("true", "not_an_object", _raw(lambda random: b"true")),
)

WRONG_FIELD = (
    Kind("user id is true", "wrong_type", _with(userId=True)),
    Kind("user id is an object", "wrong_type", _with(userId={"id": "42"})),
    Kind("user id is a fraction", "wrong_type", _with(userId=1.5)),
    Kind("event is a number", "wrong_type", _with(event=7)),
    Kind("type is unknown", "wrong_type", _with(type="purchase")),
    Kind("properties is a list", "wrong_type", _with(properties=[{"revenue": 1}])),
    Kind("traits is a text", "wrong_type", _with(traits="none")),
    Kind("context is a number", "wrong_type", _with(context=1)),
    Kind("identifiers is a list", "wrong_type", _with(identifiers=["crm_id", "42"])),
    Kind("identifiers holds an object", "wrong_type", _with(identifiers={"crm_id": [{"id": 42}]})),
    Kind("channel is a list", "wrong_type", _with(channel=["web"])),
    Kind("direction is unknown", "wrong_type", _with(direction="sideways")),
    Kind("consent without a purpose", "wrong_type", _with(consent=[{"state": "granted"}])),
    Kind("account is a list", "wrong_type", _with(account=["acme"])),
    Kind("currency is no currency", "wrong_type", _with(value={"amount": 1, "currency": "pounds"})),
    Kind("amount without a currency", "wrong_type", _with(value={"amount": 1})),
    Kind("exponent beyond all bounds", "bad_number", _spliced("properties", '{"revenue": 1e999999999999999999999}')),
    Kind("exponent beyond bounds", "bad_number", _spliced("properties", '{"revenue": -1e999999999}')),
    Kind("tiny number", "bad_number", _spliced("traits", '{"score": [1e-999]}')),
    Kind("too many decimals", "bad_number", _spliced("properties", f'{{"revenue": 0.{"3" * 80}}}')),
    Kind("huge whole number", "bad_number", _spliced("context", f'{{"a": [{{"b": {"9" * 65}}}]}}')),
    Kind("5,000 digits", "bad_number", _spliced("properties", f'{{"revenue": {"9" * 5_000}}}')),
    Kind("user id of 5,000 digits", "bad_number", _spliced("userId", "9" * 5_000)),
    Kind("endless duration", "bad_number", _spliced("durationSeconds", "1e400")),
    Kind("amount is a word", "bad_amount", _with(value={"amount": "ten", "currency": "GBP"})),
    Kind("amount is true", "bad_amount", _with(value={"amount": True, "currency": "GBP"})),
    Kind("amount is not a number", "bad_amount", _with(value={"amount": "NaN", "currency": "GBP"})),
    Kind("amount is infinite", "bad_amount", _with(cost={"amount": "-Infinity", "currency": "GBP"})),
    Kind("amount of 31 digits", "bad_amount", _spliced("value", f'{{"amount": {"9" * 31}, "currency": "GBP"}}')),
    Kind("amount beyond bounds", "bad_amount", _spliced("value", '{"amount": 1e999999999, "currency": "GBP"}')),
    Kind("currency is a word", "bad_amount", _with(event="Order Completed", properties={"revenue": 5, "currency": "Euro"})),
    Kind("revenue is a word", "bad_amount", _with(properties={"revenue": "abc"})),
    Kind("revenue is empty", "bad_amount", _with(properties={"revenue": "", "currency": "GBP"})),
    Kind("revenue is true", "bad_amount", _with(event="Order Cancelled", properties={"revenue": True})),
    Kind("revenue is a list", "bad_amount", _with(properties={"revenue": [12.5]})),
    Kind("revenue with a comma", "bad_amount", _with(event="Order Refunded", properties={"revenue": "12,50"})),
    Kind(
        "revenue with its currency", "bad_amount", _with(properties={"revenue": "12.50 GBP"}, value={"amount": "12.50", "currency": "GBP"})
    ),
    Kind("revenue of 31 digits", "bad_amount", _spliced("properties", f'{{"revenue": {"9" * 31}}}')),
    Kind("revenue of 31 decimals", "bad_amount", _spliced("properties", f'{{"revenue": 0.{"3" * 31}}}')),
    Kind("revenue beyond bounds", "bad_amount", _spliced("properties", '{"revenue": 1e300}')),
    Kind("cost beyond all bounds", "bad_amount", _spliced("cost", '{"amount": 1e999999999999999999999, "currency": "GBP"}')),
)

WRONG_MEANING = (
    Kind("no timestamp", "bad_timestamp", _without("timestamp")),
    Kind("null timestamp", "bad_timestamp", _with(timestamp=None)),
    Kind("timestamp is a word", "bad_timestamp", _with(timestamp="yesterday")),
    Kind("timestamp is empty", "bad_timestamp", _with(timestamp="")),
    Kind("timestamp of a 13th month", "bad_timestamp", _with(timestamp="2026-13-01T00:00:00Z")),
    Kind("timestamp is true", "bad_timestamp", _with(timestamp=True)),
    Kind("timestamp is an object", "bad_timestamp", _with(timestamp={"$date": 1})),
    Kind("timestamp in nanoseconds", "bad_timestamp", _with(timestamp=NOW_SECONDS * 10**9)),
    Kind("timestamp of 40 digits", "bad_timestamp", _with(timestamp=10**40)),
    Kind("sentAt is a word", "bad_timestamp", _with(sentAt="now")),
    Kind("receivedAt is a word", "bad_timestamp", _with(receivedAt="now")),
    Kind("consent at no time", "bad_timestamp", _with(consent=[{"purpose": "ads", "state": "granted", "at": "soon"}])),
    Kind("far future", "too_far_ahead", lambda random: Bad(bytes_of(good(random) | {"timestamp": _ahead(random)}))),
    Kind("year 9999", "too_far_ahead", _with(timestamp="9999-12-31T23:59:59.999999Z")),
    Kind("future that the sender vouches for", "too_far_ahead", _with(timestamp="2030-01-01T00:00:00Z", receivedAt="2030-01-01T00:00:00Z")),
    Kind("1970", "too_old", _with(timestamp=0)),
    Kind("year 1", "too_old", _with(timestamp="0001-01-01T00:00:00Z")),
    Kind("before 1970", "too_old", _with(timestamp=-(10**15))),
    Kind("no event", "no_event", _without("event")),
    Kind("empty event", "no_event", _with(event="")),
    Kind("blank event", "no_event", _with(event=" \t")),
    Kind("empty message id", "bad_message_id", _with(messageId="")),
    Kind("long message id", "bad_message_id", _with(messageId="m" * 513)),
    Kind("NUL in a message id", "bad_message_id", _with(messageId="m\0")),
    Kind("no identifier", "no_identifier", _without("userId")),
    Kind("null identifiers", "no_identifier", _with(userId=None, anonymousId=None, identifiers={"crm_id": [None], "email": None})),
    Kind("junk identifiers", "no_identifier", lambda random: Bad(bytes_of(good(random) | {"userId": random.choice(_JUNK)}))),
    Kind("identifier of 1,025 characters", "no_identifier", _with(userId="u" * 1_025)),
    Kind("NUL in an identifier", "no_identifier", _with(userId="u\0")),
    Kind("only an unknown type", "no_identifier", _with(userId=None, identifiers={"shoe_size": [43]})),
    Kind("only a group's traits", "no_identifier", _with(type="group", userId=None, traits={"email": "ann@shop.co.uk"})),
    Kind("a token of nobody", "bad_outcome", _with(userId=None, event="Moment Acted", outcome=_TOLD)),
    Kind("a token of no outcome", "bad_outcome", _with(userId=None, outcome=_TOLD)),
    Kind("65 identifiers", "too_many_identifiers", _with(identifiers={"email": [f"{i}@shop.co.uk" for i in range(IDENTIFIERS_MAX)]})),
)

ASIDE = (
    Kind("refused by a reader", "unreadable", lambda random: Bad(random.randbytes(30), ((REFUSED_HEADER, b"unreadable"),))),
    Kind("bookkeeping", "not_an_interaction", lambda random: Bad(b"A563185", ((REFUSED_HEADER, b"not_an_interaction"),))),
    Kind("refused for no known reason", "not_an_interaction", lambda random: Bad(None, ((REFUSED_HEADER, b"\xff"),))),
)

KINDS = NOT_JSON + NOT_READABLE + WRONG_FIELD + WRONG_MEANING + ASIDE
