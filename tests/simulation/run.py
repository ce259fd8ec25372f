"""One run: a scenario lived through by a world, and the laws asked when it is at rest.

The rule this module owns: same scenario, schedule and faults, same outcome. Bounds of the product that a scenario makes small are put back.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple
from unittest.mock import patch

from msgspec import structs

from streams.identity.component import NODE
from tests.simulation import laws
from tests.simulation.history import Scenario, Seen, Settings
from tests.simulation.rest import Rest, components, marks_of
from tests.simulation.world import Telling, World


class Outcome(NamedTuple):
    """What came of a run: the laws that do not hold, what happened, a hash of all that was said and kept, and the numbers of faults that happened."""

    broken: dict[str, list[str]]
    told: list[str]
    digest: str
    faults: tuple[int, ...]
    happened: dict[str, int]


@contextmanager
def bounded(settings: Settings) -> Iterator[None]:
    """With the bounds that a world asks for."""
    with (
        patch("streams.identity.protocol.LINKED_MAX", settings.linked_max),
        patch("streams.identity.moves.SLICE_BYTES_MAX", settings.slice_bytes_max),
        patch("streams.rows.CHECKPOINT_EVERY", settings.checkpoint_every),
        patch("streams.identity.sweep.LOOKED_MAX", 1),
    ):
        yield


def run(
    scenario: Scenario, schedule: int = 0, kept: Collection[int] | None = None, telling: Telling | None = None, judge: bool = True
) -> Outcome:
    """Live through a scenario; `kept`: the batches at which a fault may happen (None: any that the seed says); `telling`: what a batch holds, in words;
    without `judge` no law is asked."""
    with bounded(scenario.settings):
        world = World(scenario, schedule, kept, telling)
        try:
            world.live(scenario.entries)
            marks = marks_of(world)
            broken = _again(scenario, world)
            world.end()
            digest = fingerprint(world)
            broken |= laws.broken(Rest(scenario, world, marks)) if judge else {}
        except Exception as error:  # noqa: BLE001 - Whatever a handler raises is a finding, told with the line that raised it.
            digest = fingerprint(world)
            broken = {"no handler fails": [failure(error)]}
    return Outcome(broken, world.told, digest, tuple(world.faults.happened), happened(world))


COUNTED = {
    "moved to another partition": ("kairos_identity_absorbed", "remote"),
    "parked": ("kairos_identity_parked",),
    "merged": ("kairos_customers_merged",),
    "split": ("kairos_customers_split",),
    "erased": ("kairos_customers_erased",),
    "void": ("kairos_interactions_erased",),
    "duplicate": ("kairos_interactions_duplicate",),
    "refused by a limit": ("kairos_identity_conflicts", "limit"),
    "refused by a command": ("kairos_identity_conflicts", "cannot_link"),
    "refused as generic": ("kairos_identity_conflicts", "generic"),
    "refused as a shared login": ("kairos_identity_conflicts", "shared_login"),
    "frozen": ("kairos_identity_conflicts", "component_frozen"),
    "full": ("kairos_identity_conflicts", "component_full"),
    "returned": ("kairos_identity_returned",),
    "crowded": ("kairos_identity_conflicts", "crowded"),
    "weak between known": ("kairos_identity_conflicts", "weak_between_known"),
    "deadlines": ("kairos_deadlines_drained",),
    "interactions": ("kairos_interactions_applied",),
}
"""What a world counts, and by which of its metrics."""


def happened(world: World) -> dict[str, int]:
    """What happened in a world, and how often."""
    found = {name: world.tally[metric] for name, metric in COUNTED.items()}
    parts = world.tally["kairos_identity_messages", "absorb"] - found["moved to another partition"]
    in_parts = max(0, parts) if world.settings.slice_bytes_max < 1_000 else 0
    return {**world.happened, **found, "moved in parts": in_parts, "batches": world.batches, "steps": world.steps}


def _again(scenario: Scenario, world: World) -> dict[str, list[str]]:
    """Law 2: a prefix that is sent again changes no row but those of time, and says nothing; where a component is full, those who meet it may hear of it."""
    if not scenario.prefix or any(component.full for _, _, component in components(world)):
        return {}
    before = state(world)
    for entry in scenario.entries[: scenario.prefix]:
        if isinstance(entry, Seen):
            world.feed(entry)
    world.rest()
    after = state(world)
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return {"2 replaying a prefix changes nothing": [f"{len(changed)} rows changed, the first {changed[0]!r}"]} if changed else {}


def state(world: World) -> dict[tuple[int, bytes], bytes]:
    """All rows at rest that say something of a customer; of a node all but the links that it remembers to have told of, a cache."""
    found = {}
    for partition, store in enumerate(world.rows):
        for key, row in store.rows.items():
            if key[:1] == NODE.tag:
                found[partition, key] = NODE.encode(structs.replace(NODE.decode(row), linked=frozenset()))
            elif key[:1] in b"ctfakb":
                found[partition, key] = row
    return found


def failure(error: Exception) -> str:
    """What was raised, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name})"


def fingerprint(world: World) -> str:
    """A hash of all that was said and kept, in its order."""
    found = blake2b(digest_size=8)
    for topic in sorted(world.log):
        for record in world.log[topic]:
            found.update(repr((topic, record.key, record.value)).encode())
    for log in world.broker.changelogs:
        for row in log:
            found.update(repr(row).encode())
    return found.hexdigest()
