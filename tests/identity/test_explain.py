"""Why identifiers are one person or not, over generated evidence: what is explained is what resolve decided."""

import pytest
from msgspec import structs

from streams.identity import explain
from streams.identity.component import Component, bind, copy, forbid, join, pair
from streams.identity.explain import Judged, Why
from streams.identity.identifiers import canonical, customer_id
from streams.identity.messages import ORDERS_PER_MICROSECOND
from streams.identity.policy import Policy
from streams.identity.resolve import resolve
from streams.instants import DAY, HOUR
from tests.identity.test_resolve import CASE, COOKIE, CRM, DEVICE, EMAIL, PHONE, POLICY, SHARED, USER, evidence, key
from tests.laws.driver import World
from tests.laws.history import expected, generate, play


def _whole(seed: int) -> tuple[Component, Policy, dict[bytes, bytes]]:
    """All evidence of a generated history as one component, its policy, and whose each identifier is by the oracle."""
    history = generate(seed)
    world = play(World(1, history.policy, seed), history, seed)
    whole = Component(set())
    for stored, component in world.live[0].items():
        if stored[:1] == b"c":
            join(whole, component)
    return whole, history.policy, expected(history).person


@pytest.mark.parametrize("block", range(6))
def test_why_says_same_exactly_where_resolve_and_the_oracle_do(block: int) -> None:
    told: set[str] = set()
    for seed in range(40_000 + block * 20, 40_000 + block * 20 + 20):
        component, policy, oracle = _whole(seed)
        before = copy(component)
        judged = explain.judge(component, policy)
        person = {member: one.canonical for one in resolve(component, policy).people for member in one.members}
        for left in person:
            for right in person:
                said = explain.why(judged, left, right)
                assert said.same == (person[left] == person[right]) == (oracle.get(left, left) == oracle.get(right, right))
                _assert_a_chain_of_the_evidence(component, said, left, right)
        told |= {step.verdict for step in judged.steps}
        assert component == before
    assert told >= {"holds", "limit", "weak_between_known", "expired", "generic", "shared_login"}


def _assert_a_chain_of_the_evidence(component: Component, said: Why, left: bytes, right: bytes) -> None:
    for step in said.steps:
        assert component.edges[step.left + step.right] == (step.first_seen, step.last_seen)
    if said.steps:
        assert explain.walk(left, said.steps)[-1] == right


@pytest.mark.parametrize("seed", range(50_000, 50_030))
def test_every_member_has_a_chain_of_links_that_hold_from_the_canonical_one(seed: int) -> None:
    component, policy, _ = _whole(seed)
    judged = explain.judge(component, policy)

    for person in judged.people:
        chains = explain.chains(judged, person)
        assert {person.canonical, *chains} == set(person.members)
        for member, chain in chains.items():
            walked = explain.walk(person.canonical, chain)
            assert walked[-1] == member
            assert len(set(walked)) == len(walked)
            assert set(walked) <= set(person.members)
        for step in explain.refusals(judged, person):
            assert not step.holds
            assert {step.left, step.right} & set(person.members)


def _why(component: Component, left: bytes, right: bytes, policy: Policy = POLICY) -> tuple[Judged, Why]:
    judged = explain.judge(component, policy)
    return judged, explain.why(judged, left, right)


def test_the_shortest_chain_of_those_that_hold_is_told() -> None:
    component = evidence(
        (1, [key(USER), key(EMAIL)]), (2, [key(EMAIL), key(PHONE)]), (3, [key(USER), key(DEVICE)]), (4, [key(EMAIL), key(DEVICE)])
    )

    _, said = _why(component, key(USER), key(PHONE))

    assert said.same
    assert explain.walk(key(USER), said.steps) == [key(USER), key(EMAIL), key(PHONE)]


def test_two_logins_with_one_address_are_kept_apart_by_the_limit() -> None:
    component = evidence((1, [key(USER, 1), key(EMAIL)]), (2, [key(USER, 2), key(EMAIL)]))

    _, said = _why(component, key(USER, 1), key(USER, 2))

    assert not said.same
    assert [(step.verdict, step.type) for step in said.steps] == [("holds", None), ("limit", "user_id")]


