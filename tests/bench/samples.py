"""What workers wrote while they were measured, added up over all of them.

The rule this module owns: a sample adds up from its worker's start, and what was spent until a worker's first one counts nowhere.
"""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

APPLIED = ("kairos_interactions_applied", "kairos_interactions_duplicate")
"""The counts of interactions that a timeline took in, or had."""
MEMORY_AT = 0.2
TAIL_FROM = 0.99
_LINES_BYTES = 16_384
"""More than the last two lines of samples take."""


class Sample(Struct):
    """What a worker wrote at a commit (worker.py); `at` is this machine's monotonic clock, seconds; all else adds up from its start."""

    at: float
    cpu: float
    threads: dict[str, float]
    rss: int
    counts: dict[str, int]
    seconds: dict[str, float]
    bytes: dict[str, int]
    rows: dict[str, int]
    batches: dict[str, int]
    queued: float
    """Seconds in which the loop's thread could have run but had no processor: others of the machine, the broker among them, had it."""

    @property
    def applied(self) -> int:
        """Interactions that a timeline took in, or had."""
        return sum(self.counts.get(name, 0) for name in APPLIED)

    @property
    def deadlines(self) -> int:
        """Deadlines that fell due."""
        return self.counts.get("kairos_deadlines_drained", 0)


class Found(NamedTuple):
    """All workers together. `first`: at the first batch that any committed, of whatever topic, so that what intake does ahead is in the time; `last`: when
    everything was applied; `settled`: their last. `early_rss`: memory at MEMORY_AT of it all; `tail_seconds`: from TAIL_FROM of it all to all.
    `shares`: how many interactions each worker applied."""

    first: Sample
    last: Sample
    settled: Sample
    early_rss: int
    tail_seconds: float
    shares: list[int]


def found(each: Sequence[Sequence[Sample]]) -> Found:
    """What some workers' samples come to."""
    merged = list(together(each))
    most = merged[-1].applied
    early, tail, last = (next(one for one in merged if one.applied >= share * most) for share in (MEMORY_AT, TAIL_FROM, 1.0))
    return Found(merged[0], last, merged[-1], early.rss, last.at - tail.at, [samples[-1].applied for samples in each])


def together(each: Sequence[Sequence[Sample]]) -> Iterator[Sample]:
    """The workers' sum at every commit of one of them; a worker stands at its first sample until its second."""
    newest = [samples[0] for samples in each]
    numbered = [[(sample.at, number, sample) for sample in samples] for number, samples in enumerate(each)]
    for at, number, sample in heapq.merge(*numbered, key=lambda one: one[0]):
        newest[number] = sample
        yield summed(newest, at)


def summed(samples: Sequence[Sample], at: float) -> Sample:
    """One sample that is all of these."""
    return Sample(
        at=at,
        cpu=sum(one.cpu for one in samples),
        threads=_added(one.threads for one in samples),
        rss=sum(one.rss for one in samples),
        counts=_added(one.counts for one in samples),
        seconds=_added(one.seconds for one in samples),
        bytes=_added(one.bytes for one in samples),
        rows=_added(one.rows for one in samples),
        batches=_added(one.batches for one in samples),
        queued=sum(one.queued for one in samples),
    )


def read(path: Path) -> list[Sample]:
    """All that a worker wrote; an AssertionError where it never committed."""
    samples = msgspec.json.Decoder(Sample).decode_lines(path.read_bytes()) if path.exists() else []
    assert samples, f"{path.name}: this worker had nothing to do"
    return samples


def newest(path: Path) -> Sample | None:
    """The last that a worker wrote whole, while it goes on."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LINES_BYTES))
        lines = file.read().split(b"\n")
    return msgspec.json.decode(lines[-2], type=Sample) if len(lines) > 2 else None


def _added(each: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for one in each:
        total.update(one)
    return dict(total)
