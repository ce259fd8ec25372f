"""People from evidence: each rule of the policy, one at a time."""

from collections.abc import Iterable

from msgspec import structs

from streams.identity.component import Component, bind, ends, forbid, identifiers, mark, pair, witness
from streams.identity.policy import Policy
from streams.identity.resolve import Refused, Resolved, _is_undisputed, law, resolve
from streams.instants import DAY, HOUR
from streams.journeys.identity_policy import identity_policy
from streams.rows import NodeKey

POLICY = identity_policy(b"s")
SHARED = structs.replace(POLICY, types=tuple(structs.replace(kind, nobodys_if_contested=False) for kind in POLICY.types))
"""Contested things go to somebody."""
USER, CRM, EMAIL, LOYALTY, PHONE, DEVICE, COOKIE, CASE, SESSION = range(9)


def key(code: int, number: int = 1) -> NodeKey:
    return bytes([code]) + number.to_bytes(15, "big")


def evidence(*touches: tuple[int, Iterable[NodeKey]]) -> Component:
    component = Component(set())
    for occurred_at, keys in touches:
        ids = tuple(sorted(keys))
        component.members |= set(ids)
        witness(component, ids, occurred_at)
    return component


def groups(resolved: Resolved) -> list[set[NodeKey]]:
    return [set(person.members) for person in resolved.people]


def rules(resolved: Resolved) -> list[str]:
    return [refused.rule for refused in resolved.refused]


def who(component: Component, policy: Policy = POLICY) -> list[set[NodeKey]]:
    return groups(resolve(component, policy))


def test_linked_identifiers_are_one_person_under_the_lowest() -> None:
    resolved = resolve(evidence((5, [key(EMAIL), key(COOKIE)]), (6, [key(USER), key(EMAIL)])), POLICY)

    assert [person.canonical for person in resolved.people] == [key(USER)]
    assert resolved.people[0].members == (key(USER), key(EMAIL), key(COOKIE))
    assert resolved.people[0].fragments == (key(USER), key(EMAIL))
    assert resolved.refused == ()


def test_what_a_command_binds_is_one_person_also_where_what_linked_it_has_expired() -> None:
    component = evidence((0, [key(LOYALTY), key(SESSION)]), (30 * DAY, [key(CASE), key(SESSION)]))
    assert who(component) == [{key(LOYALTY), key(SESSION)}, {key(CASE)}]

    bind(component, pair(key(CASE), key(SESSION)), 1)

    assert who(component) == [{key(LOYALTY), key(SESSION), key(CASE)}]


def test_nobody_is_called_after_an_identifier_that_is_still_a_customer_elsewhere() -> None:
    component = evidence((1, [key(DEVICE), key(COOKIE)]), (1, [key(DEVICE), key(SESSION)]), (1, [key(SESSION)]))
    forbid(component, pair(key(DEVICE), key(COOKIE)), 1, True)
    bind(component, pair(key(COOKIE), key(SESSION)), 1)
    assert {key(COOKIE), key(SESSION)} in who(component)

    component.members.remove(key(COOKIE))  # The device's interaction names it, but it has not been absorbed yet.

    assert who(component) == [{key(DEVICE), key(SESSION)}, {key(COOKIE)}]


def test_two_logins_are_two_people() -> None:
    component = evidence((1, [key(USER, 1), key(EMAIL)]), (2, [key(USER, 2), key(EMAIL)]))

    resolved = resolve(component, POLICY)

    assert groups(resolved) == [{key(USER, 1), key(EMAIL)}, {key(USER, 2)}]
    assert resolved.refused == (Refused("limit", key(USER, 2), key(EMAIL), "user_id", 2),)


def test_the_older_strong_link_holds() -> None:
    assert who(evidence((9, [key(USER, 1), key(EMAIL)]), (2, [key(USER, 2), key(EMAIL)]))) == [{key(USER, 1)}, {key(USER, 2), key(EMAIL)}]


def test_a_contested_cookie_goes_to_the_latest_the_first_or_nobody() -> None:
    component = evidence((1 * HOUR, [key(USER, 1), key(COOKIE)]), (9 * HOUR, [key(USER, 2), key(COOKIE)]))
    latest, first, nobody = (structs.replace(SHARED, contested=rule) for rule in ("latest", "first", "none"))

    assert who(component, latest) == [{key(USER, 1)}, {key(USER, 2), key(COOKIE)}]
    assert who(component, first) == [{key(USER, 1), key(COOKIE)}, {key(USER, 2)}]
    assert who(component, nobody) == [{key(USER, 1)}, {key(USER, 2)}, {key(COOKIE)}]
    assert rules(resolve(component, latest)) == ["weak_between_known"]
    assert rules(resolve(component, nobody)) == ["weak_between_known"] * 2
    assert who(component) == who(component, nobody)