def test_a_shared_device_never_joins_two_known_people() -> None:
    component = evidence((HOUR, [key(CRM, 1), key(DEVICE)]), (9 * HOUR, [key(EMAIL, 2), key(DEVICE)]))

    _, latest = _why(component, key(CRM, 1), key(EMAIL, 2), SHARED)
    _, nobody = _why(component, key(CRM, 1), key(EMAIL, 2))

    assert [step.verdict for step in latest.steps] == ["weak_between_known", "holds"]
    assert [step.verdict for step in nobody.steps] == ["weak_between_known", "weak_between_known"]


def test_a_login_of_many_is_why_a_thing_is_not_theirs() -> None:
    seen = [(hours * HOUR, [key(USER, 1 + who), key(DEVICE, hours)]) for hours in range(1, 5) for who in (0, hours)]

    _, said = _why(evidence(*seen), key(USER, 1), key(USER, 2))

    assert [(step.verdict, step.type) for step in said.steps] == [("shared_login", "user_id"), ("holds", None)]


def test_a_generic_identifier_is_why_not() -> None:
    component = evidence((1, [key(CRM, 1), key(PHONE)]), (2, [key(CRM, 2), key(PHONE)]))
    component.generic.add(key(PHONE))

    _, said = _why(component, key(CRM, 1), key(CRM, 2))

    assert [(step.verdict, step.type) for step in said.steps] == [("generic", "phone"), ("generic", "phone")]


def test_a_command_is_why_not_though_it_names_others_of_the_two() -> None:
    component = evidence((1, [key(CRM), key(EMAIL, 1)]), (2, [key(EMAIL, 1), key(PHONE)]), (3, [key(EMAIL, 2), key(PHONE)]))
    forbid(component, pair(key(CRM), key(EMAIL, 2)), 1, True)

    _, said = _why(component, key(EMAIL, 1), key(EMAIL, 2))

    assert not said.same
    assert "cannot_link" in [step.verdict for step in said.steps]
    assert said.apart == (pair(key(CRM), key(EMAIL, 2)),)


def test_a_command_that_binds_two_is_why_though_they_never_met_until_another_parts_them() -> None:
    component = evidence((1, [key(CRM, 1), key(PHONE)]), (2, [key(CRM, 2), key(EMAIL)]))
    both = pair(key(CRM, 1), key(CRM, 2))
    bind(component, both, 5 * ORDERS_PER_MICROSECOND)

    _, said = _why(component, key(PHONE), key(EMAIL))
    forbid(component, both, 6 * ORDERS_PER_MICROSECOND, True)
    _, parted = _why(component, key(PHONE), key(EMAIL))

    assert said.same
    assert [(step.verdict, step.first_seen) for step in said.steps] == [("holds", 1), ("bound", 5), ("holds", 2)]
    assert not parted.same
    assert parted.apart == (both,)


def test_an_expired_case_and_a_frozen_part_are_why_not() -> None:
    expired = evidence((1, [key(EMAIL, 1), key(CASE)]), (200 * DAY, [key(EMAIL, 2), key(CASE)]))
    assert [step.verdict for step in _why(expired, key(EMAIL, 2), key(CASE))[1].steps] == ["expired"]

    chain = evidence(*[(number, [key(PHONE, number), key(PHONE, number + 1)]) for number in range(1, 5)])
    small = structs.replace(POLICY, component_members_max=3)
    said = _why(chain, key(PHONE, 1), key(PHONE, 5), small)[1]
    assert [step.verdict for step in said.steps] == ["holds", "holds", "component_frozen", "component_frozen"]


def test_those_never_seen_together_have_no_chain() -> None:
    component = evidence((1, [key(CRM, 1), key(COOKIE, 1)]), (2, [key(CRM, 2), key(COOKIE, 2)]))

    _, said = _why(component, key(CRM, 1), key(CRM, 2))

    assert said == Why(False, ())
    assert _why(component, key(CRM), key(CRM))[1].same


def test_a_public_id_leads_back_to_its_canonical_identifier() -> None:
    for code in (0, 2, 255):
        assert canonical(customer_id(key(code, code * 7919 + 1))) == key(code, code * 7919 + 1)
    assert canonical("c" + "1" * 26) is None
    assert canonical("") is None
