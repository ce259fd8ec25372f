"""Lines that are no interaction, of as many kinds as producers have been seen to send. Its rule: not one of them may be applied.

Each kind is a row of KINDS: a good interaction goes in, bytes without a line's end come out.
"""

import json
from collections.abc import Callable
from typing import Any

Interaction = dict[str, Any]


def _with(**fields: object) -> Callable[[Interaction], bytes]:
    return lambda good: _dump(good | fields)


def _without(*names: str) -> Callable[[Interaction], bytes]:
    return lambda good: _dump({name: value for name, value in good.items() if name not in names})


def _named(**identifiers: object) -> Callable[[Interaction], bytes]:
    """Said to be nobody but this."""
    return lambda good: _dump({name: value for name, value in good.items() if name not in _NAMING} | identifiers)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _constant(line: bytes) -> Callable[[Interaction], bytes]:
    return lambda good: line


_NAMING = ("userId", "anonymousId", "identifiers", "caseId", "sessionId", "traits", "account", "groupId")

KINDS: dict[str, Callable[[Interaction], bytes]] = {
    "text": _constant(b"ERROR 2025-02-30 cannot flush, retrying"),
    "html": _constant(b"<html><body>502 Bad Gateway</body></html>"),
    "cut short": lambda good: _dump(good)[: len(_dump(good)) * 2 // 3],
    "two in one": lambda good: _dump(good) * 2,
    "single quotes": lambda good: str(good).encode(),
    "not a number": lambda good: _dump(good | {"durationSeconds": float("nan")}),
    "invalid utf-8": lambda good: _dump(good)[:-1] + b',"text":"\xc3\x28\xff"}',
    "nul bytes": lambda good: b"\x00\x00" + _dump(good),
    "utf-16": lambda good: str(good).encode("utf-16-le").replace(b"\n", b" "),
    "list": lambda good: _dump([good]),
    "string": lambda good: _dump(_dump(good).decode()),
    "number": _constant(b"42"),
    "null": _constant(b"null"),
    "true": _constant(b"true"),
    "empty object": _constant(b"{}"),
    "nested deep": _constant(b'{"userId":"1","event":"Page Viewed","properties":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
    "event of a wrong type": _with(event=["Page Viewed"]),
    "unknown type": _with(type="wibble"),
    "identifiers of a wrong type": _named(identifiers="user-7"),
    "identifier of a wrong type": _named(userId={"id": 7}),
    "no identifier": _named(),
    "empty identifier": _named(userId="", anonymousId=None),
    "undefined identifier": _named(userId="undefined", identifiers={"email": ["null"]}),
    "zero identifier": _named(anonymousId="00000000-0000-0000-0000-000000000000"),
    "object as text": _named(userId="[object Object]"),
    "endless identifier": _named(userId="x" * 2_000),
    "no event": lambda good: _dump({name: value for name, value in good.items() if name != "event"} | {"type": "track"}),
    "no timestamp": _without("timestamp"),
    "timestamp in words": _with(timestamp="yesterday, about noon"),
    "impossible timestamp": _with(timestamp="2025-02-30T12:00:00Z"),
    "far future": _with(timestamp="2999-01-01T00:00:00Z"),
    "before the brand": _with(timestamp="1970-01-01T00:00:00Z"),
    "empty message id": _with(messageId=""),
    "endless message id": _with(messageId="m" * 2_000),
    "amount in words": _with(value={"amount": "a lot", "currency": "EUR"}),
    "no currency": _with(value={"amount": 1, "currency": "euros"}),
    "too large": _with(text="x" * 300_000),
}
"""Each kind by its name."""

NAMES = tuple(KINDS)
_RARE = {"too large", "nested deep"}
"""Kinds that take much room; they come once where another kind comes twenty times."""

_DRAWN = tuple(name for name in NAMES for _ in range(1 if name in _RARE else 20))


def line(drawn: float, good: Interaction) -> tuple[str, bytes]:
    """A malformed line, and its kind; `drawn` is from 0 up to 1."""
    name = _DRAWN[int(drawn * len(_DRAWN))]
    return name, KINDS[name](good)
