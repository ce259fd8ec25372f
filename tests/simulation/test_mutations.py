"""The simulator's teeth: each known mistake, put back into the product, breaks a law within 300 seeds."""

import pytest

from tests.simulation import mutations
from tests.simulation.history import scenario
from tests.simulation.minimise import outcome

SEEDS_MAX = 300
QUICK = ("stale_row", "absorb_before_pointer", "linked_before_union", "marks_not_joined", "zombie_not_fenced")
"""Caught by one of the first twenty seeds."""


def caught(name: str, seeds_max: int) -> int | None:
    """The first seed that a mistake breaks; None where none does."""
    cut = mutations.MUTATIONS[name].cut
    with mutations.applied(name):
        return next((seed for seed in range(1, seeds_max + 1) if outcome(scenario(seed), cut).broken), None)


@pytest.mark.parametrize("name", QUICK)
def test_a_known_mistake_is_caught_at_once(name: str) -> None:
    assert caught(name, 20) is not None


@pytest.mark.faults
@pytest.mark.parametrize("name", sorted(mutations.MUTATIONS.keys() - set(QUICK)))
def test_a_known_mistake_is_caught_within_300_seeds(name: str) -> None:
    assert caught(name, SEEDS_MAX) is not None
