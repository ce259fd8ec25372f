"""The reference leads to the same whatever its batches are, and leaves nothing out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from connectors.simulator import simulate
from streams.engine.batch import Record
from tests.bench import reference
from tests.bench.reference import Reference
from tests.bench.run import SECRET, UNTIL
from tests.bench.standing import Led, difference


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


def decided(records: Sequence[Record], directory: Path, batch_records: int) -> Led:
    found = Reference(directory, ("brand",), SECRET.encode())
    for start in range(0, len(records), batch_records):
        found.take(records[start : start + batch_records])
    return found.finish(UNTIL)


def test_the_order_of_time_leads_to_the_same(interactions: Path, tmp_path: Path) -> None:
    piled = [record for pile in reference.piled(interactions, tmp_path) for record in pile]
    in_order = list(reference.records(interactions))

    assert piled != in_order
    assert decided(piled, tmp_path / "piled", 500) == decided(in_order, tmp_path / "in order", 50)


def test_one_interaction_less_is_noticed(interactions: Path, tmp_path: Path) -> None:
    everything = list(reference.records(interactions))

    found = difference(decided(everything[1:], tmp_path / "less", 100), decided(everything, tmp_path / "all", 100))

    assert "digest" in found
