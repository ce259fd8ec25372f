"""A run, from nothing to a summary: broker, topics, workers, player, then the wait until nothing is left to do.

The rule this module owns: whatever happens, what was started here is stopped here, in the reverse order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from connectors.consumer import read_topic
from connectors.producer import Played, play
from connectors.runtime.readers import readers
from connectors.runtime.sources import Reader, Ready, Refused
from schemas import topics
from streams import app
from streams.broker import admin
from streams.broker.choose import choose
from streams.broker.mock import MockBroker
from streams.cli import mocked, session, state
from streams.cli.export import Writer, nowhere, settled
from streams.cli.facts import Facts, collect
from streams.cli.observe import Observer, Seen
from streams.cli.options import Failure
from streams.cli.session import Run
from streams.cli.settle import Progress, Watch, closed
from streams.cli.topics import declared
from streams.cli.view import Picture, Rate, View
from streams.cli.workers import WorkerDied, Workers
from streams.settings import Settings

LOOK_SECONDS = 0.25
FLOW_SECONDS = 0.02
"""A player that waits asks this often whether it may go on."""
SETTLED_LOOKS = 2
"""So many looks in a row must find nothing left."""
STALL_SECONDS_MAX = 60.0
"""A run in which neither an offset nor an output has moved for this long is given up."""
OUTPUT_SECONDS_MAX = 15.0
PLAYER_SECONDS_MAX = 5.0
PLAYER_THREAD = "player"
WATCHED = (topics.INTERACTIONS, topics.IDENTITY)
OUTPUTS = tuple(topic.name for topic in topics.TOPICS if topic.name not in WATCHED)


class Plan(NamedTuple):
    """What to play and how; `until` in microseconds UTC, `duplicates` a share."""

    source: Path
    reader: str
    broker: str
    until: int | None
    workers: int
    shuffle_seed: int | None
    duplicates: float


class Outcome(NamedTuple):
    """What a run led to: the facts, what the player sent, the seconds from the first record sent to settled, and a customer to look at."""

    run: Run
    played: Played
    facts: Facts
    seconds: float
    example: str | None


def run(plan: Plan, settings: Settings, view: View, keep: Writer | None) -> Outcome:
    """Do it all. Failure or BrokerUnavailable where it cannot be done, with what to do about it."""
    note = _new_run(plan, settings)
    teller = _Teller(view)
    with _kafka(settings, note, teller) as bootstrap, _flow(settings, bootstrap, note) as flow:
        teller.phase(f"starting {plan.workers} worker{'s' if plan.workers > 1 else ''}")
        with Workers(plan.workers, Path(note.directory), bootstrap, _environment(settings, note)) as workers:
            played, seconds = _play_until_settled(plan, settings, bootstrap, note, workers, teller, flow)
            teller.phase("stopping workers")
        teller.phase("counting what is on the topics")
        held = state.held(read_topic(bootstrap, session.Session(bootstrap, note.app_id).changelog))
        kept = nowhere if keep is None else settled(keep.keep, held.folds, plan.until, app.rules_of(settings.journeys))
        facts, example = collect(lambda topic: read_topic(bootstrap, topic), kept, settings.hash_key())
        facts.applied, facts.digest = held.applied, held.digest
        flow.check()
    return Outcome(note, played, facts, seconds, example)


@contextmanager
def _kafka(settings: Settings, note: Run, teller: _Teller) -> Iterator[str]:
    """A Kafka with our topics, and nothing in them. What is on a real one can be asked about afterwards."""
    if settings.mock:
        teller.phase("starting the mock")
        with MockBroker(mocked.topics_of(note)) as mock:
            yield mock.bootstrap
        return
    teller.phase(f"connecting to {note.broker}" if ":" in note.broker else "starting Kafka")
    with choose("auto" if note.broker == session.EMBEDDED else note.broker, note.directory) as bootstrap:
        teller.phase("creating topics")
        _create_topics(bootstrap, settings.partitions)
        session.remember(settings.data_dir, note)
        yield bootstrap


@contextmanager
def _flow(settings: Settings, bootstrap: str, note: Run) -> Iterator[mocked.Flow | mocked.Free]:
    flow = mocked.Flow(bootstrap, mocked.topics_of(note)) if settings.mock else mocked.Free()
    try:
        yield flow
    finally:
        flow.close()


class _Teller:
    """Tells the view how far the run is; a new phase keeps the counts of the last picture."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._began = time.monotonic()
        self._picture = Picture("", 0.0, 0, None, {}, 0.0, Seen())

    def phase(self, name: str) -> None:
        self.show(self._picture._replace(phase=name, rate=0.0))

    def show(self, picture: Picture) -> None:
        self._picture = picture._replace(seconds=time.monotonic() - self._began)
        self._view.show(self._picture)


