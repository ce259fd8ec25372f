"""The reference leads to the same whatever its batches are, and leaves nothing out."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.simulator import simulate
from tests.bench import reference
from tests.bench.reference import Reference
from tests.bench.run import SECRET, UNTIL


@pytest.fixture(scope="module")
def interactions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(60, 1, tmp_path_factory.mktemp("simulated")).interactions_path


def test_piles_hold_each_interaction_once(interactions: Path, tmp_path: Path) -> None:
    piled = [record for pile in reference.piled(interactions, tmp_path) for record in pile]

    assert sorted(piled, key=lambda record: record.offset) == list(reference.records(interactions))
    assert list(tmp_path.iterdir()) == []


def test_all_that_a_person_did_lies_in_one_pile(interactions: Path, tmp_path: Path) -> None:
    where: dict[bytes, set[int]] = {}
    for number, pile in enumerate(reference.piled(interactions, tmp_path)):
        for record in pile:
            before, mark, after = (record.value or b"").partition(b'"messageId":"s1p')
            if mark and not before.strip(b"{"):
                where.setdefault(after.partition(b"-")[0], set()).add(number)

    assert len(where) == 60
    assert {len(piles) for piles in where.values()} == {1}


def test_the_order_of_time_leads_to_the_same(interactions: Path, tmp_path: Path) -> None:
    by_person, in_order = (Reference(tmp_path / name, ("brand",), SECRET.encode()) for name in ("person", "order"))
    for pile in reference.piled(interactions, tmp_path):
        by_person.take(pile)
    everything = list(reference.records(interactions))
    for start in range(0, len(everything), 50):
        in_order.take(everything[start : start + 50])

    assert by_person.finish(UNTIL) == in_order.finish(UNTIL)
    assert by_person.applied == in_order.applied > 500
