"""Reads the shop's CSV invoice by invoice. Its rule: an invoice is complete, wherever its lines stand, and keeps its place by its first line.

The lines of an invoice need not stand together, so the file is read twice: first to learn where each invoice ends, then to give them out.
Only the invoices that are open at a time are held.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from connectors.online_retail import mapping
from connectors.online_retail.mapping import COLUMNS, Invoice
from connectors.runtime.files import open_binary
from connectors.runtime.sources import Ready, Refused


class OnlineRetail:
    """The reader `online-retail`."""

    name = "online-retail"

    def read(self, path: Path) -> Iterator[Invoice]:
        """The invoices in the order of their first lines."""
        last = {number: place for place, (number, _, _) in enumerate(_lines(path))}
        waiting: dict[str, tuple[list[Sequence[str]], list[bytes]]] = {}
        complete: set[str] = set()
        for place, (number, row, original) in enumerate(_lines(path)):
            rows, originals = waiting.setdefault(number, ([], []))
            rows.append(row)
            originals.append(original)
            if place == last[number]:
                complete.add(number)
                while waiting and (first := next(iter(waiting))) in complete:
                    complete.remove(first)
                    rows, originals = waiting.pop(first)
                    yield Invoice(first, rows, b"".join(originals))

    def map(self, item: Invoice) -> Sequence[Ready | Refused]:
        """One interaction or one refusal."""
        return (mapping.interaction(item),)


READER = OnlineRetail()


class _Remembered:
    """Lines of a file as text, remembering the bytes that were taken since it was last asked."""

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


def _lines(path: Path) -> Iterator[tuple[str, Sequence[str], bytes]]:
    """Each line below the heading as (InvoiceNo, its columns, its bytes); what no CSV reader can read has no columns, so it is refused alone."""
    with open_binary(path) as file:
        remembered = _Remembered(file)
        text = iter(remembered)
        rows = csv.reader(text)
        for place in itertools.count():
            try:
                row = next(rows, None)
            except csv.Error:
                rows, row = csv.reader(text), []
            if row is None:
                return
            original = remembered.taken()
            if row and tuple(row) != COLUMNS:
                yield row[0], row, original
            elif not row and original.strip():
                yield f"?{place}", row, original
