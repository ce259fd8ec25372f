"""A record's bytes, read as an interaction.

The rule this module owns: what is let through here, nobody downstream fails to read. So all of it is UTF-8, no deeper than JSON_DEPTH_MAX,
and every number in properties, traits and context is one that can be computed with.
"""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from math import inf
from typing import Any

import msgspec

from schemas import money
from schemas.interaction import JSON_DEPTH_MAX, NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX, RECORD_BYTES_MAX, Interaction
from streams.intake.refusal import Refusal


class Envelope(Interaction, kw_only=True, rename="camel", gc=False):
    """An interaction whose free-form parts are read to the last number; one with a point is only checked, and reads as 0: NO_AMOUNT if too long for money."""

    context: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None


class _BadNumber(ArithmeticError):
    """A number beyond what may be sent; the message says why."""


NO_AMOUNT = inf
"""What a number with a point or an exponent reads as that may be sent, but has too many digits for an amount of money."""

_PLAIN_LITERAL_CHARACTERS_MAX = 24
_LARGEST = 10**NUMBER_DIGITS_MAX


def bounded(value: bytes | None) -> bytes | Refusal:
    """A value of a size and depth that may be read at all."""
    if not value:
        return Refusal("empty", "the record has no value")
    if len(value) > RECORD_BYTES_MAX:
        return Refusal("too_large", f"{len(value)} bytes")
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as wrong:
            return Refusal("not_utf8", f"byte {wrong.start}: {wrong.reason}")
    if value.count(b"{") + value.count(b"[") > JSON_DEPTH_MAX and _is_too_deep(value):
        return Refusal("too_deep", f"more than {JSON_DEPTH_MAX} levels")
    return value


def read(value: bytes) -> Envelope | Refusal:
    """A bounded value as an interaction."""
    try:
        envelope = _DECODE(value)
    except _BadNumber as wrong:
        return Refusal("bad_number", str(wrong))
    except msgspec.ValidationError as wrong:
        return _invalid(str(wrong))
    except msgspec.DecodeError as wrong:
        return undecodable(value, wrong)
    if _HUGE in value[::_STRIDE].translate(_AS_ONE_DIGIT) and _has_huge_integer((envelope.properties, envelope.traits, envelope.context)):
        return Refusal("bad_number", f"a whole number of more than {NUMBER_DIGITS_MAX} digits")
    return envelope


def undecodable(value: bytes, wrong: msgspec.DecodeError) -> Refusal:
    """Why a bounded value cannot be decoded: it is no JSON, or nothing is wrong with it but an escape that stands for half of a character."""
    mended = _SURROGATES.sub(_whole, value)
    if mended != value:
        try:
            msgspec.json.decode(mended)
        except msgspec.ValidationError:
            pass  # JSON, but for a number that is too large.
        except msgspec.DecodeError:
            return Refusal("not_json", str(wrong))
        return Refusal("not_utf8", "an escaped surrogate without its other half")
    return Refusal("not_json", str(wrong))


def _whole(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found["half"] else found[0]


def _number(literal: str) -> float:
    """Check a number with a point or an exponent from its literal. What is short and plain has fewer digits than an amount may have."""
    if len(literal) > _PLAIN_LITERAL_CHARACTERS_MAX or "e" in literal or "E" in literal:
        try:
            number = Decimal(literal)
        except InvalidOperation:
            raise _BadNumber("an exponent beyond all bounds") from None
        if len(number.as_tuple().digits) > NUMBER_DIGITS_MAX:
            raise _BadNumber(f"a number of more than {NUMBER_DIGITS_MAX} digits")
        if not -NUMBER_EXPONENT_MAX <= number.adjusted() <= NUMBER_EXPONENT_MAX:
            raise _BadNumber(f"a number of the order of 1e{number.adjusted()}")
        return 0.0 if money.parse(number) is not None else NO_AMOUNT
    return 0.0


_DECODE = msgspec.json.Decoder(Envelope, float_hook=_number).decode
_AS_ONE_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_STRIDE = 5
_HUGE = b"0" * ((NUMBER_DIGITS_MAX + 1) // _STRIDE)
"""So many digits in a row are among every fifth byte of a number that is too long, wherever it begins; what else has them is looked at."""


def _has_huge_integer(nodes: Iterable[object]) -> bool:
    for node in nodes:
        if isinstance(node, int):
            if not -_LARGEST < node < _LARGEST:
                return True
        elif isinstance(node, dict):
            if _has_huge_integer(node.values()):
                return True
        elif isinstance(node, list) and _has_huge_integer(node):
            return True
    return False


_OTHERS = bytes(set(range(256)) - set(b'"{}[]'))
_STRING = re.compile(rb'"[^"]*"')
_INNERMOST = re.compile(rb"\{\}|\[\]")
_LEVELS_TAKEN = 4
_STEP = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


def _is_too_deep(value: bytes) -> bool:
    """Whether objects and lists are nested too deep; found without recursion, for the decoder's bound depends on the stack it is called on."""
    marks = value.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHERS)
    brackets = _STRING.sub(b"", marks)
    # Most values are wide, not deep: a few levels taken off from within leave little to count.
    for _ in range(_LEVELS_TAKEN):
        brackets = _INNERMOST.sub(b"", brackets)
    return any(depth > JSON_DEPTH_MAX - _LEVELS_TAKEN for depth in accumulate(map(_STEP.__getitem__, brackets)))


_SURROGATES = re.compile(rb"\\\\|\\u(?i:d[89ab][0-9a-f]{2})\\u(?i:d[c-f][0-9a-f]{2})|(?P<half>\\u(?i:d[89a-f][0-9a-f]{2}))")
"""An escaped backslash, the two halves of a character, or one half alone."""

_REFUSALS = (
    ("Invalid decimal string", "bad_amount"),
    ("Integer value out of range", "bad_number"),
    ("Number out of range", "bad_number"),
)
"""How msgspec begins what it says of a value that has the right type."""
_FIELDS = {
    "$.timestamp": "bad_timestamp",
    "$.originalTimestamp": "bad_timestamp",
    "$.sentAt": "bad_timestamp",
    "$.receivedAt": "bad_timestamp",
    "$.value.amount": "bad_amount",
    "$.cost.amount": "bad_amount",
}
"""The fields whose wrong type has a reason of its own."""
_PLACE = re.compile(r"(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)


_ENUM = "Invalid enum value "
"""How msgspec begins where it goes on with what was sent, which may be anybody's address."""


def _invalid(said: str) -> Refusal:
    if said.startswith(_ENUM):
        return Refusal("wrong_type", f"none of the values that there are - at {said.rpartition(' - at ')[2]}")
    place = _PLACE.fullmatch(said)
    assert place is not None  # every part of the pattern may be empty
    if place["path"] is None and place["message"].startswith("Expected `object`"):
        return Refusal("not_an_object", said)
    for beginning, reason in _REFUSALS:
        if said.startswith(beginning):
            return Refusal(reason, said)
    return Refusal(_FIELDS.get(place["path"], "wrong_type"), said)
