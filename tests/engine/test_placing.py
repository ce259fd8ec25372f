"""Whoever comes and goes: each partition has one worker and its copies, shares are even, and what a worker leaves behind goes to who has copies of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.placing import Held, placed

NOTHING = Held(set(), set())
Group = dict[str, Held]

histories = st.lists(st.one_of(st.just("comes"), st.integers(0, 7)), max_size=12)
"""Somebody comes, or the one of that number leaves, as long as one stays."""


def together(history: list[str | int], partitions: int, copies: int) -> list[tuple[Group, Group]]:
    """Who had what when something happened, and who has what then."""
    group: Group = dict(placed({"m0": NOTHING}, partitions, copies))
    steps = []
    for number, event in enumerate(history, start=1):
        if event == "comes":
            there = {**group, f"m{number}": NOTHING}
        elif len(group) > 1:
            gone = sorted(group)[int(event) % len(group)]
            there = {member: held for member, held in group.items() if member != gone}
        else:
            continue
        group = dict(placed(there, partitions, copies))
        steps.append((there, group))
    return steps


def owners(group: Mapping[str, Held]) -> dict[int, str]:
    return {partition: member for member, held in group.items() for partition in held.actives}


@given(histories, st.integers(1, 16), st.integers(1, 3))
def test_each_partition_has_one_worker_an_even_share_and_its_copies(history: list[str | int], partitions: int, copies: int) -> None:
    for _, group in together(history, partitions, copies):
        shares = [len(held.actives) for held in group.values()]
        assert sum(shares) == partitions == len(owners(group))
        assert max(shares) - min(shares) <= 1
        for partition, owner in owners(group).items():
            keepers = [member for member, held in group.items() if partition in held.copies]
            assert owner not in keepers
            assert len(keepers) == min(copies, len(group) - 1)


@given(histories, st.integers(1, 16), st.integers(1, 2))
def test_what_has_a_worker_stays_there_while_nobody_comes_or_goes(history: list[str | int], partitions: int, copies: int) -> None:
    for _, group in together(history, partitions, copies):
        assert owners(placed(group, partitions, copies)) == owners(group)


@pytest.mark.parametrize("workers", [2, 3, 4])
@pytest.mark.parametrize("partitions", [4, 6, 8, 16, 64])
def test_whoever_dies_is_replaced_by_those_who_have_copies_and_evenly(workers: int, partitions: int) -> None:
    _, group = together(["comes"] * workers, partitions, 1)[-1]

    for dead in group:
        left = {member: held for member, held in group.items() if member != dead}
        after = placed(left, partitions, 1)
        for partition, owner in owners(after).items():
            assert owner == owners(group)[partition] or partition in left[owner].copies, "it goes to a worker that has no copy"


def test_what_was_beyond_the_partitions_of_now_is_forgotten() -> None:
    assert placed({"a": Held({1, 9}, {8}), "b": NOTHING}, 2, 1) == {"a": Held({1}, {0}), "b": Held({0}, {1})}
