"""One line is one interaction. The rule this module owns: a line that is JSON passes as it stands, byte for byte; what it says is intake's to judge."""

import json
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from connectors.runtime.instants import since_epoch
from connectors.runtime.sources import Ready, Refused

_SEED = ("user_id", "crm_id", "email", "loyalty_id", "phone", "device_id", "anonymous_id", "case_id", "session_id")
"""The identifier that names an interaction's place among the partitions: the first of these that it carries."""
_NUMBER_UNITS = ((100_000_000_000_000, 1), (100_000_000_000, 1_000))
"""A timestamp in numbers is read by its size: microseconds, milliseconds, else seconds."""
_NUMERIC_LENGTHS = (10, 13, 16)
"""A text of so many digits is such a number."""
_EARLIEST = 946_684_800_000_000
"""2000-01-01T00:00:00Z: what is older is refused as `too_old`, so it does not keep time from moving on."""


class _Glance(Struct, rename="camel"):
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    identifiers: dict[str, list[str | int] | str | int | None] | None = None
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None


class _When(Struct, rename="camel"):
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None


_WHEN = msgspec.json.Decoder(_When)
_GLANCE = msgspec.json.Decoder(_Glance)


def interaction(line: bytes) -> Ready | Refused:
    """Map a line without its end; refused as `unreadable` where it is no JSON in UTF-8, with where it ceases to be."""
    try:
        line.decode()  # What is not looked at is not decoded below.
        glance = _GLANCE.decode(line)
    except UnicodeDecodeError as wrong:
        return Refused("unreadable", line, f"no UTF-8 from byte {wrong.start:,} on")
    except (msgspec.DecodeError, RecursionError):
        found = _fault(line)
        return Ready(line, None, None) if found is None else Refused("unreadable", line, f"no JSON: {found}")
    return Ready(line, _identifier(glance), _instant(glance))


def occurred_at(line: bytes) -> int | None:
    """When a line says that it occurred (microseconds UTC); None where it says no instant, or one at which nothing is taken in."""
    try:
        said = _instant(_WHEN.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if said is None or said < _EARLIEST else said


def _fault(line: bytes) -> str | None:
    """Why the text is no JSON, and from which character on, in words that repeat nothing of it; None where it is, however wrong its types and large
    its numbers."""
    try:
        json.loads(line.decode(), parse_int=str, parse_float=str, parse_constant=_no_constant)
    except RecursionError:
        return None  # Nested deeper than it can be read: JSON as far as it was seen.
    except json.JSONDecodeError as wrong:
        what = next((known for known in _FAULTS if wrong.msg.startswith(known)), _FAULTS[0])
        return f"{what} at character {wrong.pos:,}"
    except _NoConstant as wrong:
        return f"{wrong} is no value of JSON"
    return None


class _NoConstant(ValueError):
    """NaN, Infinity or -Infinity."""


_FAULTS = ("Expecting value", "Expecting ',' delimiter", "Expecting ':' delimiter", "Expecting property name", "Extra data", "Invalid control character",
           "Invalid \\escape", "Invalid \\uXXXX escape", "Unterminated string", "Illegal trailing comma", "Unexpected UTF-8 BOM")  # fmt: skip
"""What Python's JSON finds; what it says beyond these words may come out of the line."""


def _no_constant(name: str) -> None:
    raise _NoConstant(name)


def _identifier(glance: _Glance) -> str | None:
    said: dict[str, object] = {"user_id": glance.user_id, "anonymous_id": glance.anonymous_id}
    said |= {name: value for name, value in (glance.identifiers or {}).items() if value not in (None, [], "")}
    name = next((name for name in _SEED if said.get(name) not in (None, "")), None) or next(
        (name for name in said if said[name] not in (None, "")), None
    )
    if name is None:
        return None
    value = said[name]
    return f"{name}:{value[0] if isinstance(value, list) else value}"


def _instant(said: _Glance | _When) -> int | None:
    """Microseconds UTC; None where the timestamp is missing or no instant."""
    timestamp = said.original_timestamp if said.timestamp is None else said.timestamp
    if timestamp is None:
        return None
    try:
        if isinstance(timestamp, str):
            if len(timestamp) not in _NUMERIC_LENGTHS or not timestamp.isdecimal():
                moment = datetime.fromisoformat(timestamp)
                return since_epoch(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
            timestamp = int(timestamp)
        unit = next((unit for least, unit in _NUMBER_UNITS if abs(timestamp) >= least), 1_000_000)
        return int(timestamp * unit)
    except (ValueError, OverflowError):
        return None
