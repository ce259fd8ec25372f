"""`make bench-identity`: the resolve step for components of 2 to 1,000 identifiers, the identity agent on simulated interactions, one partition, and the
sweep of what it holds then under another policy.

--people (3,000) and --rounds (5). Prints a table and writes build/bench/identity.json; times are the least of the rounds, on one core, undisturbed.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import structs
from rich.console import Console
from rich.table import Table

from connectors.simulator import simulate
from schemas import topics
from streams.cli.trial import RECEIVED_MS
from streams.engine.batch import Clock, Record
from streams.engine.cache import Cache
from streams.engine.garbage import Garbage
from streams.engine.overlay import Overlay
from streams.engine.settings import EngineSettings
from streams.engine.store import Memory, Owner, Position, Store
from streams.identity import protocol
from streams.identity.component import Component, identifiers
from streams.identity.policy import Policy
from streams.identity.resolve import law, resolve_by
from streams.identity.sweep import PARTITION, SWEPT
from streams.intake import steps
from streams.journeys.identity_policy import identity_policy
from tests.bench.identity import evidence

FOUND = Path("build/bench/identity.json")
POLICY = identity_policy(b"a secret of the benchmark", "GB")
SIZES = {2: 5.0, 10: 30.0, 100: 500.0, 1_000: 10_000.0}
"""Identifiers of a component, and the microseconds in which it is to be resolved."""
AGENT_AIM = 10.0
BATCH = 1_000
NEW = {
    "that changes nobody": structs.replace(POLICY, owner="somebody else"),
    "of one address a person": structs.replace(
        POLICY, types=tuple(structs.replace(kind, limit=1, window_days=None) if kind.name == "email" else kind for kind in POLICY.types)
    ),
    "by which more are shared": structs.replace(POLICY, types=tuple(structs.replace(kind, generic_above=1) for kind in POLICY.types)),
    "by which fewer are": structs.replace(POLICY, types=tuple(structs.replace(kind, generic_above=9) for kind in POLICY.types)),
}
"""Policies that come one after the other."""
CLOCK = Clock(RECEIVED_MS * 1_000, True)


class Resolve(msgspec.Struct, frozen=True):
    """One size: microseconds for one person's component, and for one of many people."""

    identifiers: int
    one_person: float
    many_people: float
    aim: float


class Sweep(msgspec.Struct, frozen=True):
    """One new policy: rows judged, components that were other, microseconds a row (with what was written), milliseconds of the longest slice."""

    policy: str
    rows: int
    other: int
    row: float
    slice: float


class Found(msgspec.Struct, frozen=True):
    """What is written; `agent` and `store` are microseconds an interaction: the decisions of identity, and what it wrote."""

    resolve: list[Resolve]
    interactions: int
    agent: float
    store: float
    agent_aim: float
    sweeps: list[Sweep]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-identity ARGS=...", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    resolved = [
        Resolve(size, _least(evidence.one_person(size), told.rounds), _least(evidence.many_people(size), told.rounds), aim)
        for size, aim in SIZES.items()
    ]
    (interactions, agent, store), sweeps = min((_agent(told.people) for _ in range(told.rounds)), key=lambda one: one[0][1])
    found = Found(resolved, interactions, agent, store, AGENT_AIM, sweeps)
    _show(found)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


def _least(component: Component, rounds: int) -> float:
    """Microseconds to resolve a component."""
    by = law(POLICY)
    resolve_by(by, component)
    times = max(3, 20_000 // len(identifiers(component)))
    return min(_seconds(lambda: [resolve_by(by, component) for _ in range(times)]) for _ in range(rounds)) / times * 1e6


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = time.process_time() - began
    gc.enable()
    return took


def _agent(people: int) -> tuple[tuple[int, float, float], list[Sweep]]:
    """Interactions, and for each the microseconds of identity's decisions and of writing what they put; then what sweeps of all that cost."""
    with tempfile.TemporaryDirectory() as directory:
        path = simulate(people, 1, Path(directory)).interactions_path
        values = path.read_bytes().splitlines()
        store = Store(
            Path(directory) / "store",
            Owner("bench", "bench", 0),
            Memory(EngineSettings(app_id="bench", bootstrap="none", state_dir=Path(directory))),
        )
        try:
            return _through(store, values), [_sweep(store, name, policy) for name, policy in NEW.items()]
        finally:
            store.close()


def _through(store: Store, values: list[bytes]) -> tuple[int, float, float]:
    garbage = Garbage()  # As in a worker, where nobody collects while there is work.
    garbage.begin()
    try:
        return _measured(store, values, garbage)
    finally:
        garbage.end()


def _measured(store: Store, values: list[bytes], garbage: Garbage) -> tuple[int, float, float]:
    cache, count, deciding, writing = Cache(128 << 20), 0, 0.0, 0.0
    for start in range(0, len(values), BATCH):
        records = [Record(None, value, (), RECEIVED_MS, 0, start + place) for place, value in enumerate(values[start : start + BATCH])]
        sent = [one for one in steps.decide(records, CLOCK, POLICY, 1).send if one.topic == topics.IDENTITY]
        messages = [Record(one.key, one.value, (), RECEIVED_MS, 0, start) for one in sent]
        rows = Overlay(store, cache, 0, 1)
        began = time.process_time()
        protocol.advance(messages, rows, CLOCK, POLICY)
        decided = time.process_time()
        changes = rows.changes()
        store.write(changes, Position("bench", start, 0))
        cache.apply(changes)
        writing += time.process_time() - decided
        deciding += decided - began
        count += len(messages)
        garbage.between_batches()
    return count, deciding / count * 1e6, writing / count * 1e6


def _sweep(store: Store, name: str, policy: Policy) -> Sweep:
    """From one tick to the next, with a cache that knows nothing, as a worker begins."""
    cache, slices, tally = Cache(128 << 20), [], Counter[tuple[str, ...]]()
    is_done = False
    while not is_done:
        rows = Overlay(store, cache, 0, 1)
        began = time.process_time()
        tally.update(protocol.advance((), rows, CLOCK, policy).tally)
        changes = rows.changes()
        store.write(changes, Position("bench", 0, 0))
        slices.append(time.process_time() - began)
        cache.apply(changes)
        stands = rows.get(SWEPT, [PARTITION])[0]
        is_done = stands is not None and stands.at is None
    judged = sum(count for (metric, *_), count in tally.items() if metric == "kairos_identity_swept")
    return Sweep(name, judged, tally["kairos_identity_swept", "component", "other"], sum(slices) / judged * 1e6, max(slices) * 1e3)


def _show(found: Found) -> None:
    table = Table("identifiers", "one person, us", "many people, us", "aim, us")
    for one in found.resolve:
        table.add_row(f"{one.identifiers:,}", f"{one.one_person:,.1f}", f"{one.many_people:,.1f}", f"{one.aim:,.0f}")
    console = Console()
    console.print(table)
    swept = Table("sweep under a policy", "rows", "components that are other", "a row, us", "longest slice, ms")
    for each in found.sweeps:
        swept.add_row(each.policy, f"{each.rows:,}", f"{each.other:,}", f"{each.row:.1f}", f"{each.slice:.1f}")
    console.print(swept)
    console.print(
        f"Identity agent: {found.agent:.1f} us an interaction (aim {found.agent_aim:.0f}), {found.store:.1f} us to encode and store its rows; "
        f"{found.interactions:,} interactions, one partition."
    )


if __name__ == "__main__":
    main()
