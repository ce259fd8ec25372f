"""A record that was moved to the end of its partition, so that what lay before it could be deleted there: the header that says so.

The rule this module owns: whoever had read a record where it lay passes over its copy; to everybody else the copy is the record, as it was there.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

HEADER = "kairos-rewritten"


class Rewritten(Struct, array_like=True, frozen=True):
    """Where a record lay first, when the broker took it there (milliseconds), the consumer groups that had read it before it was moved, and the offset of
    the partition before which all was moved then."""

    partition: int
    offset: int
    timestamp_ms: int
    groups: tuple[str, ...] = ()
    before: int = 0


_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(Rewritten).decode


def header(moved: Rewritten) -> tuple[str, bytes]:
    """The header of a copy."""
    return HEADER, _ENCODE(moved)


def of(headers: Iterable[tuple[str, bytes]] | Mapping[str, bytes]) -> Rewritten | None:
    """What the headers of a record say of where it lay first; None of one that lies where it was appended, or says nothing that can be read."""
    if isinstance(headers, Mapping):
        said = headers.get(HEADER)
    else:
        said = next((value for name, value in headers if name == HEADER), None)
    if said is None:
        return None
    try:
        return _DECODE(said)
    except msgspec.DecodeError:
        return None
