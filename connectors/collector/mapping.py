"""A request's body, read as interactions.

The rule this module owns: an item keeps what it says. Put in are when it was received and by whose key it came; taken out is the key itself; the type is that
of the path if there is one; a batch's `sentAt` and `context` stand for items that have none of their own.
"""

import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import Raw

from schemas.dead_letter import ORIGINAL_BYTES_MAX

PATHS = {
    **dict.fromkeys(("track", "identify", "page", "screen", "group", "alias")),
    "t": "track",
    "i": "identify",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}
"""The last part of a path that takes one message, and its type (None: the same word)."""
BATCH_PATHS = ("batch", "b", "import")
KEY_FIELDS = ("writeKey", "api_key")
"""Where a body may carry the write key; it goes no further."""
GZIP = b"\x1f\x8b"

Fields = dict[str, Raw]
_FIELDS = msgspec.json.Decoder(Fields).decode
_ITEMS = msgspec.json.Decoder(list[Raw]).decode
_TEXT = msgspec.json.Decoder(str).decode
_ENCODE = msgspec.json.Encoder().encode
_NULL = Raw(b"null")


class Problem(Exception):
    """A request that cannot be taken at all: an HTTP status, a code for machines, a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Item(NamedTuple):
    """A record's value; `refused`, with its detail, if it can be no interaction (a reason of schemas/dead_letter.py)."""

    value: bytes
    refused: str | None = None
    detail: str = ""


def unpacked(body: bytes, bytes_max: int) -> bytes:
    """The body, unpacked where its first bytes say gzip, whatever its headers say. Problem 400 or 413."""
    if not body.startswith(GZIP):
        return body
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        found = stream.decompress(body, bytes_max + 1)
    except zlib.error as wrong:
        raise Problem(400, "bad_gzip", f"The body begins as gzip and cannot be unpacked: {wrong}.") from None
    if len(found) > bytes_max:
        raise Problem(413, "body_too_large", f"The body unpacks to more than {bytes_max} bytes.")
    if not stream.eof or stream.unused_data:
        raise Problem(400, "bad_gzip", "The body begins as gzip and ends too early, or goes on behind its end.")
    return found


def fields(body: bytes) -> Fields:
    """The body as a JSON object. Problem 400."""
    try:
        return _FIELDS(body)
    except msgspec.ValidationError:
        raise Problem(400, "not_an_object", "The body is JSON, but no object.") from None
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Problem(400, "not_json", f"The body is no JSON: {wrong}.") from None


def write_key(said: Fields) -> str | None:
    """The write key in a body; None if there is none."""
    for name in KEY_FIELDS:
        raw = said.get(name)
        if raw is not None and bytes(raw).startswith(b'"'):
            return _TEXT(raw)
    return None


def items(said: Fields, kind: str | None, source: str, received_at: str, items_max: int, item_bytes_max: int) -> Iterator[Item]:
    """The interactions of a body: of a batch (`kind` None), or the one of a path of that type. Problem 400 or 413, before the first is given."""
    added: Fields = {"receivedAt": Raw(_ENCODE(received_at))}
    if kind is not None:
        return iter((_item(said, {**added, "type": Raw(_ENCODE(kind))}, {}, source, item_bytes_max),))
    try:
        batch = _ITEMS(said.get("batch", _NULL))
    except msgspec.ValidationError:
        raise Problem(400, "no_batch", "The body has no list `batch`.") from None
    if len(batch) > items_max:
        raise Problem(413, "batch_too_long", f"The batch has {len(batch)} items; at most {items_max} are taken at once.")
    shared: Fields = {name: said[name] for name in ("sentAt", "context") if name in said and said[name] != _NULL}
    return (_read(raw, added, shared, source, item_bytes_max) for raw in batch)


def _read(raw: Raw, added: Fields, shared: Fields, source: str, item_bytes_max: int) -> Item:
    try:
        return _item(_FIELDS(raw), added, shared, source, item_bytes_max)
    except msgspec.ValidationError:
        return Item(bytes(raw)[:ORIGINAL_BYTES_MAX], "not_an_object", "an item of a batch")
    except msgspec.DecodeError as wrong:  # A name in it is no UTF-8.
        return Item(bytes(raw)[:ORIGINAL_BYTES_MAX], "not_json", str(wrong))


def _item(said: Fields, added: Fields, shared: Fields, source: str, item_bytes_max: int) -> Item:
    for name, raw in shared.items():
        if said.get(name, _NULL) == _NULL:
            said[name] = raw
    for name in KEY_FIELDS:
        said.pop(name, None)
    value = _ENCODE({**said, **added, "source": _source(said.get("source"), source)})
    if len(value) <= item_bytes_max:
        return Item(value)
    detail = f"{len(value)} bytes, the collector takes {item_bytes_max}; SHA-256 {sha256(value).hexdigest()}"
    return Item(value[:ORIGINAL_BYTES_MAX], "too_large", detail)


def _source(said: Raw | None, system: str) -> Raw:
    """Where it comes from: the key says which system; what else a producer says of it stands."""
    known: Fields = {}
    if said is not None:
        try:
            known = _FIELDS(said)
        except msgspec.DecodeError:  # No object: intake would refuse the interaction for what is not its content.
            known = {}
    return Raw(_ENCODE({**known, "system": system}))
