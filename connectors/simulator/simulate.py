"""Simulates a brand. The rule this module owns: people, seed and shares decide every byte, on any machine and in bounded memory.

People are made one household at a time and forgotten; their interactions go through buckets of time, so that the file is in the order of
arrival: in the order of occurrence, but for what comes late or out of order.
"""

import gzip
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec

from connectors.simulator import chapters, hard, malformed, people
from connectors.simulator.buckets import Buckets
from connectors.simulator.life import DAY_MS, HOUR_MS, MINUTE_MS, Calendar, Life
from connectors.simulator.people import CUSTOMER, Household, Person

START = datetime(2025, 1, 1, tzinfo=UTC)
BUCKET_LINES = 40_000
LATE_HOURS_MAX = 72
OUT_OF_ORDER_MINUTES_MAX = 10
_ARRIVALS = 0.6
"""People come into view during this part of the time, so that most lives are not cut off at its end."""
_VISITOR_SHARE_OF_BUDGET = 0.4
_CUSTOMER_SHARE_OF_BUDGET = 1.28
_PROGRESS_PEOPLE = 2_000


class Shares(NamedTuple):
    """How much goes wrong, as shares of all interactions; how many people share a home, or act for a company, as shares of the people."""

    late: float = 0.02
    duplicates: float = 0.01
    out_of_order: float = 0.05
    malformed: float = 0.002
    households: float = 0.3
    accounts: float = 0.05


class Simulated(NamedTuple):
    """What was written where. `lines` = interactions + duplicates + malformed; `linkable` counts the people of two or more identifiers."""

    interactions_path: Path
    truth_path: Path
    people: int
    households: int
    linkable: int
    interactions: int
    duplicates: int
    late: int
    out_of_order: int
    malformed: dict[str, int]
    lines: int
    bytes: int
    events: dict[str, int]
    hard: dict[str, int] = {}
    """How many people are in each hard case."""


