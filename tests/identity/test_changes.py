"""Merges, splits and successors, read off the people before and after."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity_conflict import IdentityConflict, Rule
from streams.identity.changes import Merge, Split, conflict, handled, merges, splits, successors
from streams.identity.identifiers import customer_id
from streams.identity.policy import ranked
from streams.identity.resolve import Refused
from streams.journeys.identity_policy import TYPES
from streams.rows import NodeKey, Person


def key(number: int) -> NodeKey:
    return number.to_bytes(16, "big")


def person(*members: int, fragments: tuple[int, ...] | None = None) -> Person:
    held = members if fragments is None else fragments
    return Person(key(min(members)), tuple(map(key, sorted(members))), tuple(map(key, sorted(held))))


def test_two_become_one() -> None:
    before, after = [person(1), person(2, 3)], [person(1, 2, 3)]

    assert merges(before, after) == [Merge((key(2),), key(1))]
    assert splits(before, after) == []
    assert successors(before, after) == {key(2): key(1)}


def test_a_prospect_who_logs_in_is_gone_into_the_login() -> None:
    before, after = [person(6)], [person(0, 6)]

    assert merges(before, after) == [Merge((key(6),), key(0))]


def test_one_becomes_two_and_lives_on() -> None:
    before, after = [person(1, 2)], [person(1), person(2)]

    assert splits(before, after) == [Split(key(1), (key(1), key(2)))]
    assert merges(before, after) == []
    assert successors(before, after) == {}


def test_what_stays_is_no_change() -> None:
    before, after = [person(1, 2)], [person(1, 2, 3)]

    assert merges(before, after) == splits(before, after) == []


def test_a_customer_whose_identifier_holds_no_touch_is_followed_by_its_fragment() -> None:
    before, after = [person(1, 2, fragments=(2,))], [person(2)]

    assert successors(before, after) == {key(1): key(2)}
    assert merges(before, after) == [Merge((key(1),), key(2))]


@given(st.lists(st.integers(0, 4), min_size=8, max_size=8), st.lists(st.integers(0, 4), min_size=8, max_size=8))
def test_whoever_is_gone_has_a_living_successor(here: list[int], there: list[int]) -> None:
    before = [person(*group) for label in range(5) if (group := [number for number, mine in enumerate(here) if mine == label])]
    after = [person(*group) for label in range(5) if (group := [number for number, mine in enumerate(there) if mine == label])]
    living = {one.canonical for one in after}

    gone = successors(before, after)

    assert set(gone) == {one.canonical for one in before} - living
    assert set(gone.values()) <= living
    for merge in merges(before, after):
        assert set(merge.gone) <= set(gone)


def test_a_conflict_names_the_command_that_decides_otherwise_and_its_hashes_are_read_again() -> None:
    types = ranked(TYPES)
    left, right = (bytes([code]) + bytes(range(number, number + 15)) for code, number in ((0, 1), (2, 200)))
    people = [Person(left, (left, right), (left,))]

    def command(rule: Rule) -> list[str]:
        ends = (left, right) if rule in ("limit", "cannot_link", "weak_between_known") else (left, left)
        return conflict(Refused(rule, *ends, "user_id", 7), people, types).command.split()

    said = {rule: command(rule) for rule in get_args(Rule)}

    assert {rule: words[:3] if words[1] == "identity" else words[:2] for rule, words in said.items()} == {
        "limit": ["kairos", "identity", "link"],
        "weak_between_known": ["kairos", "identity", "link"],
        "cannot_link": ["kairos", "identity", "allow"],
        "generic": ["kairos", "identity", "unmark"],
        "shared_login": ["kairos", "identity", "unmark"],
        "crowded": ["kairos", "identity", "generic"],
        "component_frozen": ["kairos", "who"],
        "component_full": ["kairos", "who"],
    }
    for rule, words in said.items():
        keys = [handled(*word.split(":"), types) for word in words if ":#" in word]
        assert keys == ([left, right] if rule in ("limit", "cannot_link", "weak_between_known") else [left])
    (kind, _, hashed) = said["limit"][3].partition(":")
    assert handled("email", hashed, types) is None, "of another type it is a value"
    assert handled(kind, "#4711", types) is None and handled(kind, hashed[1:], types) is None


def test_a_conflict_tells_types_and_hashes_and_no_values() -> None:
    user, email, other = (bytes([code]) + bytes([number]) * 15 for code, number in ((0, 1), (2, 2), (0, 3)))
    people = [Person(user, (user, email), (user,)), Person(other, (other,), (other,))]

    told = conflict(Refused("limit", other, email, "user_id", 7), people, ranked(TYPES))

    assert told.customers == tuple(sorted((customer_id(user), customer_id(other))))
    assert [one.partition(":")[0] for one in told.evidence] == ["user_id", "email"]
    assert told.identifier_type == "user_id" and told.occurred_at == 7
    assert set(IdentityConflict.__struct_fields__) >= {"id", "rule", "identifier_type", "customers", "evidence"}
