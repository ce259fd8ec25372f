"""Reads the shop's CSV invoice by invoice. Its rule: an invoice is complete, wherever its lines stand, and keeps its place by its first line.

The lines of an invoice need not stand together, so the file is read twice: first to learn how many lines each invoice has, then to give them
out. Only the invoices that are open at a time are held.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from connectors.online_retail import mapping
from connectors.online_retail.mapping import COLUMNS, Invoice
from connectors.runtime.files import open_binary
from connectors.runtime.sources import Ready, Refused

_NAMELESS = "?"
"""A line that has no invoice's number, or cannot be read, is an invoice of its own with this number."""


class OnlineRetail:
    """The reader `online-retail`."""

    name = "online-retail"

    def read(self, path: Path) -> Iterator[Invoice]:
        """The invoices in the order of their first lines."""
        missing = Counter(number for number, _ in _glances(path))
        waiting: dict[str, tuple[list[Sequence[str]], list[bytes]]] = {}
        nameless = 0
        with open_binary(path) as file:
            remembered = _Remembered(file)
            for row in _rows(remembered):
                original = remembered.taken()
                if tuple(row) == COLUMNS:
                    continue
                number = row[0]
                if not number:
                    nameless += 1
                    number = f"{_NAMELESS}{nameless}"
                rows, originals = waiting.setdefault(number, ([], []))
                rows.append(row)
                originals.append(original)
                missing[number] -= 1
                while waiting and missing[first := next(iter(waiting))] <= 0:
                    rows, originals = waiting.pop(first)
                    yield Invoice(first, rows, b"".join(originals))
        for number, (rows, originals) in waiting.items():  # The file shrank between the two readings.
            yield Invoice(number, rows, b"".join(originals))

    def map(self, item: Invoice) -> Sequence[Ready | Refused]:
        """One interaction or one refusal."""
        return (mapping.interaction(item),)

    def times(self, path: Path) -> Iterator[int | None]:
        """When each invoice occurred, without reading its products."""
        earliest: dict[str, int | None] = {}
        for place, (number, date) in enumerate(_glances(path)):
            key = number or f"{_NAMELESS}{place}"
            said, instant = earliest.setdefault(key, None), mapping.instant(date)
            if instant is not None and (said is None or instant < said):
                earliest[key] = instant
        return iter(earliest.values())


READER = OnlineRetail()


class _Remembered:
    """Lines of a file as text, remembering the bytes that were read since it was last asked."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._taken: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self._taken.append(line)
            yield line.decode(errors="surrogateescape")

    def taken(self) -> bytes:
        original = b"".join(self._taken)
        self._taken.clear()
        return original


def _rows(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    """The rows of a CSV but the empty ones; a row of one empty column stands for what no CSV reader can read."""
    text = iter(lines)
    rows = csv.reader(text)
    while True:
        try:
            yield from filter(None, rows)
            return
        except csv.Error:
            rows = csv.reader(text)
            yield [""]


def _glances(path: Path) -> Iterator[tuple[str, str]]:
    """Of each line below the heading its InvoiceNo and InvoiceDate, as text; both may be empty."""
    with io.TextIOWrapper(open_binary(path), errors="surrogateescape", newline="") as file:
        for row in _rows(file):
            if tuple(row) != COLUMNS:
                yield row[0], row[4] if len(row) > 4 else ""
