"""Every kind of row and its key.

Keys are keyed BLAKE2b hashes: no personal data is ever in one. A node's key begins with the rank of its type, so that keys compare as
identifiers rank: `rank(a) < rank(b)` is `a < b`, the least identifier of a set is `min(keys)`. Each row carries a format version; a reader
refuses a version that it does not know.
"""

from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from schemas import money
from schemas.interaction import NAME_CHARACTERS_MAX
from streams.boundary import Kind

NODE_KEY_BYTES = 16
"""One byte of rank (the type's place in the policy), 15 of keyed BLAKE2b."""

MARK_CHARACTERS = 8
"""Of an anchor in an interaction's name; more than the digits of the length of a source's name."""
_MARK_END = 1 + MARK_CHARACTERS // 2

NodeKey = bytes
"""The key of an identifier: a node of the forest, a fragment (the interactions anchored there), or a person (its canonical identifier)."""


class Touch(Struct, array_like=True, frozen=True, gc=False):
    """An interaction after intake: normalised, anchored, as a timeline keeps it. `payload` is the producer's own JSON, with all it sent.

    `anchor` tells from one another the interactions to which a source gave one id, and which are about different people: `mark` of its anchor.
    """

    id: str
    source: str
    occurred_at: int
    received_at: int
    type: str
    event: str
    channel: str
    touchpoint: str
    identifiers: tuple[tuple[str, str], ...]
    payload: bytes
    party: str = "first"
    owner: str = ""
    id_derived: bool = False
    replayed: bool = False
    account: str | None = None
    case_id: str | None = None
    conversation_id: str | None = None
    topic: str | None = None
    language: str | None = None
    timezone: str | None = None
    direction: str | None = None
    department: str | None = None
    duration_seconds: float | None = None
    amount: str | None = None
    currency: str | None = None
    trace_parent: str | None = None
    format: int = 1
    anchor: str = ""

    @property
    def order(self) -> tuple[int, bytes, bytes]:
        """Where it stands in a timeline: by occurred_at, then by id and source as UTF-8 bytes."""
        return (self.occurred_at, self.id.encode(), self.source.encode())

    @property
    def name(self) -> str:
        """What tells it from every other interaction: an id is unique within a source and an anchor only. `id_of` gives the id back."""
        return f"{self.anchor}{len(self.source)}:{self.source}{self.id}"


def mark(anchor: NodeKey) -> str:
    """What a touch keeps of its anchor: a few characters of its keyed hash."""
    return anchor[1:_MARK_END].hex()


def id_of(name: str) -> str:
    """The message id in an interaction's name."""
    head, _, rest = name.partition(":")
    return rest[int(head[MARK_CHARACTERS:] or head) :]


class _Payload(Struct, gc=False):
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    consent: list[dict[str, Any]] | None = None
    outcome: dict[str, Any] | None = None
    text: str | None = None


_PAYLOAD = msgspec.json.Decoder(_Payload, float_hook=Decimal)
_TOUCH_ENCODE = msgspec.msgpack.Encoder().encode
_TOUCH_DECODE = msgspec.msgpack.Decoder(Touch).decode


@lru_cache(maxsize=4096)
def payload(touch_payload: bytes) -> _Payload:
    """What the producer sent beyond the envelope; every number with a point is a Decimal read from its literal. Not to be changed in place."""
    return _PAYLOAD.decode(touch_payload)


def worth(touch: Touch) -> tuple[Decimal | None, str]:
    """What an interaction is worth (None: it does not say), and in which currency (empty: it does not say): an amount has the currency that was said
    with it. The property `revenue` comes first, with the property `currency`, or where that is missing with that of a `value` of the same amount."""
    properties = payload(touch.payload).properties or {}
    revenue, said = money.parse(properties.get("revenue")), properties.get("currency")
    currency = said.upper() if isinstance(said, str) and len(said) <= NAME_CHARACTERS_MAX else ""
    if touch.amount is None:
        return revenue, currency
    value = money.parse(touch.amount)
    if revenue is None:
        return value, touch.currency or ""
    if not currency and value is not None and value.copy_abs() == revenue.copy_abs():
        currency = touch.currency or ""
    return revenue, currency


