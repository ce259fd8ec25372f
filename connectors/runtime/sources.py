"""The shape of a source that ends: a file. Its rule: `read` does the I/O and never stops at a bad item, `map` is pure.

A source that goes on for ever settles what Kafka has acknowledged; a file needs no settling, for it can be read again from its beginning.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from schemas.interaction import DETAIL_HEADER, REFUSED_HEADER

Item = TypeVar("Item")


class Ready(NamedTuple):
    """An interaction as the topic's value has it; its first identifier (`type:value`), None if unknown; when it occurred (microseconds UTC), None if unsaid."""

    value: bytes
    identifier: str | None
    occurred_at: int | None


class Refused(NamedTuple):
    """What the source holds, but is no interaction: a reason of schemas/dead_letter.py, the original bytes, what exactly was found (nothing personal)."""

    reason: str
    original: bytes
    detail: str = ""

    def headers(self) -> list[tuple[str, bytes]]:
        """What says so on the topic, where the original is the record's value."""
        said = [(REFUSED_HEADER, self.reason.encode())]
        return [*said, (DETAIL_HEADER, self.detail.encode())] if self.detail else said


class Reader(Protocol[Item]):
    """A named kind of file: `read` gives its items in the file's order, `map` says what each one is."""

    name: str

    def read(self, path: Path) -> Iterator[Item]: ...
    def map(self, item: Item) -> Sequence[Ready | Refused]: ...
    def times(self, path: Path) -> Iterator[int | None]:
        """For each item that `read` gives, in the same order: an instant that is not after any of its interactions (microseconds UTC), None if unknown."""


def mapped(reader: Reader[Item], path: Path) -> Iterator[Ready | Refused]:
    """All that a file holds, in its order."""
    for item in reader.read(path):
        yield from reader.map(item)