def _new_run(plan: Plan, settings: Settings) -> Run:
    identity = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    directory = (settings.data_dir / "runs" / identity).absolute()
    directory.mkdir(parents=True)
    return Run(
        id=identity,
        directory=str(directory),
        broker=session.wanted(settings, plan.broker) or session.EMBEDDED,
        app_id=f"{settings.app_id}-{identity}",
        partitions=settings.partitions,
        journeys=settings.journeys,
    )


def _create_topics(bootstrap: str, partitions: int) -> None:
    """Make the topics; refuse those that hold records already, whose counts would join this run's."""
    admin.create_topics(bootstrap, declared(partitions))
    held = {topic for (topic, _), end in admin.end_offsets(bootstrap, topics.BY_NAME).items() if end}
    if held:
        raise Failure(
            f"The topics at {bootstrap} hold records already ({', '.join(sorted(held)[:2])}{', ...' if len(held) > 2 else ''}), "
            "and a run counts all there are. "
            f"Delete them with `kairos topics delete --broker {bootstrap}`, name another cluster, or leave --broker away for a Kafka of its own."
        )


def _environment(settings: Settings, note: Run) -> dict[str, str]:
    """A worker's settings: this command's own, the run's name, and the clock of a replay."""
    said = {
        "app_id": note.app_id,
        "partitions": settings.partitions,
        "replication": settings.replication,
        "journeys": ",".join(settings.journeys),
        "region": settings.region,
        "clock": "replay",
        "guarantee": settings.guarantee,
        "mock": settings.mock,
        "batch_records_max": settings.batch_records_max,
    }
    if settings.metrics_port is not None:
        said["metrics_port"] = settings.metrics_port
    if settings.secret is None:
        settings.hash_key()  # makes the file where there is none
        said["secret_file"] = (settings.secret_file or settings.data_dir / "secret").absolute()
    return {f"KAIROS_{name.upper()}": str(value) for name, value in said.items()}


def _play_until_settled(
    plan: Plan, settings: Settings, bootstrap: str, note: Run, workers: Workers, teller: _Teller, flow: mocked.Flow | mocked.Free
) -> tuple[Played, float]:
    watch = Watch(bootstrap, note.app_id, WATCHED, settings.partitions)
    rate = Rate()
    try:
        with Observer(bootstrap, note.app_id, settings.partitions) as seen, _playing(plan, settings, bootstrap, flow) as player:
            first = time.monotonic()
            stall = _Stall()
            settled = 0
            while settled < SETTLED_LOOKS:
                time.sleep(LOOK_SECONDS)
                workers.check()
                player.check()
                progress = watch.look()
                stall.check(progress, seen, player, workers)
                settled = settled + 1 if player.played is not None and watch.is_settled(progress) else 0
                lag = {topic: progress.lag(topic) for topic in WATCHED}
                flow.look(sum(lag.values()))
                phase = "playing" if player.played is None else "settling"
                teller.show(Picture(phase, 0.0, player.sent, player.total, lag, rate.per_second(seen.applied + seen.dead), seen))
            seconds = time.monotonic() - first
            if not closed(bootstrap, note.app_id, OUTPUTS, settings.partitions, OUTPUT_SECONDS_MAX):
                raise Failure("A transaction is still open on an output topic, though nothing is left to do: see the broker's log.")
            assert player.played is not None
            return player.played, seconds
    finally:
        watch.close()