def encode_touch(touch: Touch) -> bytes:
    """Write a touch: equal touches give equal bytes."""
    return _TOUCH_ENCODE(touch)


def decode_touch(row: bytes) -> Touch:
    """Read a touch from a timeline row or a message."""
    return _TOUCH_DECODE(row)


class _Named(Struct, array_like=True, frozen=True, gc=False):
    id: str


_NAMED = msgspec.msgpack.Decoder(_Named).decode


def touch_id(row: bytes) -> str:
    """The message id of an encoded touch, without reading the rest."""
    return _NAMED(row).id


class Person(Struct, array_like=True, frozen=True):
    """A subset of a component that `resolve` holds to be one: the canonical key, all member keys, and those that anchor a fragment; each sorted."""

    canonical: NodeKey
    members: tuple[NodeKey, ...]
    fragments: tuple[NodeKey, ...]


class Written(bytes):
    """A row's bytes, with room for what its reader made of them, so that a row in the engine's cache is read once."""

    opened: object = None


def _raw(name: str, tag: bytes, cached: bool = True) -> Kind[bytes]:
    return Kind(name, tag, bytes, bytes, cached)


TIMELINE = _raw("timeline", b"t", cached=False)
"""Key: fragment (16) + interaction uid (16); value: a touch as encode_touch wrote it. Read by fragment, then sorted."""
FOLD: Kind[bytes] = Kind("fold", b"f", bytes, Written)
"""Key: b"p" + canonical key (16) for a person; value: customer/state.py's FoldRow. Once per batch that touches the subject."""
CHECKPOINT = _raw("checkpoint", b"k", cached=False)
"""Key: subject (17) + the instant up to which it is folded (8, big-endian); value: customer/refold.py's Checkpoint."""
CHECKPOINT_EVERY = 64
"""A timeline has a checkpoint about every so many interactions, a shorter one has none."""
AGED = _raw("aged", b"a", cached=False)
"""Key: fragment (16); value: customer/aged.py's totals of the interactions that its timeline holds no more."""
BASE = _raw("base", b"b", cached=False)
"""Key: subject (17); value: customer/horizon.py's Base, the state on which what the timeline holds is folded. Only of who has older totals."""
DUE = _raw("due", b"d")
"""Key: deadline (8, big-endian) + subject (17); value: the root of its component, which lies in this partition.

An entry whose fold row says otherwise is stale and is deleted when met. Redirects and erasures end by entries of the same form."""
TIME = _raw("time", b"w")
"""Partition time; value: 8 bytes big-endian. Key: b"" for the partition's own, b"b" for what it was before deadlines began to fall due that still
do, 4 bytes big-endian for what intake partition i has said."""
CENSUS = _raw("census", b"z")
"""Key: b""; value: customer/census.py's Census, what can be said of all customers of the partition together."""

PERSON_SUBJECT = b"p"
REDIRECT = b"r"
"""In place of a subject's kind in a due entry: when the redirect of a customer who was merged ends."""
ERASURE = b"e"
"""In place of a subject's kind in a due entry: when that an identifier was erased need be remembered no longer."""


def uid(secret: bytes, source: str, message_id: str) -> bytes:
    """The key of an interaction within a fragment (16 bytes): equal ids of one source are one interaction."""
    digest = _keyed(secret).copy()
    digest.update(f"{source}\0{message_id}".encode())
    return digest.digest()


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> blake2b:
    return blake2b(digest_size=16, key=secret)


def end_of(prefix: bytes) -> bytes:
    """The least key that is greater than every key with this prefix."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * (len(prefix) + 1)
