"""Whoever stood still goes on where the product's worker would, and nowhere else."""

import pytest

from schemas import topics
from streams.boundary import Decision
from streams.engine.overlay import Change
from tests.simulation.history import Guarantee, Scenario, Settings
from tests.simulation.workers import ENDINGS, Ending, Files
from tests.simulation.world import World, Zombie

PLACE = (topics.IDENTITY, 0)
DURABLE = {"exactly_once": "the commit", "at_least_once": "the rows"}
"""The step after which the broker has a batch."""
GUARANTEES = pytest.mark.parametrize("guarantee", list(DURABLE))


def taken_up(world: World, worker: str) -> Files:
    """A worker gets the partition: its store, brought to the changelog's end."""
    world._begin(PLACE, worker, None)
    files = world.lives[PLACE].files
    assert files is not None
    return files


def stood_still(world: World, value: bytes) -> Zombie:
    """The owner writes a row, and stands still when the broker has it and its store has not."""
    ending = Ending(world.lives[PLACE], Decision([], {}), [Change(b"ka", False, value)], 0, "draw")
    steps = ENDINGS[world.settings.guarantee]
    behind = [step.name for step in steps].index(DURABLE[world.settings.guarantee]) + 1
    for step in steps[:behind]:
        step.do(world, ending, 1.0)
    zombie = Zombie(ending, steps[behind:], 0)
    world._zombies.append(zombie)
    return zombie


@GUARANTEES
def test_what_a_worker_was_finishing_is_not_stored_over_what_it_restored_since(guarantee: Guarantee) -> None:
    world = World(Scenario(1, Settings(guarantee=guarantee), ()))
    taken_up(world, "A")
    zombie = stood_still(world, b"old")
    taken_up(world, "B")
    stood_still(world, b"new")
    taken_up(world, "A")
    taken_up(world, "B")

    world._wake(zombie)

    assert taken_up(world, "A").rows[b"ka"] == b"new"
    assert list(world.unlike()) == []


@GUARANTEES
def test_what_a_worker_was_finishing_is_stored_where_it_did_not_take_the_partition_up_again(guarantee: Guarantee) -> None:
    world = World(Scenario(1, Settings(guarantee=guarantee), ()))
    files = taken_up(world, "A")
    zombie = stood_still(world, b"old")
    taken_up(world, "B")
    assert b"ka" not in files.rows

    world._wake(zombie)

    assert files.rows[b"ka"] == b"old"
    assert taken_up(world, "A") is files
    assert list(world.unlike()) == []
