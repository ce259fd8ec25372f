"""Writers that overtake each other, die in the middle and write late: in the changelog each input counts once, as one after the other."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.errors import Overtaken
from streams.engine.journal import END_KEY, Journal
from streams.engine.overlay import Change

INPUT = [(b"r%d" % (number % 5), number) for number in range(1, 200)]
"""(key, number): the sums of the keys are the state."""


class Row(NamedTuple):
    """As a reader gets it; the log may have gaps, where it was compacted."""

    key: bytes
    value: bytes | None
    offset: int


class Log:
    """A changelog partition."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.end = 0

    def append(self, changes: list[Change]) -> int:
        """The offset behind them."""
        for change in changes:
            self.rows.append(Row(change.key, change.value, self.end))
            self.end += 1
        return self.end

    def compact(self, below: int) -> None:
        """Only the newest row of a key is left of those below an offset."""
        newest = {row.key: row.offset for row in self.rows if row.offset < below}
        self.rows = [row for row in self.rows if row.offset >= below or newest[row.key] == row.offset]


class Writer:
    """Restores from the log, then folds the input from where the log says."""

    def __init__(self, log: Log, chunk: int = 1000) -> None:
        self.log = log
        self.chunk = chunk
        self.journal = Journal()
        self.store: dict[bytes, bytes | None] = {}
        self.restore()

    def restore(self) -> None:
        self.journal.begin(self.store.get(END_KEY))
        start = self.journal.last.at + 1 if self.journal.last else 0
        rows = [row for row in self.log.rows if row.offset >= start]
        for first in range(0, max(1, len(rows)), self.chunk):
            part = rows[first : first + self.chunk]
            counts, _ = self.journal.read(part, part[-1].offset + 1 if part else self.log.end)
            self._keep(counts)
        self.journal.read((), self.log.end)
        void = sorted(self.journal.void)
        if void or self.journal.last is None:
            changes = [Change(key, False, self.store.get(key)) for key in void]
            self.write([*changes, self.journal.end(len(changes), self.position)], len(changes) + 1)

    @property
    def position(self) -> int:
        return 0 if self.journal.last is None else self.journal.last.position

    def batch(self, count: int) -> list[Change]:
        """The next records, folded."""
        taken = INPUT[self.position : self.position + count]
        sums = {key: int(self.store.get(key) or 0) for key, _ in taken}
        for key, number in taken:
            sums[key] += number
        changes = [Change(key, False, b"%d" % total) for key, total in sums.items()]
        return [*changes, self.journal.end(len(changes), self.position + len(taken))] if taken else []

    def write(self, changes: list[Change], rows: int) -> None:
        """Append so many of them; all is acknowledged, fewer are torn: the writer dies."""
        if not changes:
            return
        if rows < len(changes):
            self.log.append(changes[:rows])
            self.store = {}
            self.journal = Journal()
            self.restore()
            return
        try:
            self.journal.wrote(changes, self.log.append(changes))
        except Overtaken:
            self.restore()
        else:
            self._keep(changes)

    def _keep(self, changes: list[Change]) -> None:
        for key, _, value in changes:
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value


def states(store: dict[bytes, bytes | None]) -> dict[bytes, int]:
    return {key: int(value or 0) for key, value in store.items() if key != END_KEY}


def sums_to(position: int) -> dict[bytes, int]:
    sums: dict[bytes, int] = {}
    for key, number in INPUT[:position]:
        sums[key] = sums.get(key, 0) + number
    return sums


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "tear", "hold", "late", "late torn", "restart", "lose"]), st.integers(0, 2), st.integers(1, 9)),
    max_size=60,
)


@given(STEPS, st.integers(1, 7))
@settings(max_examples=400, deadline=None)
def test_of_writers_that_overtake_each_other_each_input_counts_once(steps: list[tuple[str, int, int]], chunk: int) -> None:
    log = Log()
    writers = [Writer(log, chunk) for _ in range(3)]
    held: list[list[Change]] = []

    for act, who, size in steps:
        writer = writers[who]
        match act:
            case "write":
                changes = writer.batch(size)
                writer.write(changes, len(changes))
            case "tear":
                changes = writer.batch(size)
                writer.write(changes, min(size, len(changes) - 1))
            case "hold":
                held.append(writer.batch(size))
            case "late" | "late torn" if held:
                changes = held.pop(size % len(held))
                log.append(changes[: size if act == "late torn" else None])
            case "restart":
                writer.restore()
            case "lose":
                writers[who] = Writer(log, chunk)

    last = Writer(log, chunk)
    assert states(last.store) == sums_to(last.position)
    for writer in writers:
        assert states(writer.store) == sums_to(writer.position)


@given(STEPS, st.integers(0, 400), st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_compaction_of_what_one_writer_wrote_changes_nothing(steps: list[tuple[str, int, int]], below: int, chunk: int) -> None:
    log = Log()
    writer = Writer(log, chunk)
    for act, _, size in steps:
        changes = writer.batch(size)
        writer.write(changes, min(size, len(changes) - 1) if act == "tear" else len(changes))

    log.compact(min(below, log.end))

    last = Writer(log, chunk)
    assert states(last.store) == sums_to(last.position) == sums_to(writer.position)


def test_rows_of_transactions_count_without_an_end() -> None:
    log = Log()
    log.append([Change(b"a", False, b"7"), Change(b"b", False, b"9"), Change(b"a", False, None)])

    taken_over = Writer(log)

    assert states(taken_over.store) == {b"b": 9}
    assert log.rows[-1].key == END_KEY


def test_a_write_that_lies_elsewhere_is_told() -> None:
    journal = Journal()
    journal.read((), 10)
    changes = [Change(b"a", False, b"1"), journal.end(1, 5)]

    with pytest.raises(Overtaken):
        journal.wrote(changes, 13)
    with pytest.raises(Overtaken):
        journal.wrote(changes, None)
    journal.wrote(changes, 12)

    assert journal.last is not None and journal.last.position == 5
