"""Which records of one partition are done with, and what of it is written beside the committed offset.

The rule this module owns: the committed offset never passes a record that is not done. Records beyond it that are done, and how often others were
tried, are noted in the commit's metadata, so that who takes the partition over, also after kill -9, goes on where this one was.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

NOTE_CHARACTERS_MAX = 4000
"""Kafka keeps at most 4,096 bytes of metadata with an offset, unless told otherwise (`offset.metadata.max.bytes`)."""


class Tried(NamedTuple):
    """How often a request was tried in vain, and when first (seconds since 1970)."""

    attempts: int
    since: float


class Note(Struct, array_like=True, omit_defaults=True, frozen=True):
    """What stands beside a committed offset: up to where was read, the gaps between the records below that are not done (the first from the offset
    itself), and of these, by their place in that list, what was tried."""

    read_to: int = 0
    gaps: tuple[int, ...] = ()
    tried: Mapping[int, tuple[int, int]] = {}


class Ledger:
    """One partition from a committed offset on."""

    def __init__(self, offset: int, note: str = "") -> None:
        self._next = offset
        self._open: dict[int, None] = {}
        self._resumed, self._was_open, self._was_tried = offset, set[int](), dict[int, Tried]()
        found = _read(note)
        if found.read_to > offset:
            self._resumed, at, opened = found.read_to, offset, list[int]()
            for gap in found.gaps:
                at += gap
                opened.append(at)
            self._was_open = set(opened)
            self._was_tried = {opened[place]: Tried(*tried) for place, tried in found.tried.items() if place < len(opened)}

    def read(self, offset: int) -> bool:
        """A record was read; whether it has yet to be done: not if it was done before the partition was taken over. Records come in order."""
        self._next = offset + 1
        if offset < self._resumed and offset not in self._was_open:
            return False
        self._open[offset] = None
        return True

    def tried(self, offset: int) -> Tried | None:
        """What had been tried with a record before the partition was taken over."""
        return self._was_tried.get(offset)

    def done(self, offset: int) -> None:
        """Nothing is left to do with a record."""
        self._open.pop(offset, None)

    @property
    def offset(self) -> int:
        """What may be committed: the first record that is not done."""
        return next(iter(self._open), self._next)

    def note(self, tried: Mapping[int, Tried]) -> str:
        """What to commit beside it. Where there is too much to say, less is claimed to have been read: the rest is delivered again."""
        offset, opened = self.offset, list(self._open)
        # Until all is read again that was read before the partition was taken over, what was open then is open now.
        unread = [each for each in sorted(self._was_open) if each >= self._next] if self._next < self._resumed else []
        every = opened + unread
        read_to = max(self._next, self._resumed)
        if read_to <= offset:
            return ""
        known = {**{each: self._was_tried[each] for each in unread if each in self._was_tried}, **tried}
        while True:
            written = _written(offset, read_to, every, known)
            if len(written) <= NOTE_CHARACTERS_MAX:
                return written
            every = every[: max(1, len(every) * 3 // 4)]
            read_to = every[-1] + 1


def _written(offset: int, read_to: int, opened: Iterable[int], tried: Mapping[int, Tried]) -> str:
    gaps, before, said = list[int](), offset, dict[int, tuple[int, int]]()
    for place, each in enumerate(opened):
        gaps.append(each - before)
        before = each
        if each in tried:
            said[place] = (tried[each].attempts, int(tried[each].since))
    return msgspec.json.encode(Note(read_to, tuple(gaps), said)).decode()


def _read(note: str) -> Note:
    try:
        return msgspec.json.decode(note, type=Note, strict=False) if note else Note()
    except msgspec.DecodeError:  # Another program committed here: what it noted is nothing to us.
        return Note()


def noted(offset: int, note: str) -> tuple[int, int, int]:
    """Of a commit: up to where was read, how many records before that are not done, and how many of these were tried in vain."""
    found = _read(note)
    return max(offset, found.read_to), len(found.gaps), len(found.tried)
