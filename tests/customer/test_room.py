"""What gives way where a customer's rows have too little room."""

from msgspec.structs import replace

from streams.customer import room, state
from streams.customer.state import Case, ConsentGiven, State, Totals, next_deadline
from streams.journeys import retail
from streams.language import rulebook

BARE = state.empty(rulebook(retail))
LONG = "x" * 8_000


def _wide(**rest: object) -> State:
    return replace(BARE, touchpoints={f"{LONG}{number}": (1, number) for number in range(200)}, **rest)


def test_what_has_room_stays_as_it_is() -> None:
    small = replace(BARE, touchpoints={"shop": (1, 1)})

    assert room.fitted(small, BARE) == (small, [])


def test_of_names_the_newest_stay_of_consents_denials_of_cases_open_ones() -> None:
    given = {f"p{number}\n*": (ConsentGiven("denied" if number == 0 else "granted", None, number, ()),) for number in range(200)}
    cases = {f"c{number}": Case(None, number, number, (), None, None if number == 0 else number) for number in range(200)}
    totals = {f"t{number}": Totals(1 + number % 7, "5") for number in range(200)}

    after, gave_way = room.fitted(_wide(consent=given, cases=cases, totals=totals), BARE)

    assert gave_way == ["names"]
    assert list(after.touchpoints) == [f"{LONG}{number}" for number in range(100, 200)]
    assert set(after.consent) == {"p0\n*", *[f"p{number}\n*" for number in range(101, 200)]}
    assert set(after.cases) == {"c0", *[f"c{number}" for number in range(101, 200)]}
    assert {of.orders for of in after.totals.values()} == {4, 5, 6, 7}
    assert len(after.totals) == 100


def test_rules_that_remember_too_much_begin_anew_and_wait_for_nothing() -> None:
    full = replace(BARE, memory=[[[number, LONG] for number in range(200)], *BARE.memory[1:]], due=[7, *BARE.due[1:]])

    after, gave_way = room.fitted(full, BARE)

    assert gave_way == ["memory"]
    assert after.memory == BARE.memory
    assert next_deadline(after) is None
    assert next_deadline(full) == 7
