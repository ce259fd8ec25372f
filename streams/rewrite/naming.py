"""Whom bytes name that are no interaction: a refused record's, an operator's words.

The rule this module owns: an identifier is found by the field that holds it, or by its looks where that is an address or a number to call; only in
what is no JSON any word may be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from streams.identity.identifiers import Identifier, Normaliser
from streams.intake import fields
from streams.rows import NodeKey

WORD_CHARACTERS_MIN = 4
"""A shorter word might be anything, and anybody's."""

_MAIL = re.compile(r"""[^\s"'<>,;:()\[\]{}|\\=]+@[^\s"'<>,;:()\[\]{}|\\=]+""")
_CALL = re.compile(r"\+\d[\d ()./-]{5,20}\d")
_WORD = re.compile(r"""[^\s"'<>,;:()\[\]{}|\\=]+""")
_SHAPES = (("email", "@", _MAIL), ("phone", "+", _CALL))
_NAMES: Mapping[str, str] = {
    **fields.TRAITS,
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "previousId": "anonymous_id",
    "caseId": "case_id",
    "sessionId": "session_id",
    "advertisingId": "device_id",
}
_DEVICE = "device"


def keys_in(value: bytes, reader: Normaliser) -> set[NodeKey]:
    """The keys of all identifiers that are found."""
    try:
        said = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set(_in_words(value.decode(errors="replace"), reader))
    return set(_in_json(said, reader))


def keys_in_text(text: str, reader: Normaliser) -> Iterator[NodeKey]:
    """The keys of what looks like an identifier."""
    for kind, sign, shape in _SHAPES:
        if sign in text:
            for found in shape.findall(text):
                yield from _key(kind, found.rstrip("."), reader)


def _in_json(said: object, reader: Normaliser) -> Iterator[NodeKey]:
    waiting: list[tuple[str, object]] = [("", said)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("type"), str) and isinstance(value.get("value"), str | int):
                waiting.append((value["type"], value["value"]))
            waiting += [(_DEVICE + "_id" if (name, inner) == (_DEVICE, "id") else str(inner), held) for inner, held in value.items()]
        elif isinstance(value, list):
            waiting += [(name, each) for each in value]
        elif isinstance(value, str | int) and not isinstance(value, bool):
            if name in _NAMES or name in reader.types:
                yield from _key(_NAMES.get(name, name), str(value), reader)
            yield from keys_in_text(str(value), reader)


def _in_words(text: str, reader: Normaliser) -> Iterator[NodeKey]:
    yield from keys_in_text(text, reader)
    for word in _WORD.findall(text):
        if len(word) >= WORD_CHARACTERS_MIN:
            for kind in reader.types:
                yield from _key(kind, word, reader)


def _key(kind: str, value: str, reader: Normaliser) -> Iterator[NodeKey]:
    found = reader.normalise(kind, value)
    if isinstance(found, Identifier):
        yield found.key
