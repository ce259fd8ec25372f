"""The world of a run: topics, workers that come and go, channels in which records are under way, and one thing that happens after the other.

The rule this module owns: what happens next depends on the seed, the schedule and the faults that are left in, on nothing else. One sender's records for
one partition stay in order; all else may be late.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import Any

from schemas import topics
from streams import instants
from streams.boundary import Headers, Kind, Outgoing
from streams.customer import horizon
from streams.engine.cache import MISSING
from streams.engine.journal import Journal
from streams.identity.component import COMPONENT, NODE
from streams.identity.sweep import PATIENCE
from streams.instants import DAY
from streams.rows import FOLD
from tests.laws.memory import Memory, Record, Store, partition_of
from tests.simulation import workers
from tests.simulation.broker import Broker, Place
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import START, UNTIL, Entry, Ordered, Scenario, Seen, Switched, Told, wire
from tests.simulation.rules import RULES
from tests.simulation.workers import REFUSED, Ending, Files, Life, Named

Sent = tuple[bytes | None, bytes | None, Headers]
Telling = Callable[[str, Sequence[Record]], str]
"""What a batch of a topic holds, in words."""
STEPS_MAX = 60_000
"""Things that happen in a run, at most; what has not come to rest by then never does."""


class Zombie:
    """An ending that was stopped: its steps still to come, and when it wakes. None are left once its worker takes the partition up again: before a worker
    does, it joins what it was finishing there, or discards its producer and closes its store (`streams/engine/partition.py`, `release`)."""

    def __init__(self, ending: Ending, steps: Sequence[Named], wakes_at: int) -> None:
        self.ending = ending
        self.steps = steps
        self.wakes_at = wakes_at


class World(Memory):
    """A Kairos of several workers over a broker; `feed` it, let it come to `rest`, look at `rows` (as the changelogs say) and `log`."""

    def __init__(self, scenario: Scenario, schedule: int = 0, kept: Collection[int] | None = None, telling: Telling | None = None) -> None:
        settings = scenario.settings
        limits = horizon.limits(settings.interactions_max, 100 * 366 * DAY)
        super().__init__(RULES, settings.partitions, policy=scenario.first, batch=settings.batch, replayed=settings.replayed, limits=limits)
        self.scenario = scenario
        self.settings = settings
        self._random = Random(f"schedule {scenario.seed} {schedule}")
        self.faults = Faults(scenario.seed, settings.faults, kept)
        self.broker = Broker(self.partitions)
        self.told: list[str] = []
        """What happened, a line each, where `telling` says what a batch holds."""
        self._telling = telling
        self.unfinished: list[Outgoing] = []
        """Without transactions: what was said in batches that did not come to their end."""
        self.repeated: list[Outgoing] = []
        self.changed_in_place: list[str] = []
        """And what was said in batches that did again what such a one had done."""
        self._tried: dict[Place, int] = defaultdict(int)
        self.steps = 0
        self.batches = 0
        self.happened: dict[str, int] = defaultdict(int)
        self.workers = [chr(ord("A") + number) for number in range(settings.workers)]
        self._policies = dict.fromkeys(self.workers, scenario.first)
        self._files: dict[tuple[str, int], Files] = {}
        self._zombies: list[Zombie] = []
        self._under_way: dict[tuple[Place, int], deque[Sent]] = {}
        self._slow: set[tuple[Place, int]] = set()
        self._ticking: set[int] = set()
        self._doubled: list[tuple[int, Sent]] = []
        self.lives: dict[Place, Life] = {}
        for place in self.inputs:
            self._begin(place, self._random.choice(self.workers), None)

    # What comes from outside.

    def feed(self, entry: Entry) -> None:
        """Something is sent, or time moves."""
        if isinstance(entry, Seen):
            self.produce(wire(entry))
        elif isinstance(entry, Ordered):
            self.command(wire(entry))
        elif isinstance(entry, Told):
            self.move_time(instants.text(entry.at))
        elif isinstance(entry, Switched):
            self.switch(entry.worker)

    def switch(self, number: int) -> None:
        """A worker goes, and comes back under the policy that the run ends with."""
        if not self.settings.switch or number >= len(self.workers):
            return
        worker = self.workers[number]
        self._policies[worker] = self.scenario.policy
        self._note(-1, f"worker {worker} begins anew under the new policy: {self.settings.switch}")
        self.happened["switched"] += 1
        self._dies(worker, Fault("crash", -1, 0.0, False, 0, False, f"switch {self.scenario.seed} {number}"))

    def move_time(self, instant: str) -> None:
        """Time moves everywhere."""
        if self.replayed:
            self.tell_time(instant)
        else:
            self._ticking |= set(range(self.partitions))

    def live(self, entries: Sequence[Entry]) -> None:
        """All of it, one after the other, while other things happen."""
        for entry in entries:
            self.feed(entry)
            for _ in range(self._random.randint(0, self.settings.pace)):
                self.step()
        self.rest()
        if self.settings.switch:
            for number, worker in enumerate(self.workers):
                if self._policies[worker] != self.scenario.policy:  # Of a story that was cut.
                    self.switch(number)
            self.now += PATIENCE  # Where an old worker came between two new ones, the policy that is back waits for as long.
            self.move_time(instants.text(START))
            self.rest()

    def end(self) -> None:
        """The end of time: every deadline falls due, redirects and the marks of erasures lapse. Of that no story is told."""
        self._telling = None
        self.move_time(UNTIL)
        self.rest()

    def rest(self) -> None:
        """Until nothing is left to happen."""
        while self.step():
            if self.steps > STEPS_MAX:
                raise AssertionError("it never comes to rest")
        self.rows = self._durable()

    # What happens next.

    def step(self) -> bool:
        """One thing happens; False where nothing is left to happen."""
        self.steps += 1
        awake = next((zombie for zombie in self._zombies if zombie.wakes_at <= self.steps), None)
        if awake is not None:
            self._wake(awake)
            return True
        if self._doubled and self._random.random() < 0.05:
            self._again(self._random.randrange(len(self._doubled)))
            return True
        busy: list[Place] = [place for place, life in self.lives.items() if life.position < len(self.inputs[place])]
        ticking = sorted(self._ticking)
        channels = self._channels(only_fast=bool(busy or ticking) and self._random.random() > 0.01)
        if channels and (self._random.random() < 0.5 or not (busy or ticking)):
            self._deliver(self._random.choice(channels))
        elif ticking and (self._random.random() < 0.3 or not busy):
            partition = self._random.choice(ticking)
            self._ticking.discard(partition)
            self._take((topics.IDENTITY, partition), tick=True)
        elif busy:
            self._take(self._random.choice(busy))
        elif self._zombies:
            self._wake(self._zombies[0])
        elif self._doubled:
            self._again(0)
        else:
            return False
        return True

    def _channels(self, only_fast: bool) -> list[tuple[Place, int]]:
        waiting = [channel for channel, records in self._under_way.items() if records]
        return [channel for channel in waiting if channel not in self._slow] if only_fast else waiting

    def _deliver(self, channel: tuple[Place, int]) -> None:
        records = self._under_way[channel]
        for _ in range(self._random.randint(1, len(records))):
            record = records.popleft()
            self._append(topics.IDENTITY, channel[1], *record)
            if self.settings.doubles and self._random.random() < self.settings.doubles:
                self._doubled.append((channel[1], record))

    def _again(self, number: int) -> None:
        """A message that has arrived arrives once more."""
        partition, record = self._doubled.pop(number)
        self._append(topics.IDENTITY, partition, *record)

    def _take(self, place: Place, tick: bool = False) -> None:
        """The owner of a partition decides some of its records, and ends the batch as far as no fault hinders it."""
        number, self.batches = self.batches, self.batches + 1
        size = self._random.randint(1, self.settings.batch)
        fault = self.faults.at(number)
        if fault is not None and fault.kind == "rebalance":
            self._note(number, f"{self._named(place)} goes to another worker")
            self.happened["rebalance"] += 1
            self._revive(place, fault)
            fault = None
        life = self.lives[place]
        records: Sequence[Record] = [] if tick else self.inputs[place][life.position : life.position + size]
        if not records and not tick:
            return  # Whoever wrote last had them already.
        view = life.view(self)
        self._policy = self._policies[life.worker]
        decided = self.decide(place[0], records, view)  # type: ignore[arg-type]  # an agent without a table asks for no rows
        changes = [] if view is None else view.changes()
        if view is not None and life.files is not None:
            self.changed_in_place += workers.changed_in_place(view, life.files)
        next_offset = -1 if tick else life.position + len(records)
        ending = Ending(life, decided, changes, next_offset, f"ending {self.scenario.seed} {number}")
        steps = workers.ENDINGS[self.settings.guarantee]
        if self._telling is not None:
            self._note(number, f"worker {life.worker} takes of {self._named(place)}: {self._telling(place[0], records)}")
        is_again = life.position < self._tried[place]
        try:
            done = self._end(number, ending, steps, fault)
        except REFUSED:
            self.happened["refused"] += 1
            self._give_up(ending)
            self._note(number, "refused: another writes here; it begins anew")
            self._begin(place, life.worker, life.files)
            done = False
        if is_again:
            self.repeated += ending.said
        if done:
            life.position = max(life.position, next_offset)
        elif tick:
            self._ticking.add(place[1])

    def _end(self, number: int, ending: Ending, steps: Sequence[Named], fault: Fault | None) -> bool:
        """The durability steps, up to the fault; whether all were done."""
        stop = len(steps) if fault is None else min(fault.step, len(steps) - 1)
        if fault is not None and fault.kind == "zombie" and fault.share < 1:  # Who only stands still does no part of a step.
            stop, fault = stop - 1, fault._replace(share=1.0)
        for place, step in enumerate(steps):
            if fault is not None and place >= stop:
                if place == stop:
                    step.do(self, ending, fault.share)
                self._break(number, ending, steps[max(-1, stop) + 1 :], fault, "" if stop < 0 else step.name)
                return False
            step.do(self, ending, 1.0)
        return True

    # What goes wrong.

    def _break(self, number: int, ending: Ending, left: Sequence[Named], fault: Fault, step: str) -> None:
        where = f"after {fault.share:.0%} of {step}" if step else "before anything was written"
        place = ending.life.place
        if fault.kind != "zombie":
            self._give_up(ending)
        self.happened[fault.kind] += 1
        if fault.kind == "crash":
            self._note(number, f"worker {ending.life.worker} dies {where}" + (", its store is lost" if fault.lost else ""))
            self._dies(ending.life.worker, fault)
        elif fault.kind == "unanswered":
            self._note(number, f"worker {ending.life.worker} gets no answer {where} and begins anew")
            self._begin(place, ending.life.worker, ending.life.files)
        else:
            self._note(number, f"worker {ending.life.worker} stands still {where}; {self._named(place)} goes to another")
            self._tries(ending)
            self._revive(place, fault, but=ending.life.worker)
            self._zombies.append(Zombie(ending, left, self.steps + fault.sleep))

    def _dies(self, worker: str, fault: Fault) -> None:
        for each in [place for place, life in self.lives.items() if life.worker == worker]:
            self._revive(each, fault)
        for zombie in [zombie for zombie in self._zombies if zombie.ending.life.worker == worker]:
            self._zombies.remove(zombie)
            self._give_up(zombie.ending)

    def _wake(self, zombie: Zombie) -> None:
        """Whoever stood still goes on as if nothing had been."""
        self._zombies.remove(zombie)
        worker = zombie.ending.life.worker
        self._note(-1, f"worker {worker} wakes and goes on with {self._named(zombie.ending.life.place)}")
        try:
            for step in zombie.steps:
                step.do(self, zombie.ending, 1.0)
        except REFUSED:
            self.happened["zombie refused"] += 1
            self._note(-1, f"worker {worker} is refused")
        self._give_up(zombie.ending)

    def _give_up(self, ending: Ending) -> None:
        """What an ending has said that nobody knows to be said."""
        self._tries(ending)
        if not ending.is_done:
            self.unfinished += ending.said
            ending.said = []

    def _tries(self, ending: Ending) -> None:
        """Whoever takes these records from now on does again what was spoken of already, also while the first still stands."""
        if not ending.is_done and ending.said:
            self._tried[ending.life.place] = max(self._tried[ending.life.place], ending.next_offset)

    def _revive(self, place: Place, fault: Fault, but: str | None = None) -> None:
        """A partition gets another owner, whose store may be lost or behind, and whose recovery may be cut short once."""
        chance = Random(f"{fault.draw} {place}")
        worker = chance.choice([worker for worker in self.workers if worker != but])
        if fault.lost:
            self._files.pop((worker, place[1]), None)
        interrupted = chance.random() if fault.interrupted and place[0] == topics.IDENTITY else None
        if interrupted is not None:
            self._begin(place, worker, None, interrupted)
        self._begin(place, worker, None)

    def _begin(self, place: Place, worker: str, files: Files | None, interrupted: float | None = None) -> None:
        for zombie in self._zombies:
            if (zombie.ending.life.place, zombie.ending.life.worker) == (place, worker):
                zombie.steps = ()
        if place[0] == topics.IDENTITY:
            files = files or self._files.setdefault((worker, place[1]), Files())
        life = self.lives[place] = Life(self, place, worker, files)
        life.restore(self, interrupted)

    # What a batch leads to.

    def target(self, outgoing: Outgoing) -> int:
        """The partition of the identity topic that a message goes to."""
        if outgoing.partition is not None:
            return outgoing.partition
        assert outgoing.key is not None
        return partition_of(outgoing.key, self.partitions)

    def say(self, sender: Place, outgoing: Outgoing) -> None:
        """A record is on the broker: for subscribers at once, for a partition of ours when it arrives."""
        if outgoing.topic != topics.IDENTITY:
            self.log[outgoing.topic].append(outgoing)
            return
        channel = (sender, self.target(outgoing))
        if channel not in self._under_way:
            self._under_way[channel] = deque()
            if Random(f"channel {self.scenario.seed} {channel}").random() < self.settings.slow:
                self._slow.add(channel)
        self._under_way[channel].append((outgoing.key, outgoing.value, outgoing.headers))

    def counted(self, ending: Ending) -> None:
        """A batch is done for good: its counts are added."""
        ending.is_done = True
        for name, number in ending.decided.tally.items():
            self.tally[name] += number

    def partition_of(self, key: bytes) -> int:
        """The partition of the identity topic that a key belongs to."""
        return partition_of(key, self.partitions)

    def unlike(self) -> Iterator[str]:
        """Where a store or a cache at rest holds something else than its changelog says, or a batch changed what it had only read."""
        yield from self.changed_in_place
        for partition, log in enumerate(self.broker.changelogs):
            life = self.lives[topics.IDENTITY, partition]
            assert life.files is not None
            journal = Journal()
            counts = log if self.settings.guarantee == "exactly_once" else journal.read(log, len(log))[0]
            said = {row.key: row.value for row in counts}
            if {key: value for key, value in said.items() if value is not None} != life.files.rows:
                yield f"the store of partition {partition} is not what its changelog says"
            kinds: tuple[Kind[Any], ...] = (NODE, COMPONENT, FOLD)
            for kind in kinds:
                for key, row in life.files.rows.items():
                    if key[:1] == kind.tag and life.cache.get_many([key])[0] not in (MISSING, row):
                        yield f"a {kind.name} row in the cache of partition {partition} is not what is stored"

    def _durable(self) -> list[Store]:
        """The rows as their owners have them."""
        found = []
        for partition in range(self.partitions):
            files = self.lives[topics.IDENTITY, partition].files
            assert files is not None
            found.append(files)
        return list(found)

    # What is told of it.

    def _note(self, number: int, what: str) -> None:
        if self._telling is not None:
            self.told.append(f"batch {number}: {what}" if number >= 0 else what)

    def _named(self, place: Place) -> str:
        return f"{place[0].split('.')[1]}[{place[1]}]"
