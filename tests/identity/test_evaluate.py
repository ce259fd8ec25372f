"""Quality is what a naive count of every pair says, and what can be told is decided by the truth."""

from random import Random

import pytest

from streams.identity.evaluate import CHAIN, Errors, Kind, Seen, evaluate, tellable
from tests.oracles import quality as oracle

USER, CRM = Kind(False, True, "user_id"), Kind(False, True, "crm_id")
EMAIL, COOKIE, SESSION = Kind(False, True, None), Kind(True, True, None), Kind(True, False, None)


def world(seed: int) -> tuple[list[Seen], dict[int, Kind]]:
    """Interactions of a few people of one login a type at most, who share some things, found at random."""
    chance = Random(seed)
    people = chance.randint(1, 4)
    kinds = dict(enumerate(chance.choices([EMAIL, COOKIE, SESSION], k=12)))
    kinds |= {20 + person: chance.choice([USER, CRM]) for person in range(people)}
    seen = []
    for _ in range(chance.randint(0, 25)):
        person = chance.randrange(people)
        mine = [one for one in range(12) if one % people == person or one in (0, 1)] + [20 + person]
        carried = tuple(chance.sample(mine, min(len(mine), chance.randint(1, 3))))
        seen.append(Seen(person, chance.randint(0, 3), carried))
    return seen, kinds


@pytest.mark.parametrize("seed", range(150))
def test_quality_is_what_a_count_of_every_pair_says(seed: int) -> None:
    seen, kinds = world(seed)
    people, found, carried = [one.person for one in seen], [one.found for one in seen], [one.identifiers for one in seen]

    said = evaluate(seen, kinds, {}, {})

    assert (said.pairs, said.clusters) == oracle.scores(found, dict(enumerate(people)), people)
    parts = oracle.parts(carried, people, kinds)
    assert set(tellable(seen, kinds)) == set(parts)
    assert (said.told_pairs, said.told_clusters) == oracle.scores(found, parts, people, oracle.alike(carried, people, kinds))
    assert sum(errors.false_pairs for errors in said.causes.values()) == said.told_pairs.claimed - said.told_pairs.right
    assert sum(errors.missed_pairs for errors in said.causes.values()) == said.told_pairs.wanted - said.told_pairs.reached


def test_the_worlds_hold_all_that_is_counted() -> None:
    said = [evaluate(*world(seed), {}, {}) for seed in range(150)]

    assert sum(one.alike.false_pairs > 0 for one in said) > 5
    assert sum(one.told_pairs.claimed > one.told_pairs.right for one in said) > 20
    assert sum(one.told_pairs.wanted > one.told_pairs.reached > 0 for one in said) > 20
    assert sum(0 < one.told < one.interactions for one in said) > 20


def test_people_found_as_they_are_score_one_and_nobody_found_scores_zero_of_recall() -> None:
    seen = [Seen(person, person, (person,)) for person in (0, 0, 1, 1, 1)]
    kinds = {0: USER, 1: USER}

    best, none = evaluate(seen, kinds, {}, {}), evaluate([one._replace(found=place) for place, one in enumerate(seen)], kinds, {}, {})

    assert (best.told_pairs.precision, best.told_pairs.recall, best.told_pairs.f1) == (1, 1, 1)
    assert (none.told_pairs.precision, none.told_pairs.recall, none.told_pairs.f1) == (1, 0, 0)
    assert best.told_pairs == (4, 4, 4, 4)
    assert (best.causes, none.causes) == ({}, {"none": Errors(missed_pairs=4, people=2)})


def test_a_second_login_is_told_as_another_person_would_be() -> None:
    first, second, address, cookie = range(4)
    kinds = {first: USER, second: USER, address: EMAIL, cookie: COOKIE}
    seen = [Seen(0, 0, carried) for carried in ((first, address), (first,), (second, address), (address,), (second, cookie), (cookie,))]

    parts = tellable(seen, kinds)

    assert parts[0] == parts[1] != parts[2] == parts[4] == parts[5]
    assert 3 not in parts


def test_a_cookie_of_two_that_nothing_else_joins_tells_neither_and_a_session_alone_nobody() -> None:
    crm, address, cookie, session, shared = range(5)
    kinds = {crm: CRM, address: EMAIL, cookie: COOKIE, session: SESSION, shared: COOKIE}
    seen = [Seen(0, 0, carried) for carried in ((crm, cookie), (address, cookie), (cookie,), (session, shared))] + [Seen(1, 1, (shared,))]

    assert set(tellable(seen, kinds)) == {0, 1}
    assert len(set(tellable(seen, kinds).values())) == 2


def test_an_error_has_the_case_the_home_or_the_chain_that_led_to_it() -> None:
    kinds = {0: USER, 1: USER, 2: EMAIL, 3: EMAIL}
    family = [Seen(0, "x", (0, 2), "family_email"), Seen(1, "x", (1, 2))]
    home = [Seen(0, "x", (0, 2)), Seen(1, "x", (1, 2))]
    chain = [Seen(0, "x", (0,)), Seen(1, "x", (1,))]
    torn = [Seen(0, "x", (0,)), Seen(0, "y", (0,))]

    assert evaluate(family, kinds, {0: "h", 1: "h"}, {}).causes == {"family_email": Errors(1, 1)}
    assert evaluate(home, kinds, {0: "h", 1: "h"}, {}).causes == {"household": Errors(1, 1)}
    assert evaluate(home, kinds, {0: "h", 1: "other"}, {}).causes == {"other": Errors(1, 1)}
    assert evaluate(chain, kinds, {}, {}).causes == {CHAIN: Errors(1, 1)}
    assert evaluate(torn, kinds, {0: "h"}, {0: "typo_email"}).causes == {"typo_email": Errors(0, 0, 1, 1)}


def test_two_whom_nothing_contradicts_cannot_be_told_apart() -> None:
    kinds = {0: USER, 1: CRM, 2: EMAIL, 3: CRM}
    alike = [Seen(0, "x", (0, 2)), Seen(1, "x", (1, 2))]
    seen_apart = [*alike, Seen(2, "y", (3, 2))]

    assert evaluate(alike, kinds, {}, {}).alike == Errors(1, 1)
    assert evaluate(alike, kinds, {}, {}).told_pairs.precision == 1
    assert evaluate(alike, kinds, {}, {}).told_clusters.precision == 1
    assert evaluate(seen_apart, kinds, {}, {}).alike == Errors()
    assert evaluate(seen_apart, kinds, {}, {}).told_pairs.precision == 0
