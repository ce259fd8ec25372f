"""`kairos worker` as it is, with a stopwatch around each pass: once a batch, never once an interaction.

The rule this module owns: it changes nothing that the worker does. At every commit it writes a line of JSON to the file that BENCH_SAMPLES names: the
time, the CPU spent so far, memory, what was counted, CPU seconds by pass and by thread, bytes of rows. What a pass costs is its thread's CPU time, so that
other programs of the machine do not count; nor does what the counting here costs.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder

from schemas import topics
from streams.cli import main
from streams.customer import decision, publish
from streams.dials import Dials
from streams.engine import overrides, producer, store
from streams.engine.batch import Decision
from streams.engine.cache import Cache
from streams.engine.overlay import Change, Overlay
from streams.engine.store import Store
from streams.identity import protocol
from streams.intake import steps

PASSES: tuple[tuple[Any, str, str], ...] = (
    (overrides, "drain", "read"),
    (steps, "decide", "intake"),
    (protocol, "advance", "identity"),
    (decision, "_insert", "timeline"),
    (decision, "_fold", "fold"),
    (decision, "_drain", "fold"),
    (decision, "_write", "fold"),
    (publish, "outputs", "publish"),
    (Overlay, "changes", "encode"),
    (store, "_packed", "store"),
    (Cache, "apply", "store"),
    (Store, "_put", "disk"),
)
"""Where each function is looked up, its name, and the pass that its time belongs to. Each is called once a batch at most."""
_KEY, _VALUE = attrgetter("key"), attrgetter("value")


class Stopwatch:
    """What was measured so far; owned by the worker's one thread."""

    def __init__(self, samples: Path) -> None:
        self._samples = samples.open("w", buffering=1)
        self._seconds: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._batches: Counter[str] = Counter()
        self._topics: dict[int, str] = {}
        self._statm = Path("/proc/self/statm")
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        """Nanoseconds that the loop's thread, which is the main one, ran and waited for a processor."""
        self._own = 0.0
        """CPU seconds that this module's own counting took, all in the worker's one thread."""

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; its CPU time is added to a pass."""
        seconds, now = self._seconds, time.thread_time
        seconds[name] = 0.0  # From the beginning, for a pass may run in another thread than the one that writes samples.

        def measured(*arguments: Any, **named: Any) -> Any:
            start = now()
            try:
                return work(*arguments, **named)
            finally:
                seconds[name] += now() - start

        return measured

    def packed(self, pack: Callable[..., producer.Packed]) -> Callable[..., producer.Packed]:
        """The same packing of records; its time is that of the outputs, messages between partitions among them, or of the changelog."""
        as_changelog, as_outputs = self.timed("changelog", pack), self.timed("outputs", pack)

        def measured(fenced: Any, topic: str, *rest: Any, **named: Any) -> producer.Packed:
            is_changelog = topic not in topics.BY_NAME
            found: producer.Packed = (as_changelog if is_changelog else as_outputs)(fenced, topic, *rest, **named)
            for builder in found.builders:
                self._topics[id(builder)] = "changelog" if is_changelog else topic
            return found

        return measured

    def built(self, build: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        """The same making of a record batch, compressed where it is to be; its bytes are added up by topic."""

        def measured(builder: Any) -> bytes:
            found = build(builder)
            topic = self._topics.pop(id(builder), None)
            if topic is not None:
                self._bytes[topic] += len(found)
            return found

        return measured

    def weighed(self, changes: Callable[..., list[Change]]) -> Callable[..., list[Change]]:
        """The same rows; their bytes are added up by kind."""

        def measured(overlay: Overlay) -> list[Change]:
            found = changes(overlay)
            start = time.thread_time()
            at = 0
            for tag, written in overlay._written.items():  # The changes are in this order, kind by kind.
                of_kind = found[at : at + len(written.rows)]
                at += len(of_kind)
                size = sum(map(len, map(_KEY, of_kind))) + sum(map(len, filter(None, map(_VALUE, of_kind))))
                kind = tag.decode()
                self._rows[kind] += len(of_kind)
                self._bytes[f"rows {kind}"] += size
                self._bytes["state"] += size
            self._own += time.thread_time() - start
            return found

        return measured

    def counting(self, count: Callable[..., None]) -> Callable[..., None]:
        """The same counting at every commit, and a sample after it."""

        def counted(dials: Dials, topic: str, partition: int, decision: Decision, seconds: float) -> None:
            count(dials, topic, partition, decision, seconds)
            start = time.thread_time()
            self._batches[topic] += 1
            for (name, *_), number in decision.tally.items():
                self._counts[name] += number
            self._sample()
            self._own += time.thread_time() - start

        return counted

    def _sample(self) -> None:
        pages = int(self._statm.read_text().split()[1])
        sample = {
            "at": time.monotonic(),
            "cpu": time.process_time() - self._own,
            "threads": {"loop": time.thread_time() - self._own, "reader": _others()},
            "rss": pages * os.sysconf("SC_PAGE_SIZE"),
            "counts": self._counts,
            "seconds": self._seconds,
            "bytes": self._bytes,
            "rows": self._rows,
            "batches": self._batches,
            "queued": int(self._schedule.read_text().split()[1]) / 1e9,
        }
        self._samples.write(json.dumps(sample) + "\n")


def _others() -> float:
    """CPU seconds of Python's other threads: Faust's reader, and some that mostly sleep. RocksDB's own are not among them."""
    here = threading.get_ident()
    clocks = [time.pthread_getcpuclockid(thread.ident) for thread in threading.enumerate() if thread.ident not in (None, here)]
    return sum(map(time.clock_gettime, clocks))


def measure(samples: Path) -> None:
    """Put the stopwatch in place; a KeyError or AttributeError where a pass is no longer called what PASSES says."""
    watch = Stopwatch(samples)
    for owner, function, name in PASSES:
        setattr(owner, function, watch.timed(name, vars(owner)[function]))
    Overlay.changes = watch.weighed(Overlay.changes)  # type: ignore[method-assign]  # The point of this module.
    BatchBuilder._build = watch.built(BatchBuilder._build)
    producer.FencedProducer.pack = watch.packed(producer.FencedProducer.pack)  # type: ignore[method-assign]  # As above.
    Dials.count = watch.counting(Dials.count)  # type: ignore[method-assign]  # As above.


if __name__ == "__main__":
    measure(Path(os.environ["BENCH_SAMPLES"]))
    main(prog_name="kairos")
