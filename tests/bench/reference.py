"""The same input, decided by the product's own handlers in one process, without Kafka: what a measured run has to lead to.

The rule this module owns: nothing is taken from the run that is measured, and the schedule is another one: one partition, and all that a person did
comes in one batch, as if nobody else lived in between; time comes once, at the end. The run that is measured takes a thousand people's interactions as they
happened, over several partitions and with messages between them, and folds each customer again and again while deadlines fall due. Where both lead to the
same, the order law held on this input, and the engine lost, doubled and misplaced nothing. It does not show that the handlers are right, for both
runs call the same ones, over the same overlay, cache and RocksDB: stories, oracles and laws do.

`python -m tests.bench.reference INPUT UNTIL JOURNEYS SECRET OUT` writes a Decided as JSON to OUT; how many interactions it has taken goes to OUT.progress.
"""

from __future__ import annotations

import gc
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from connectors.jsonl.source import READER
from connectors.runtime.sources import Ready, mapped
from schemas import topics
from streams.app import rules_of
from streams.boundary import Outgoing
from streams.customer import decision
from streams.engine.batch import Clock, Record
from streams.engine.cache import Cache
from streams.engine.overlay import Overlay
from streams.engine.settings import EngineSettings
from streams.engine.store import Memory, Owner, Position, Store
from streams.identity import messages
from streams.intake import steps
from streams.journeys.identity_policy import identity_policy
from streams.rows import end_of
from tests.bench.samples import APPLIED
from tests.bench.standing import WANTED_TAGS, Led, Standing

PILES = 128
"""Of a million interactions each is a batch of 8,000, of some 800 people."""
CACHE_BYTES = 256 << 20
REGION = "GB"
RECEIVED_MS = 1_767_225_600_000
"""When all of it is said to have been received: times of reception stand outside of what is compared."""
APP_ID = "reference"

_PERSON = re.compile(rb'"messageId":"([^"-]*)').search
"""The simulator puts a person's number before the dash. Only the batch depends on it: an interaction without one goes anywhere."""


class Decided(Struct, frozen=True):
    """What it led to, how many interactions timelines took in or had, and what it took: CPU seconds, bytes of memory at most."""

    led: Led
    applied: int
    cpu_seconds: float
    memory_bytes: int


class Reference:
    """One partition, from nothing to the end."""

    def __init__(self, directory: Path, journeys: tuple[str, ...], secret: bytes) -> None:
        settings = EngineSettings(app_id=APP_ID, bootstrap="", state_dir=directory)
        self._store = Store(directory, Owner(APP_ID, topics.IDENTITY, 0), Memory(settings))
        self._cache = Cache(CACHE_BYTES)
        self._clock = Clock(RECEIVED_MS * 1000, True)
        self._policy = identity_policy(secret, REGION)
        self._rules = rules_of(journeys)
        self._standing = Standing()
        self._batches = 0
        self.applied = 0

    def take(self, records: Sequence[Record]) -> None:
        """A batch of interactions."""
        self._decide([out for out in steps.decide(records, self._clock, self._policy, 1).send if out.topic == topics.IDENTITY])

    def finish(self, until: int) -> Led:
        """Say the time at the end, let everything fall due, and look."""
        self._decide([Outgoing(topics.IDENTITY, None, messages.encode(messages.Time(0, until)), (), 0)])
        self._cache.clear()
        rows = {(0, key): value for tag in WANTED_TAGS for key, value in self._store.scan(tag, end_of(tag))}
        return self._standing.led(rows)

    def _decide(self, sent: Sequence[Outgoing]) -> None:
        while sent:
            self._batches += 1
            records = [Record(one.key, one.value, (), RECEIVED_MS, 0, number) for number, one in enumerate(sent)]
            overlay = Overlay(self._store, self._cache, 0, 1)
            decided = decision.decide(records, overlay, self._clock, self._policy, self._rules, 1)
            self.applied += sum(decided.tally.get((name,), 0) for name in APPLIED)
            changes = overlay.changes()
            self._store.write(changes, Position(APP_ID, self._batches, 0))
            self._cache.apply(changes)
            sent = []
            for one in decided.send:
                if one.topic == topics.IDENTITY:
                    sent.append(one)
                elif one.value is not None:  # A profile is deleted with its customer; no output that stands is.
                    self._standing.hear(one.topic, one.value)


def records(path: Path) -> Iterator[Record]:
    """What a player would put onto the topic, in order."""
    for offset, one in enumerate(mapped(READER, path)):
        if isinstance(one, Ready):
            yield Record(None, one.value, (), RECEIVED_MS, 0, offset)
        else:
            yield Record(None, one.original, tuple(one.headers()), RECEIVED_MS, 0, offset)


def piled(path: Path, directory: Path) -> Iterator[list[Record]]:
    """All of it in batches, each person's in one; what waits for its turn lies in files of `directory`."""
    piles = [directory / f"pile-{number}" for number in range(PILES)]
    encode = msgspec.json.encode
    with ExitStack() as open_files:
        files = [open_files.enter_context(pile.open("wb")) for pile in piles]
        for one in records(path):
            person = _PERSON(one.value)
            files[crc32(person[1] if person else one.value) % PILES].write(encode(one) + b"\n")
    decode = msgspec.json.Decoder(Record).decode_lines
    for pile in piles:
        yield decode(pile.read_bytes())
        pile.unlink()


def main(path: str, until: str, journeys: str, secret: str, out: str) -> None:
    """Run it all; OUT appears only when it is whole."""
    gc.disable()  # As the engine has it: no batch leaves cycles, and looking for them takes longer than deciding.
    with tempfile.TemporaryDirectory(prefix="kairos-reference-") as directory:
        reference, done = Reference(Path(directory) / "store", tuple(journeys.split(",")), secret.encode()), 0
        for batch in piled(Path(path), Path(directory)):
            reference.take(batch)
            done += len(batch)
            Path(f"{out}.progress").write_text(str(done))
        led = reference.finish(int(until))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    written = Path(f"{out}.part")
    written.write_bytes(msgspec.json.encode(Decided(led, reference.applied, time.process_time(), most)))
    written.rename(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