def test_where_cookies_are_nobody_s_a_case_still_goes_to_the_latest() -> None:
    cookie = evidence((1 * HOUR, [key(USER, 1), key(COOKIE)]), (9 * HOUR, [key(USER, 2), key(COOKIE)]))
    case = evidence((1 * HOUR, [key(USER, 1), key(CASE)]), (9 * HOUR, [key(USER, 2), key(CASE)]))

    assert who(cookie) == [{key(USER, 1)}, {key(USER, 2)}, {key(COOKIE)}]
    assert who(case) == [{key(USER, 1)}, {key(USER, 2), key(CASE)}]


def test_a_weak_link_never_joins_two_known_people() -> None:
    component = evidence((1, [key(EMAIL, 1), key(DEVICE)]), (2, [key(PHONE, 1), key(DEVICE)]))

    assert len(who(component, SHARED)) == 2
    assert who(component) == [{key(EMAIL, 1)}, {key(PHONE, 1)}, {key(DEVICE)}]


def test_a_sixth_address_within_a_year_is_another_person() -> None:
    year = evidence(*[(number * DAY, [key(USER), key(EMAIL, number)]) for number in range(6)])
    longer = evidence(*[(number * 100 * DAY, [key(USER), key(EMAIL, number)]) for number in range(6)])

    assert len(who(year)) == 2
    assert rules(resolve(year, POLICY)) == ["limit"]
    assert len(who(longer)) == 1


def test_a_sixth_cookie_within_a_month_is_another_person() -> None:
    month = evidence(*[(number * DAY, [key(USER), key(COOKIE, number)]) for number in range(6)])
    longer = evidence(*[(number * 30 * DAY, [key(USER), key(COOKIE, number)]) for number in range(6)])

    assert len(who(month)) == 2
    assert len(who(longer)) == 1


def test_a_window_counts_back_from_the_newest_touch() -> None:
    component = evidence(*[(number * DAY, [key(USER), key(EMAIL, number)]) for number in range(6)])
    assert len(who(component)) == 2

    witness(component, (key(USER),), 366 * DAY)

    assert len(who(component)) == 1


def test_a_cookie_of_others_moves_no_window() -> None:
    component = evidence(*[(number * DAY, [key(USER), key(EMAIL, number)]) for number in range(6)])
    later = evidence((9 * DAY, [key(USER), key(COOKIE)]), (800 * DAY, [key(USER, 2), key(COOKIE)]))
    component.members |= later.members
    component.edges |= later.edges
    component.fragments |= {key(USER, 2): 800 * DAY, key(USER): 9 * DAY}

    assert sum(len(group & {key(EMAIL, number) for number in range(6)}) == 5 for group in who(component)) == 1


def _on_things_of(others: int) -> Component:
    """A login that was seen on the cookies of so many others, and on one that nobody else used; somebody registered with it."""
    seen = [(hours * HOUR, [key(USER, 1 + who), key(COOKIE, hours)]) for hours in range(1, 1 + others) for who in (0, hours)]
    return evidence(*seen, (99 * HOUR, [key(USER, 1), key(COOKIE, 99)]), (99 * HOUR, [key(USER, 1), key(EMAIL)]))


def test_a_login_on_the_things_of_too_many_others_has_none_and_they_keep_theirs() -> None:
    few, many = resolve(_on_things_of(3), POLICY), resolve(_on_things_of(4), POLICY)

    assert groups(few)[0] == {key(USER, 1), key(EMAIL), key(COOKIE, 99)}
    assert rules(few) == ["weak_between_known"] * 6
    assert groups(many) == [
        {key(USER, 1), key(EMAIL)},
        *[{key(USER, 1 + number), key(COOKIE, number)} for number in range(1, 5)],
        {key(COOKIE, 99)},
    ]
    assert many.refused == (Refused("shared_login", key(USER, 1), key(USER, 1), "user_id", None),)


def test_a_login_that_somebody_unmarked_has_its_things_whoever_else_used_them() -> None:
    component = _on_things_of(4)
    mark(component, key(USER, 1), 7 << 40, False)

    assert who(component)[0] == {key(USER, 1), key(EMAIL), key(COOKIE, 99)}


def test_what_a_command_binds_to_a_shared_login_stays_with_it() -> None:
    component = _on_things_of(4)
    bind(component, pair(key(USER, 1), key(COOKIE, 99)), 1)

    assert who(component)[0] == {key(USER, 1), key(EMAIL), key(COOKIE, 99)}


def test_others_of_another_type_or_met_on_strong_identifiers_make_no_login_shared() -> None:
    numbers = evidence(*[(hours, [key(CRM, hours), key(COOKIE, hours)]) for hours in range(1, 9)])
    numbers = evidence(*[(hours, [key(USER), key(COOKIE, hours)]) for hours in range(1, 9)], *[(1, ends(both)) for both in numbers.edges])
    addresses = evidence(*[(hours, [key(USER, who), key(EMAIL, hours)]) for hours in range(1, 5) for who in (0, hours)])

    assert "shared_login" not in rules(resolve(numbers, POLICY)) + rules(resolve(addresses, POLICY))


