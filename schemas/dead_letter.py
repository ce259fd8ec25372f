"""A dead letter: a record that was refused, why, and its original bytes (topic journey.interactions.dead.v1)."""

from hashlib import sha256

from msgspec import Struct

from schemas.output import Timestamp

ORIGINAL_BYTES_MAX = 64 * 1024
"""Of a larger original the first bytes are kept, with its size and SHA-256."""
DETAIL_CHARACTERS_MAX = 512

REASONS = {
    "too_large": "The record is larger than 256 KiB.",
    "empty": "The record has no value.",
    "not_utf8": "The value is not UTF-8 text, or escapes half of a character (a lone surrogate), which no text can hold.",
    "not_json": "The value is not JSON.",
    "too_deep": "The JSON is nested too deep to be read.",
    "not_an_object": "The value is JSON, but not an object.",
    "wrong_type": "A field has another type than the contract says.",
    "bad_number": "A number has over 64 digits, or lies beyond ten to the power of plus or minus 400.",
    "no_identifier": "No identifier is left after normalising: nothing says whose interaction this is.",
    "too_many_identifiers": "More than 64 identifiers in one interaction.",
    "no_event": "A track interaction without an event's name.",
    "bad_timestamp": "A timestamp is missing or cannot be read as an instant.",
    "too_far_ahead": "It occurred more than 24 hours after it was received.",
    "too_old": "It occurred before the year 2000.",
    "bad_message_id": "The message id is empty, over 512 characters, or holds a NUL.",
    "bad_amount": "An amount of money is not a finite decimal of at most 30 digits, or its currency not a code of three letters.",
    "too_late": "It is older than what a timeline holds.",
    "not_an_interaction": "The source's reader says that this is no customer's interaction.",
    "unreadable": "The source's reader could not read the line.",
    "bad_command": "A command names another number of identifiers than its kind takes, or twice the same.",
    "bad_outcome": "An outcome names nobody but by a token, and that is none of its moment's, or its event none of an outcome.",
    "bad_identifier": "A command names an identifier of a type that the identity policy does not know, or a value that is none.",
    "poison": "The record failed in Kairos itself every time; the detail names the error.",
}
"""Every reason a record can be refused for; docs/reasons.md is made from this."""


class DeadLetter(Struct, kw_only=True, rename="camel"):
    """Why a record was refused, where it lay, and what it held (base64 of at most 64 KiB)."""

    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    original_key: bytes | None
    original: bytes
    original_size: int
    original_sha256: str
    received_at: Timestamp


def letter(
    reason: str, detail: str, topic: str, partition: int, offset: int, key: bytes | None, original: bytes, received_at: Timestamp
) -> DeadLetter:
    """The dead letter of a record that lay there, with as much of its key, its bytes and the detail as a letter holds."""
    return DeadLetter(
        reason=reason,
        detail=detail[:DETAIL_CHARACTERS_MAX],
        topic=topic,
        partition=partition,
        offset=offset,
        original_key=key if key is None else key[:ORIGINAL_BYTES_MAX],
        original=original[:ORIGINAL_BYTES_MAX],
        original_size=len(original),
        original_sha256=sha256(original).hexdigest(),
        received_at=received_at,
    )
