"""Workers: each holds partitions for a time, restores their rows, decides batches, and ends them in durability steps.

The rule this module owns: what a worker does in a step either reaches the broker or not; what it only keeps itself is gone when it dies, but for its
store, which stands behind the changelog and is brought forward again. Overlay, cache and journal are the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas import topics
from streams.boundary import Decision, Kind, Outgoing
from streams.engine.cache import Cache
from streams.engine.errors import Overtaken
from streams.engine.journal import END_KEY, Journal
from streams.engine.overlay import Change, Overlay
from streams.identity.component import COMPONENT, NODE
from streams.rows import FOLD
from tests.laws.memory import Store
from tests.simulation.broker import Place, Row

if TYPE_CHECKING:
    from tests.simulation.world import World


class Fenced(Exception):
    """Another has the partition: what this one still wants to write is refused."""


class Files(Store):
    """A worker's rows of one partition on its disk, and up to which offset of the changelog they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = 0

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """As the engine's store does."""
        return [self.rows.get(key) for key in keys]

    def scan(self, first: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """As the engine's store does: the rows as they are now, by key."""
        return iter([(key, self.rows[key]) for key in self.keys if first <= key < end])


class Unshort(Overlay):
    """A view that holds no key: every message takes its way through the topic."""

    def holds(self, key: bytes) -> bool:
        return False


def changed_in_place(view: Overlay, files: Files) -> Iterator[str]:
    """Rows that a batch has read and not put, and that are no longer what was read."""
    put = {key for written in view._written.values() for key in written.rows}
    kinds: dict[bytes, Kind[Any]] = {kind.tag: kind for kind in (NODE, COMPONENT, FOLD)}
    for key, row in view._known.items():
        kind = kinds.get(key[:1])
        if kind is not None and key not in put and (None if row is None else kind.encode(row)) != files.rows.get(key):
            yield f"a {kind.name} row was changed in place"


class Life:
    """One worker's time with one partition: from its recovery until it dies, is fenced, or begins anew."""

    def __init__(self, world: World, place: Place, worker: str, files: Files | None) -> None:
        self.place = place
        self.worker = worker
        self.generation = world.broker.give(place)
        self.files = files
        self.cache = Cache(world.settings.cache_bytes)
        self.journal = Journal()
        self.position = 0

    @property
    def partition(self) -> int:
        return self.place[1]

    def view(self, world: World) -> Overlay | None:
        """The rows as a batch sees them; None where its agent has no table."""
        if self.files is None:
            return None
        kind = Overlay if world.settings.short_circuit else Unshort
        return kind(self.files, self.cache, self.partition, world.partitions)

    def restore(self, world: World, interrupted: float | None = None) -> None:
        """Bring the rows to the changelog's end (`interrupted`: only a share of what is missing) and seek the input."""
        known = 0
        if self.files is not None:
            log = world.broker.changelogs[self.partition]
            missing = log[self.files.offset :]
            if interrupted is not None:
                self._load(world, missing[: int(len(missing) * interrupted)])
                return
            self._load(world, missing)
            known = 0 if self.journal.last is None else self.journal.last.position
        self.position = max(world.broker.offsets[self.place], known)
        if self.files is not None and world.settings.guarantee == "at_least_once":
            self._open(world)

    def _load(self, world: World, rows: Sequence[Row]) -> None:
        assert self.files is not None
        next_offset = self.files.offset + len(rows)
        if world.settings.guarantee == "exactly_once":
            counts: Sequence[Row | Change] = rows
            stands = next_offset
        else:
            self.journal.begin(self.files.rows.get(END_KEY))
            counts, stands = self.journal.read(rows, next_offset)
        for row in counts:
            self.files.put(row.key, row.value)
        self.files.offset = stands

    def _open(self, world: World) -> None:
        """As the engine's table does: say again what void writes touched, and make a beginning where there is none."""
        assert self.files is not None
        keys = sorted(self.journal.void)
        if self.journal.last is not None and not keys:
            return
        changes = [Change(key, False, value) for key, value in zip(keys, self.files.get_many(keys), strict=True)]
        changes.append(self.journal.end(len(changes), self.position))
        behind = world.broker.append(self.partition, [(change.key, change.value) for change in changes])
        self.journal.wrote(changes, behind)
        for change in changes:
            self.files.put(change.key, change.value)
        self.files.offset = behind


class Ending:
    """A batch that is decided and now ends, step by step."""

    def __init__(self, life: Life, decided: Decision, changes: list[Change], next_offset: int, draw: str) -> None:
        self.life = life
        self.decided = decided
        self.changes = changes
        self.next_offset = next_offset
        self.draw = draw
        self.behind = 0
        self.said: list[Outgoing] = []
        self.is_done = False
        """Whether the broker has all that must not be lost; its outputs are no more said in vain."""
        self.rows: list[Change] = []
        """As they go to the changelog: without transactions with a row that ends them."""


Step = Callable[["World", Ending, float], None]
"""Does a share (0 to 1) of what it is to do; Fenced or Overtaken where that is refused."""


def check(world: World, ending: Ending, share: float) -> None:
    """In a transaction every word of someone who was fenced is refused; without, he is asked once whether he is a member still."""
    if not world.broker.is_current(ending.life.place, ending.life.generation):
        raise Fenced


def outputs(world: World, ending: Ending, share: float) -> None:
    """The outputs: a share of the requests, each with all records for one partition."""
    requests: dict[tuple[str, int | None], list[Outgoing]] = {}
    for outgoing in ending.decided.send:
        target = world.target(outgoing) if outgoing.topic == topics.IDENTITY else None
        requests.setdefault((outgoing.topic, target), []).append(outgoing)
    order = list(requests)
    if share < 1:
        Random(ending.draw).shuffle(order)
    for request in order[: round(len(order) * share)]:
        for outgoing in requests[request]:
            world.say(ending.life.place, outgoing)
            ending.said.append(outgoing)


def rows(world: World, ending: Ending, share: float) -> None:
    """The rows and the input's position, ended by a row that says where it lies: without it, or elsewhere, they are void."""
    life = ending.life
    if not ending.changes:
        ending.behind = life.journal.offset
        ending.is_done = share == 1
        return
    position = ending.next_offset if ending.next_offset >= 0 else life.position
    ending.rows = [*ending.changes, life.journal.end(len(ending.changes), position)]
    count = round(len(ending.rows) * share)
    behind = world.broker.append(life.partition, [(change.key, change.value) for change in ending.rows[:count]])
    if count < len(ending.rows):
        return
    life.journal.wrote(ending.rows, behind)
    ending.behind = behind
    world.counted(ending)


def store(world: World, ending: Ending, share: float) -> None:
    """The local store, when the broker has it all."""
    life = ending.life
    if life.files is None or share < 1:
        return
    for change in ending.rows:
        life.files.put(change.key, change.value)
    life.files.offset = max(life.files.offset, ending.behind)
    life.cache.apply(ending.rows)


def offset(world: World, ending: Ending, share: float) -> None:
    """The input's offset, as a member of the generation."""
    check(world, ending, share)
    if ending.next_offset >= 0 and share == 1:
        world.broker.offsets[ending.life.place] = ending.next_offset


def commit(world: World, ending: Ending, share: float) -> None:
    """The transaction: outputs, rows and offset at once, or nothing."""
    check(world, ending, share)
    if share < 1:
        return
    life = ending.life
    for outgoing in ending.decided.send:
        world.say(life.place, outgoing)
    ending.rows = ending.changes
    ending.behind = world.broker.append(life.partition, [(change.key, change.value) for change in ending.changes])
    if ending.next_offset >= 0:
        world.broker.offsets[life.place] = ending.next_offset
    world.counted(ending)


class Named(NamedTuple):
    """A durability step and what a story calls it."""

    name: str
    do: Step


BEGIN = Named("the beginning", check)
OUTPUTS = Named("the outputs", outputs)
ROWS = Named("the rows", rows)
STORE = Named("the store", store)
OFFSET = Named("the offset", offset)
ENDINGS: dict[str, tuple[Named, ...]] = {
    "exactly_once": (
        BEGIN,
        Named("the outputs, in an open transaction", check),
        Named("the rows, in an open transaction", check),
        Named("the commit", commit),
        STORE,
    ),
    "at_least_once": (BEGIN, OUTPUTS, ROWS, STORE, OFFSET),
}
"""How a batch ends, as `streams/engine/transaction.py` and `acknowledged.py` do it."""

REFUSED = (Fenced, Overtaken)