def test_a_generic_identifier_links_nobody() -> None:
    component = evidence((1, [key(USER, 1), key(PHONE)]), (2, [key(USER, 2), key(PHONE)]))
    component.generic.add(key(PHONE))

    resolved = resolve(component, POLICY)

    assert groups(resolved) == [{key(USER, 1)}, {key(USER, 2)}, {key(PHONE)}]
    assert rules(resolved) == ["generic"]


def test_a_pair_kept_apart_is_not_joined_by_a_detour() -> None:
    component = evidence((1, [key(EMAIL), key(LOYALTY)]), (2, [key(EMAIL), key(PHONE)]))
    forbid(component, pair(key(LOYALTY), key(PHONE)), 1, True)

    resolved = resolve(component, POLICY)

    assert groups(resolved) == [{key(EMAIL), key(LOYALTY)}, {key(PHONE)}]
    assert rules(resolved) == ["cannot_link"]


def test_the_newest_command_holds_in_whatever_order_they_come() -> None:
    early = evidence((1, [key(EMAIL), key(PHONE)]))
    late = evidence((1, [key(EMAIL), key(PHONE)]))
    both = pair(key(EMAIL), key(PHONE))

    assert forbid(early, both, 1, True) and forbid(early, both, 2, False)
    assert forbid(late, both, 2, False) and not forbid(late, both, 1, True)

    assert who(early) == who(late) == [{key(EMAIL), key(PHONE)}]


def test_a_session_links_only_within_its_lifetime() -> None:
    hours = [(0, key(COOKIE, 1)), (24 * HOUR, key(COOKIE, 2)), (25 * HOUR, key(COOKIE, 3))]
    component = evidence(*[(occurred_at, [cookie, key(SESSION)]) for occurred_at, cookie in hours])

    assert who(component) == [{key(COOKIE, 1), key(COOKIE, 2), key(SESSION)}, {key(COOKIE, 3)}]


def test_a_late_earlier_sighting_moves_the_lifetime() -> None:
    component = evidence((30 * HOUR, [key(COOKIE, 1), key(SESSION)]), (0, [key(COOKIE, 2), key(SESSION)]))

    assert who(component) == [{key(COOKIE, 1)}, {key(COOKIE, 2), key(SESSION)}]


def test_a_component_above_the_cap_is_frozen_as_its_oldest_links_were() -> None:
    capped = structs.replace(POLICY, component_members_max=4)
    component = evidence(*[(number, [key(LOYALTY, 1), key(COOKIE, number)]) for number in range(1, 7)])

    resolved = resolve(component, capped)

    assert groups(resolved)[0] == {key(LOYALTY, 1), key(COOKIE, 1), key(COOKIE, 2), key(COOKIE, 3)}
    assert len(resolved.people) == 4
    assert rules(resolved) == ["component_frozen"]


def test_the_cap_holds_where_no_other_rule_has_a_say() -> None:
    component = evidence(*[(number, [key(LOYALTY, 1), key(COOKIE, number)]) for number in range(1, 4)])

    assert len(who(component, structs.replace(POLICY, component_members_max=3))) == 2
    assert len(who(component, structs.replace(POLICY, component_members_max=4))) == 1


def test_identifiers_joined_only_through_a_generic_one_freeze_nobody() -> None:
    capped = structs.replace(POLICY, component_members_max=4)
    component = evidence(
        *[(1, [key(USER, number), key(EMAIL, number)]) for number in range(5)],
        (2, [key(USER, 1), key(PHONE)]),
        (2, [key(USER, 2), key(PHONE)]),
    )
    component.generic.add(key(PHONE))

    assert "component_frozen" not in rules(resolve(component, capped))


def test_sessions_freeze_nobody() -> None:
    capped = structs.replace(POLICY, component_members_max=2)
    component = evidence(*[(number * HOUR, [key(USER), key(COOKIE), key(SESSION, number)]) for number in range(40)])

    resolved = resolve(component, capped)

    assert len(resolved.people) == 1 and resolved.refused == ()


def test_a_new_session_of_a_busy_customer_is_resolved_without_a_search() -> None:
    component = evidence(*[(number * HOUR, [key(USER), key(COOKIE, number % 4), key(SESSION, number)]) for number in range(400)])
    component.edges |= evidence((7, [key(COOKIE, 1), key(SESSION, 500)])).edges
    component.members.add(key(SESSION, 500))

    assert len(resolve(component, POLICY).people) == 1
    assert _is_undisputed(component, identifiers(component), law(POLICY))
    component.edges[key(COOKIE, 2) + key(SESSION, 500)] = (9 * 24 * HOUR, 9 * 24 * HOUR)
    assert not _is_undisputed(component, identifiers(component), law(POLICY))
