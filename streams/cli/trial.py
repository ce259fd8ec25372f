"""Intake and identity in this process, without a broker: the same decisions as a worker's, over the engine's own store in a directory that goes.

The rule this module owns: nothing of who is who is decided here; one partition stands for all, which is the same by the laws of identity.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from schemas import topics
from streams.engine.batch import Record
from streams.engine.cache import Cache
from streams.engine.overlay import Overlay
from streams.engine.settings import EngineSettings
from streams.engine.store import Memory, Owner, Position, Store
from streams.identity import protocol
from streams.identity.component import COMPONENT, Component
from streams.identity.policy import Policy
from streams.intake import steps
from streams.rows import NodeKey

BATCH_RECORDS = 1_000
CACHE_BYTES = 128 << 20
RECEIVED_MS = 4_000_000_000_000
"""When everything was received: late enough that nothing simulated lies ahead of it."""


class _Clock(NamedTuple):
    now: int = RECEIVED_MS * 1_000
    replayed: bool = True


class Trial:
    """A policy at work on interactions; closing it removes all that it kept."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.conflicts: Counter[str] = Counter()
        self._directory = Path(tempfile.mkdtemp(prefix="kairos-trial-"))
        settings = EngineSettings(app_id="trial", bootstrap="none", state_dir=self._directory)
        self._store = Store(self._directory / "0", Owner("trial", "trial", 0), Memory(settings))
        self._cache = Cache(CACHE_BYTES)
        self._offset = 0

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def take(self, values: Sequence[bytes]) -> list[NodeKey | None]:
        """Let interactions come in, in this order; of each the identifier at which it is kept, None where it was refused."""
        records = [Record(None, value, (), RECEIVED_MS, 0, self._offset + place) for place, value in enumerate(values)]
        decided = steps.decide(records, _Clock(), self.policy, 1)
        self._offset += len(records)
        anchors = [sent.key if sent.topic == topics.IDENTITY else None for sent in decided.send]
        messages = [
            Record(sent.key, sent.value, (), RECEIVED_MS, 0, self._offset) for sent in decided.send if sent.topic == topics.IDENTITY
        ]
        rows = Overlay(self._store, self._cache, 0, 1)
        advanced = protocol.advance(messages, rows, _Clock(), self.policy)
        self.conflicts.update(conflict.rule for conflict in advanced.conflicts)
        changes = rows.changes()
        self._store.write(changes, Position("trial", self._offset, 0))
        self._cache.apply(changes)
        return anchors

    def components(self) -> Iterator[Component]:
        """All evidence, a component at a time."""
        first, end = COMPONENT.tag, bytes((COMPONENT.tag[0] + 1,))
        for _, row in self._store.scan(first, end):
            yield COMPONENT.decode(row)
