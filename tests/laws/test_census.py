"""What the census says of all partitions together is what counting the customers says, whoever merged, parted or was erased."""

from collections import Counter

import pytest

from streams.customer import census
from streams.customer.state import decode_row
from streams.identity.component import COMPONENT
from streams.identity.resolve import resolve
from streams.rows import FOLD
from tests.laws.memory import POLICY, Memory, View
from tests.laws.test_erasure_outputs import SEEDS, live
from tests.laws.test_order import RULES, history, told

Stages = dict[tuple[str, ...], int]


def said(memory: Memory) -> Stages:
    """By the census of each partition, added up."""
    found: Counter[tuple[str, ...]] = Counter()
    for partition, store in enumerate(memory.rows):
        for name, number in census.standing(View(store, partition, memory.partitions)).items():
            if name[0] == "kairos_customers":
                found[name[1:]] += int(number)
    return {name: number for name, number in found.items() if number}


def counted(memory: Memory) -> Stages:
    """By the states of all customers."""
    states = [decode_row(row).state for store in memory.rows for key, row in store.rows.items() if key.startswith(FOLD.tag)]
    return dict(Counter((journey, position.stage) for state in states for journey, position in state.journeys.items()))


@pytest.mark.parametrize("seed", range(0, 60, 2))
def test_in_any_order_the_census_is_the_count_of_customers(seed: int) -> None:
    memory = told(history(seed), partitions=1 + seed % 5, seed=seed, crash=0.2, batch=1 + seed % 20)

    assert said(memory) == counted(memory)
    assert counted(memory), "or it says nothing"


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_who_is_erased_stands_nowhere(seed: int) -> None:
    memory = live(seed).memory

    assert said(memory) == counted(memory)


@pytest.mark.parametrize("seed", range(1, 20, 3))
def test_the_largest_component_that_was_seen_is_known(seed: int) -> None:
    memory = told(history(seed), partitions=3, seed=seed)

    components = [COMPONENT.decode(row) for store in memory.rows for key, row in store.rows.items() if key[:1] == COMPONENT.tag]
    people = [[one for one in resolve(component, POLICY).people if one.fragments] for component in components]
    known = [census.standing(View(store, place, 3))["kairos_component_identifiers_max",] for place, store in enumerate(memory.rows)]

    assert max(known) == max(sum(len(one.members) for one in together) for together in people)


def test_a_smaller_component_does_not_hide_a_larger_one() -> None:
    memory = Memory(RULES, 1)
    at = {"event": "Page Viewed", "timestamp": "2025-01-01T00:00:00Z"}
    for said in ({"userId": "ann", "anonymousId": "a-1", "identifiers": {"email": ["ann@shop.co.uk"]}}, {"userId": "ben"}):
        memory.produce({**at, **said})
        memory.run()

    assert census.standing(View(memory.rows[0], 0, 1))["kairos_component_identifiers_max",] == 3
