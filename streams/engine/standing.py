"""Where a partition stands, as others are told: its lag in records and in time, and how far its rows are restored.

The rule: what nobody knows is None, not 0. The age of what waits is its record's own: the topic says when it took it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from streams.engine.batch import Record
from streams.engine.life import State
from streams.engine.offsets import Waiting
from streams.engine.shared import Progress


class Standing:
    """What a partition knows of its own lag."""

    __slots__ = ("_in_hand", "_in_hand_ms", "_last_ms", "_restored", "_restored_rows", "stable_end")

    def __init__(self) -> None:
        self.stable_end: int | None = None
        """The input's last stable offset, once a fetch has told."""
        self._restored = (0, 0)
        self._restored_rows = self._in_hand = self._in_hand_ms = self._last_ms = 0

    def anew(self) -> None:
        """Its life begins again: the end is to be told again, and rows are counted from none."""
        self.stable_end, self._restored_rows = None, 0

    def restoring(self, first: bool, offset: int, end: int, rows: int) -> bool:
        """The changelog is replayed up to `offset` of `end`; whether that is an advance: in a life that is not the first only more rows are."""
        advanced = rows > self._restored_rows or (first and (offset, end) != self._restored)
        self._restored, self._restored_rows = (offset, end), rows
        return advanced

    def begin(self, records: Sequence[Record]) -> None:
        """A batch is in hand."""
        self._in_hand = len(records)
        if records:
            self._in_hand_ms, self._last_ms = records[0].timestamp_ms, records[-1].timestamp_ms

    def end(self) -> None:
        """It is committed."""
        self._in_hand = 0

    def progress(self, waiting: Waiting, state: State) -> Progress:
        """All of it."""
        lag = None
        if self.stable_end is not None and state is State.RUNNING:
            lag = max(0, self.stable_end - waiting.read_to) + waiting.count + self._in_hand
        return Progress(waiting.position, state.name, lag, *self._restored, self._age_seconds(waiting) if lag else 0.0)

    def _age_seconds(self, waiting: Waiting) -> float:
        """Of what is not read yet it is known only that it came after the last that was."""
        oldest_ms = self._in_hand_ms if self._in_hand else waiting.oldest_ms or self._last_ms
        return max(0.0, time.time() - oldest_ms / 1000) if oldest_ms > 0 else 0.0
