"""A request's body, read as interactions.

The rule this module owns: an item keeps what it says. Put in are when it was received and by whose key it came; taken out is the key itself; the type is that
of the path if there is one; a batch's `sentAt` and `context` stand for items that have none of their own; what does not say when it was, was when it was
sent.
"""

import re
import zlib
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Raw

from connectors.collector.config import Config
from connectors.collector.problem import Problem
from schemas.dead_letter import ORIGINAL_BYTES_MAX
from schemas.interaction import OUTCOME_TOKEN_CHARACTERS_MAX, OUTCOMES

PATHS = {
    **{name: name for name in ("track", "identify", "page", "screen", "group", "alias")},
    "t": "track",
    "i": "identify",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
}
"""The last part of a path that takes one message, and its type."""
BATCH_PATHS = ("batch", "b", "import")
OUTCOME_PATH = "outcomes"
MOMENT_ID_CHARACTERS_MAX = 128
KEY_FIELDS = ("writeKey", "api_key")
"""Where a body may carry the write key; it goes no further."""
GZIP = b"\x1f\x8b"

RAW_BYTES_MAX = 256 * 1024
"""A larger item is not even read, only refused: what its many small pieces would take in memory is some forty times as much."""
PIECES_MAX = 1_000_000
"""Commas in a batch; for the same reason."""

Fields = dict[str, Raw]
_NULL = Raw(b"null")


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a body as a whole; all else in it is not even looked at."""

    batch: Raw = _NULL
    sent_at: Raw = msgspec.field(default=_NULL, name="sentAt")
    context: Raw = _NULL
    write_key: Raw = msgspec.field(default=_NULL, name="writeKey")
    api_key: Raw = _NULL


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a moment, as who was sent it tells; all else beside it is the interaction's."""

    moment_id: Annotated[str, Meta(min_length=1, max_length=MOMENT_ID_CHARACTERS_MAX)] = msgspec.field(name="momentId")
    kind: Literal["delivered", "opened", "acted", "converted"]
    token: Annotated[str, Meta(max_length=OUTCOME_TOKEN_CHARACTERS_MAX)] | None = None


_BODY = msgspec.json.Decoder(Body).decode
_TOLD = msgspec.json.Decoder(Told).decode
_FIELDS = msgspec.json.Decoder(Fields).decode
_ITEMS = msgspec.json.Decoder(list[Raw]).decode
_TEXT = msgspec.json.Decoder(str).decode
_ENCODE = msgspec.json.Encoder().encode
_HALF = re.compile(
    rb"((?:[^\\]++|\\[^u]|\\u(?:[0-9a-cA-CefEF]|[dD][0-7])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F])*+)(\\u[dD][89a-fA-F][0-9a-fA-F]{2})?",
    re.DOTALL,
)
"""What is well, up to the next escape that is half of a pair of surrogates, or to the end."""
HALVES_MAX = 10_000
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError)
"""What the decoder says of text that is no JSON, or no UTF-8."""


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


def read(body: bytes) -> tuple[bytes, Body]:
    """The body as a JSON object: its text, and what is read of it as a whole. Problem 400.

    Half a character (what a script leaves of an emoji that it cuts in two) is read as U+FFFD: else one such title would cost the client its batch.
    """
    try:
        try:
            return body, _BODY(body)
        except msgspec.DecodeError as wrong:
            mended = _HALF.sub(_whole, body, HALVES_MAX)
            if isinstance(wrong, msgspec.ValidationError) or mended == body:
                raise
            return mended, _BODY(mended)
    except msgspec.ValidationError:
        raise Problem(400, "not_an_object", "The body is JSON, but no object.") from None
    except (*_NO_JSON, RecursionError) as wrong:
        raise Problem(400, "not_json", f"The body is no JSON: {wrong}.") from None


def _whole(found: re.Match[bytes]) -> bytes:
    return found[1] if found[2] is None else found[1] + b"\\ufffd"


def write_key(said: Body) -> str | None:
    """The write key in a body; None if there is none."""
    for raw in (said.write_key, said.api_key):
        if bytes(raw).startswith(b'"'):
            try:
                return _TEXT(raw)
            except _NO_JSON:  # No key has half a character in it.
                return None
    return None


def single(body: bytes, kind: str, key: str, source: str, received_at: str, config: Config) -> list[Item]:
    """The one interaction of a path of that type; `key` is taken out of what is too large to be read."""
    return [_Writing(key, source, received_at, config, {"type": Raw(_ENCODE(kind))}, {}).item(Raw(body))]


