"""The components that the benchmark of identity resolves have the size that it says, and hold the people that it says."""

from __future__ import annotations

import pytest

from streams.identity.component import identifiers
from streams.identity.resolve import resolve
from streams.journeys.identity_policy import identity_policy
from tests.bench.identity import evidence

POLICY = identity_policy(b"s")


@pytest.mark.parametrize("size", [2, 10, 100, 1_000])
def test_a_component_has_its_size(size: int) -> None:
    assert len(identifiers(evidence.one_person(size))) == size
    assert len(identifiers(evidence.many_people(size))) == size


def test_one_person_is_one_and_many_people_are_many() -> None:
    one, many = resolve(evidence.one_person(100), POLICY), resolve(evidence.many_people(100), POLICY)

    assert max(len(person.members) for person in one.people) > 50
    assert sum(len(person.members) > 5 for person in many.people) == 10
