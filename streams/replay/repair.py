"""How refused records are mended: a small mapping by reason, of fields that are renamed, replaced or dropped.

The rule this module owns: a mapping changes what it names and nothing else, numbers to the digit; what it finds nothing to change in is left as it is.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from schemas import topics
from schemas.dead_letter import REASONS, DeadLetter
from streams import instants
from streams.replay.reading import Message

Place = tuple[int, int]
"""Partition and offset on the interactions topic."""
Scalar = str | int | float | bool | None
BYTES_MAX = 256 * 1024 * 1024
"""So much of mended records is held in memory; beyond, fewer reasons at a time."""


class Repair(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do to a record, in this order; a field is named by its path, as `properties.currency`."""

    rename: dict[str, str] = {}
    replace: dict[str, Scalar] = {}
    drop: tuple[str, ...] = ()


Repairs = Mapping[str, Repair]
"""By the reason of the dead letter."""


class WrongMapping(ValueError):
    """A file is no mapping; the text says where."""


class TooMuch(Exception):
    """More would be mended than is held in memory."""


class Mended(NamedTuple):
    """A record that was refused, mended: its key, and when the broker took it where it lay first."""

    key: bytes | None
    value: bytes
    timestamp_ms: int


class Letters(NamedTuple):
    """What became of the dead letters of interactions: the mended by place, how many of each reason, and those left by why."""

    mended: Mapping[Place, Mended]
    repaired: Mapping[str, int]
    left: Mapping[str, int]


NONE = Letters({}, {}, {})


def read(path: Path) -> Repairs:
    """A mapping from a file, TOML or JSON: a table by reason with `rename`, `replace`, `drop`. WrongMapping where it is none."""
    text = path.read_bytes()
    try:
        said = tomllib.loads(text.decode()) if path.suffix == ".toml" else msgspec.json.decode(text)
        found = msgspec.convert(said, dict[str, Repair])
    except (ValueError, msgspec.MsgspecError) as wrong:
        raise WrongMapping(f"{path}: {wrong}") from None
    unknown = sorted(found.keys() - REASONS.keys())
    if unknown:
        raise WrongMapping(f"{path}: no record is refused as {', '.join(unknown)}; the reasons are in docs/reasons.md")
    if not found:
        raise WrongMapping(f"{path}: it names no reason")
    return found


def mend(messages: Iterable[Message], repairs: Repairs) -> Letters:
    """Mend what dead letters hold of interactions. What is left is counted by why: its reason is not in the mapping, it was cut short, or
    the mapping finds nothing to change in it."""
    mended: dict[Place, Mended] = {}
    repaired: Counter[str] = Counter()
    left: Counter[str] = Counter()
    held = 0
    for message in messages:
        letter = msgspec.json.decode(message.value or b"", type=DeadLetter)
        if letter.topic != topics.INTERACTIONS or (letter.partition, letter.offset) in mended:
            continue
        found = _mended(letter, repairs)
        if isinstance(found, str):
            left[found] += 1
            continue
        held += len(found.value)
        if held > BYTES_MAX:
            raise TooMuch(
                f"more than {BYTES_MAX >> 20} MiB of records would be mended at once: let the mapping name fewer reasons at a time"
            )
        mended[letter.partition, letter.offset] = found
        repaired[letter.reason] += 1
    return Letters(mended, repaired, left)


def apply(value: bytes, repair: Repair) -> bytes | None:
    """A record's value, mended; None where it is no JSON object, or nothing in it is to be changed."""
    try:
        said = _DECODE(value)
        if not isinstance(said, dict):
            return None
        changed = [_rename(said, old, new) for old, new in repair.rename.items()]
        changed += [_put(said, path, replacement) for path, replacement in repair.replace.items()]
        changed += [_drop(said, path) for path in repair.drop]
        return _ENCODE(said) if any(changed) else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        return None


def _mended(letter: DeadLetter, repairs: Repairs) -> Mended | str:
    repair = repairs.get(letter.reason)
    if repair is None:
        return "not_in_the_mapping"
    if letter.original_size != len(letter.original):
        return "cut_short"
    value = apply(letter.original, repair)
    if value is None:
        return "nothing_to_change"
    received = instants.parse(letter.received_at) or 0
    return Mended(letter.original_key, value, received // 1000)


_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode
_MISSING = object()


def _object(said: dict[str, Any], path: list[str], make: bool) -> dict[str, Any] | None:
    """The object that holds the last name of a path; None where there is none, or where it is something else."""
    for name in path:
        if name not in said and make:
            said[name] = {}
        inner = said.get(name)
        if not isinstance(inner, dict):
            return None
        said = inner
    return said


def _rename(said: dict[str, Any], old: str, new: str) -> bool:
    *path, name = old.split(".")
    holder = _object(said, path, make=False)
    value = _MISSING if holder is None else holder.pop(name, _MISSING)
    return value is not _MISSING and _put(said, new, value)


def _put(said: dict[str, Any], where: str, value: object) -> bool:
    *path, name = where.split(".")
    holder = _object(said, path, make=True)
    if holder is None or (name in holder and type(holder[name]) is type(value) and holder[name] == value):
        return False
    holder[name] = value
    return True


def _drop(said: dict[str, Any], where: str) -> bool:
    *path, name = where.split(".")
    holder = _object(said, path, make=False)
    return holder is not None and holder.pop(name, _MISSING) is not _MISSING