def outcome(body: bytes, key: str, source: str, received_at: str, config: Config) -> list[Item]:
    """The one interaction that tells what became of a moment; told twice it has one id, unless it has its own. Problem 400 or 413."""
    if len(body) > RAW_BYTES_MAX:
        raise Problem(413, "body_too_large", f"What is told of a moment is larger than {RAW_BYTES_MAX} bytes.")
    try:
        told = _TOLD(body)
        fields = _FIELDS(body)
    except (*_NO_JSON, RecursionError) as wrong:
        raise Problem(400, "no_outcome", f"The body says not what became of which moment: {wrong}.") from None
    for name in Told.__struct_encode_fields__:
        fields.pop(name, None)
    if fields.get("messageId", _NULL) == _NULL:
        fields["messageId"] = Raw(_ENCODE(f"{told.moment_id}-{told.kind}"))
    typed = {"type": Raw(b'"track"'), "event": Raw(_ENCODE(OUTCOMES[told.kind])), "outcome": Raw(_ENCODE(told))}
    return [_Writing(key, source, received_at, config, typed, {}).item(Raw(_ENCODE(fields)))]


def batch(said: Body, key: str, source: str, received_at: str, config: Config) -> list[Item]:
    """The interactions of a batch, as many as its list has. Problem 400 or 413."""
    if len(said.batch) > PIECES_MAX and bytes(said.batch).count(b",") > PIECES_MAX:
        raise Problem(413, "batch_too_long", f"The batch has more than {PIECES_MAX} commas.")
    try:
        found = _ITEMS(said.batch)
    except msgspec.ValidationError:
        raise Problem(400, "no_batch", "The body has no list `batch`.") from None
    if len(found) > config.items_max:
        raise Problem(413, "batch_too_long", f"The batch has {len(found)} items; at most {config.items_max} are taken at once.")
    shared: Fields = {name: raw for name, raw in (("sentAt", said.sent_at), ("context", said.context)) if raw != _NULL}
    writing, size, items = _Writing(key, source, received_at, config, {}, shared), 0, []
    for raw in found:
        item = writing.item(raw)
        size += len(item.value)
        if size > config.taken_bytes_max:
            raise Problem(
                413, "body_too_large", f"With the context that its items share the batch has more than {config.taken_bytes_max} bytes."
            )
        items.append(item)
    return items


class _Writing:
    """What is the same for all items of a request."""

    def __init__(self, key: str, source: str, received_at: str, config: Config, typed: Fields, shared: Fields) -> None:
        self._key, self._source, self._bytes_max = key.encode(), source, config.item_bytes_max
        self._shared = shared
        self._added: Fields = {"receivedAt": Raw(_ENCODE(received_at)), **typed}
        self._system = Raw(_ENCODE({"system": source}))

    def item(self, raw: Raw) -> Item:
        if len(raw) > RAW_BYTES_MAX:
            return self._refused(bytes(raw).replace(self._key, b""), len(raw))
        try:
            return self._written(_FIELDS(raw))
        except msgspec.ValidationError:
            return Item(bytes(raw)[:ORIGINAL_BYTES_MAX], "not_an_object", "an item of a batch")
        except _NO_JSON as wrong:  # A name in it is no UTF-8.
            return Item(bytes(raw)[:ORIGINAL_BYTES_MAX], "not_json", str(wrong))
        except RecursionError:  # Just deep enough to be passed over, not to be read.
            return Item(bytes(raw)[:ORIGINAL_BYTES_MAX], "too_deep")

    def _written(self, said: Fields) -> Item:
        for name, raw in self._shared.items():
            if said.get(name, _NULL) == _NULL:
                said[name] = raw
        for name in KEY_FIELDS:
            said.pop(name, None)
        if said.get("timestamp", _NULL) == _NULL and said.get("originalTimestamp", _NULL) == _NULL:
            sent_at = said.get("sentAt", _NULL)  # By the sender's own clock, so that it is put right as another time of the sender's is.
            said["timestamp"] = self._added["receivedAt"] if sent_at == _NULL else sent_at
        said.update(self._added)
        said["source"] = self._sourced(said["source"]) if "source" in said else self._system
        value = _ENCODE(said)
        return Item(value) if len(value) <= self._bytes_max else self._refused(value, len(value))

    def _refused(self, value: bytes, size: int) -> Item:
        detail = f"{size} bytes, the collector takes {self._bytes_max}; SHA-256 {sha256(value).hexdigest()}"
        return Item(value[:ORIGINAL_BYTES_MAX], "too_large", detail)

    def _sourced(self, said: Raw) -> Raw:
        """Where it comes from: the key says which system; what else a producer says of it stands."""
        try:
            return Raw(_ENCODE({**_FIELDS(said), "system": self._source}))
        except _NO_JSON:  # No object: intake would refuse the interaction for what is not its content.
            return self._system