def simulate(
    people: int,
    seed: int,
    out_dir: Path,
    *,
    days: int = 60,
    start: datetime = START,
    interactions_per_person: float = 10.0,
    late: float = 0.02,
    duplicates: float = 0.01,
    out_of_order: float = 0.05,
    malformed: float = 0.002,
    households: float = 0.3,
    accounts: float = 0.05,
    compressed: bool = False,
    hard_cases: Mapping[str, float] | None = None,
    on_progress: Callable[[int, float], None] | None = None,
) -> Simulated:
    """Write interactions.jsonl (or .jsonl.gz), truth.jsonl (a person a line) and simulated.json (the counts) into a directory.

    `start` is midnight UTC of the first of `days`; late ones come up to three days later. `on_progress` hears how many people have been lived
    and in how many seconds. `hard_cases`: the share of people in each case of hard.CASES, by its name; what stands under "" is divided among
    the others. Then the truth says of each person in which case it is, and of which of its messages.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    shares = Shares(late, duplicates, out_of_order, malformed, households, accounts)
    path = out_dir / ("interactions.jsonl.gz" if compressed else "interactions.jsonl")
    truth_path = out_dir / "truth.jsonl"
    with tempfile.TemporaryDirectory(dir=out_dir, prefix=".buckets-") as directory:
        buckets = Buckets(Path(directory), _bucket_ms(people * interactions_per_person, days))
        cases = hard.shares(hard_cases or {})
        world = _World(people, seed, shares, Calendar(start, days), interactions_per_person, buckets, cases)
        with truth_path.open("wb") as truth:
            world.live(truth, on_progress)
        written = 0
        with _written(path, compressed) as file:
            for lines in buckets.drain():
                portion = b"".join(lines)
                file.write(portion)
                written += len(portion)
    simulated = world.simulated(path, truth_path, written)
    counts = {name: value for name, value in simulated._asdict().items() if not isinstance(value, Path)}
    if not cases:  # As it ever was.
        del counts["hard"]
    (out_dir / "simulated.json").write_text(json.dumps(counts, indent=1) + "\n")
    return simulated


class _World:
    """The people of one run and the counts of what they did."""

    def __init__(
        self, people: int, seed: int, shares: Shares, calendar: Calendar, budget: float, buckets: Buckets, cases: Mapping[str, float]
    ) -> None:
        self._cases = cases
        self._people = people
        self._seed = seed
        self._shares = shares
        self._calendar = calendar
        self._budget = budget
        self._buckets = buckets
        self._encode = msgspec.json.Encoder().encode
        self._counts: Counter[str] = Counter()
        self._malformed: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._hard: Counter[str] = Counter()

    def live(self, truth: BinaryIO, on_progress: Callable[[int, float], None] | None) -> None:
        """Let everyone live, and write down who they are."""
        began, number = time.monotonic(), 0
        for household in people.households(self._people, self._seed, self._shares.households):
            self._counts["households"] += 1
            for _ in range(household.size):
                truth.write(self._live_one(number, household))
                number += 1
                if on_progress is not None and (number % _PROGRESS_PEOPLE == 0 or number == self._people):
                    on_progress(number, time.monotonic() - began)

    def simulated(self, path: Path, truth_path: Path, written: int) -> Simulated:
        counts = self._counts
        return Simulated(
            interactions_path=path,
            truth_path=truth_path,
            people=self._people,
            households=counts["households"],
            linkable=counts["linkable"],
            interactions=counts["interactions"],
            duplicates=counts["duplicates"],
            late=counts["late"],
            out_of_order=counts["out_of_order"],
            malformed=dict(sorted(self._malformed.items())),
            lines=counts["interactions"] + counts["duplicates"] + sum(self._malformed.values()),
            bytes=written,
            events=dict(sorted(self._events.items())),
            hard=dict(sorted(self._hard.items())),
        )

    def _live_one(self, number: int, household: Household) -> bytes:
        person, chance = people.person(number, self._seed, household, self._shares.accounts)
        share = _CUSTOMER_SHARE_OF_BUDGET if person.kind == CUSTOMER else _VISITOR_SHARE_OF_BUDGET
        budget = max(1, round(self._budget * share * (0.4 + 1.2 * chance.random())))
        begins_ms = int(self._calendar.days * DAY_MS * _ARRIVALS * chance.random())
        life = Life(person, chance, self._calendar, f"s{self._seed}p{number}-", begins_ms, budget)
        chapters.live(life)
        rewritten = hard.rewrite(life, self._seed, self._cases) if self._cases else None
        self._send(life, chance)
        identifiers = life.identifiers()
        self._counts["linkable"] += sum(map(len, identifiers.values())) > 1
        truth = _truth(life, identifiers)
        if self._cases:
            truth["hard"] = {}
            if rewritten is not None:
                truth["hard"] = dict([rewritten])
                self._hard[rewritten[0]] += 1
        return self._encode(truth) + b"\n"

    def _send(self, life: Life, chance: random.Random) -> None:
        shares, happens, put, counts = self._shares, chance.random, self._buckets.put, self._counts
        disordered = shares.late + shares.out_of_order
        for at_ms, told in life.told:
            line = self._encode(told)
            drawn = happens()
            arrival_ms = at_ms
            if drawn < shares.late:
                arrival_ms += HOUR_MS + int(happens() ** 2 * (LATE_HOURS_MAX - 1) * HOUR_MS)
                counts["late"] += 1
            elif drawn < disordered:
                arrival_ms += 1 + int(happens() * OUT_OF_ORDER_MINUTES_MAX * MINUTE_MS)
                counts["out_of_order"] += 1
            put(arrival_ms, line)
            self._events[cast(str, told["event"])] += 1
            if happens() < shares.duplicates:
                put(arrival_ms + int(happens() ** 3 * DAY_MS), line)
                counts["duplicates"] += 1
            if happens() < shares.malformed:
                kind, bad = malformed.line(happens(), told)
                put(arrival_ms, bad)
                self._malformed[kind] += 1
        counts["interactions"] += len(life.told)


def _truth(life: Life, identifiers: dict[str, list[str]]) -> dict[str, object]:
    """Who this was: every identifier that was used, and every message that was sent."""
    person: Person = life.person
    return {
        "person": f"p{person.number}",
        "kind": person.kind,
        "household": f"h{person.household.number}" if person.household.size > 1 else None,
        "account": person.account,
        "identifiers": identifiers,
        "messages": [told["messageId"] for _, told in life.told],
    }


def _bucket_ms(interactions: float, days: int) -> int:
    buckets = max(1, round(interactions / BUCKET_LINES))
    return max(1, days * DAY_MS // buckets)


@contextmanager
def _written(path: Path, compressed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        # Neither name nor time goes into the header, so that equal runs give equal files.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=3, mtime=0) as packed:
            yield cast(BinaryIO, packed)