class _Stall:
    """Notices that nothing moves any more."""

    def __init__(self) -> None:
        self._moved = time.monotonic()
        self._last: object = None

    def check(self, progress: Progress, seen: Seen, player: _Player, workers: Workers) -> None:
        """Raise Failure where nothing has moved for STALL_SECONDS_MAX."""
        now = time.monotonic()
        current = (dict(progress.committed), dict(progress.ends), seen.applied, player.sent)
        if current != self._last:
            self._last, self._moved = current, now
        elif now - self._moved > STALL_SECONDS_MAX:
            lags = ", ".join(f"{topic} {progress.lag(topic):,}" for topic in WATCHED)
            raise Failure(f"Nothing has moved for {STALL_SECONDS_MAX:.0f} s, with work left ({lags}).\n{workers.tails()}")


class _Stopped(Exception):
    """The run is over before the player is."""


class _Player:
    """The player in a thread of its own: how much it has sent, how much there is, and what it says at its end."""

    def __init__(self, work: Callable[[Callable[[Played], None]], Played], counted: _Counted) -> None:
        self.sent = 0
        self.played: Played | None = None
        self._counted = counted
        self._failure: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name=PLAYER_THREAD, daemon=True)

    @property
    def total(self) -> int | None:
        """Interactions and refusals that the source holds; None until it was read once."""
        return self._counted.total

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """It ends at its next item, or when Kafka has acknowledged what is under way."""
        self._counted.stopped = True
        self._thread.join(PLAYER_SECONDS_MAX)

    def check(self) -> None:
        """Raise what the player failed with."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            played = self._work(self._report)
            self.sent = played.read + played.duplicates
            self.played = played
        except _Stopped:
            return
        except Exception as failure:  # noqa: BLE001  # carried to the main thread, which raises it
            self._failure = failure

    def _report(self, played: Played) -> None:
        self.sent = played.read + played.duplicates


class _Counted:
    """A reader that knows, once its source was read to the end, how many items there are, and that can be held back and stopped between two of them."""

    def __init__(self, reader: Reader[Any], flow: mocked.Flow | mocked.Free) -> None:
        self.name = reader.name
        self._flow = flow
        self.total: int | None = None
        self.stopped = False
        self._reader = reader

    def read(self, path: Path) -> Iterator[Any]:
        for item in self._counting(self._reader.read(path)):
            while not self._flow.may_send():
                if self.stopped:
                    raise _Stopped
                time.sleep(FLOW_SECONDS)
            yield item

    def times(self, path: Path) -> Iterator[int | None]:
        return self._counting(self._reader.times(path))

    def map(self, item: Any) -> Sequence[Ready | Refused]:
        return self._reader.map(item)

    def _counting(self, items: Iterator[Any]) -> Iterator[Any]:
        count = 0
        for item in items:
            if self.stopped:
                raise _Stopped
            count += 1
            yield item
        self.total = count


@contextmanager
def _playing(plan: Plan, settings: Settings, bootstrap: str, flow: mocked.Flow | mocked.Free) -> Iterator[_Player]:
    counted = _Counted(readers()[plan.reader], flow)
    secret = settings.hash_key()

    def work(report: Callable[[Played], None]) -> Played:
        return play(
            bootstrap,
            counted,
            plan.source,
            topic=topics.INTERACTIONS,
            partitions=settings.partitions,
            shuffle_seed=plan.shuffle_seed,
            duplicates=plan.duplicates,
            until=plan.until,
            time_every_seconds=flow.time_every_seconds,
            secret=secret,
            on_progress=report,
        )

    player = _Player(work, counted)
    player.start()
    try:
        yield player
    finally:
        player.stop()


__all__ = ["Outcome", "Plan", "WorkerDied", "run"]
