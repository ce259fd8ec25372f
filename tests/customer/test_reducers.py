"""Each part of the state, by what an interaction carries."""

import json
import pkgutil

import pytest
from msgspec.structs import replace

from streams.customer import fold, reducers, state
from streams.customer.reducers import cases, consent, identifiers
from streams.customer.state import Case, ConsentGiven, State, Totals, Trait
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import Touch

RULES = rulebook(retail)
CRM, WEB = ("crm_id", "1"), ("anonymous_id", "x")


def touch(
    at: int,
    event: str = "Page Viewed",
    identifiers: tuple[tuple[str, str], ...] = (CRM,),
    payload: dict[str, object] | None = None,
    **rest: object,
) -> Touch:
    plain = Touch(f"m{at}", "s", at, at, "track", event, "web", "shop", identifiers, json.dumps(payload or {}).encode())
    return replace(plain, **rest)


def folded(*touches: Touch) -> State:
    return fold.fold(state.empty(RULES), touches, touches[-1].occurred_at, RULES).state


def test_every_reducer_file_is_shown_the_interactions() -> None:
    files = {found.name for found in pkgutil.iter_modules(reducers.__path__)}

    assert files == {"identifiers", "contacts", "traits", "consent", "locale", "accounts", "cases", "totals"}
    assert files <= set(reducers.reduce.__code__.co_names)


def test_identifiers_and_contacts_know_first_and_last() -> None:
    after = folded(touch(1), touch(2, identifiers=(CRM, WEB)), touch(3, source="t"))

    assert after.identifiers == {"crm_id:1": (1, 3), "anonymous_id:x": (2, 2)}
    assert (after.channels, after.touchpoints) == ({"web": (3, 3)}, {"shop": (3, 3)})
    assert after.sources == {"s": 2, "t": 3}


def test_a_trait_survives_by_its_policy() -> None:
    after = folded(
        touch(1, payload={"traits": {"name": "Ann", "country": "UK", "createdAt": "1999"}}, party="first"),
        touch(2, payload={"traits": {"name": "A.", "country": "FR", "createdAt": "2000"}}, party="third", source="bureau"),
    )

    assert after.traits == {
        "name": Trait("Ann", "s", "first", 1),
        "country": Trait("FR", "bureau", "third", 2),
        "createdAt": Trait("1999", "s", "first", 1),
    }


def test_a_trait_is_text_a_whole_number_a_truth_or_nothing() -> None:
    sent = {"traits": {"a": 1.50, "b": [1, "x", {}], "c": {"d": None, "e": True}, "f": 2**70}, "context": {"traits": {"a": 9, "g": 3}}}

    values = {name: trait.value for name, trait in folded(touch(1, payload=sent)).traits.items()}

    assert values == {"a": "1.5", "b": "1, x", "c.d": None, "c.e": True, "f": str(2**70), "g": 3}


def test_a_groups_traits_are_not_the_persons() -> None:
    assert folded(touch(1, payload={"traits": {"name": "Acme"}}, type="group")).traits == {}


def test_no_sender_makes_a_state_grow_without_end() -> None:
    many = [touch(at, payload={"traits": {f"t{at}": "x", "long": "x" * 2000}}, touchpoint=f"p{at}", source=f"s{at}") for at in range(250)]

    after = folded(*many)

    assert len(after.traits) == len(after.touchpoints) == len(after.sources) == state.NAMES_MAX
    assert set(after.sources) == {f"s{at}" for at in range(50, 250)}
    assert "long" not in after.traits


def _consent(at: int, decided: str, identifiers: tuple[tuple[str, str], ...]) -> Touch:
    return touch(at, "Consent Changed", identifiers, {"consent": [{"purpose": "news", "channel": "email", "state": decided}]})


def test_consent_is_taken_back_only_under_an_identifier_it_was_given_under() -> None:
    name = "news\nemail"

    merged = folded(_consent(1, "denied", (WEB,)), _consent(2, "granted", (CRM,))).consent[name]
    taken_back = folded(_consent(1, "denied", (WEB,)), _consent(2, "granted", (CRM, WEB))).consent[name]

    assert consent.in_force(merged) == ConsentGiven("denied", None, 1, consent.marked(["anonymous_id:x"]))
    assert consent.in_force(taken_back).state == "granted"


def test_no_consent_is_given_after_it_was_told_so_that_a_later_one_takes_it_back() -> None:
    def told(at: int, decided: str, said: str) -> Touch:
        return touch(at, payload={"consent": [{"purpose": "news", "state": decided, "at": said}]})

    ahead = folded(told(1, "granted", "2999-01-01T00:00:00Z"))
    taken_back = folded(told(1, "granted", "2999-01-01T00:00:00Z"), touch(2, payload={"consent": [{"purpose": "news", "state": "denied"}]}))

    assert consent.in_force(ahead.consent["news\n*"]).since == 1
    assert consent.in_force(taken_back.consent["news\n*"]).state == "denied"


def test_of_more_consents_than_are_remembered_a_denial_is_forgotten_last() -> None:
    def told(at: int, decided: str) -> Touch:
        return touch(at, payload={"consent": [{"purpose": f"p{at}-{number}", "state": decided} for number in range(50)]})

    after = folded(told(1, "denied"), *[told(at, "granted") for at in range(2, 9)]).consent

    assert {name.partition("-")[0] for name in after} == {"p1", "p6", "p7", "p8"}
    assert len(after) == state.NAMES_MAX


def test_of_more_identifiers_than_are_remembered_those_seen_longest_ago_are_forgotten() -> None:
    many = [touch(at, identifiers=(CRM, *[("session_id", f"{at}-{number}") for number in range(50)])) for at in range(100)]

    after = folded(*many).identifiers

    assert len(after) == identifiers.IDENTIFIERS_MAX
    assert after["crm_id:1"] == (0, 99)
    assert {name.partition("-")[0] for name in after} == {"crm_id:1", *[f"session_id:{at}" for at in range(80, 100)]}


def test_what_has_too_long_a_name_is_kept_by_none() -> None:
    long = "x" * 1000

    sent = {"traits": {long: 1, "t": {long: 2, "u": 3}}, "properties": {"revenue": 5, "currency": long}}
    after = folded(touch(1, "Order Completed", payload=sent))

    assert set(after.traits) == {"t.u"}
    assert after.totals == {"": Totals(1, "5")}


@pytest.mark.parametrize(
    ("said", "value", "expected"),
    [
        ({"revenue": 40, "currency": "eur"}, ("5", "GBP"), {"EUR": "40"}),
        ({"revenue": 40}, ("5", "GBP"), {"": "40"}),
        ({"revenue": 40.0}, ("40", "GBP"), {"GBP": "40"}),
        ({"revenue": 40}, None, {"": "40"}),
        ({"currency": "EUR"}, ("5", "GBP"), {"GBP": "5"}),
        ({"currency": "EUR"}, None, {"EUR": "0"}),
        ({}, None, {"": "0"}),
    ],
)
def test_an_amount_has_the_currency_that_was_said_with_it(
    said: dict[str, object], value: tuple[str, str] | None, expected: dict[str, str]
) -> None:
    amount, currency = value or (None, None)

    after = folded(touch(1, "Order Completed", payload={"properties": said}, amount=amount, currency=currency))

    assert {name: totals.revenue for name, totals in after.totals.items()} == expected


def test_a_case_crosses_channels_until_it_is_solved() -> None:
    opened = touch(1, "Case Opened", case_id="c", topic="delivery", department="care")
    asked = Touch("m2", "s", 2, 2, "track", "Call Started", "voice", "", (CRM,), b"{}", case_id="c")

    assert folded(opened, asked).cases == {"c": Case("delivery", 1, 2, ("web", "voice"), "care")}
    assert folded(opened, asked, touch(3, "Case Solved", case_id="c")).cases["c"].solved_at == 3


def test_solved_cases_are_forgotten_one_by_one_and_open_ones_never() -> None:
    many = [touch(at, event, case_id=f"c{at // 2}") for at in range(100) for event in [("Case Opened", "Case Solved")[at % 2]]]

    after = folded(touch(0, "Case Opened", case_id="open"), *many[1:])

    assert len(after.cases) == cases.SOLVED_MAX + 1
    assert after.cases["open"].solved_at is None


def test_totals_are_exact_by_currency_whatever_the_sign() -> None:
    def worth(at: int, event: str, revenue: float, currency: str) -> Touch:
        return touch(at, event, payload={"properties": {"revenue": revenue, "currency": currency}})

    after = folded(
        worth(1, "Order Completed", 0.1, "gbp"),
        worth(2, "Order Completed", 0.2, "GBP"),
        worth(3, "Order Cancelled", -0.1, "GBP"),
        worth(4, "Order Refunded", 7, "EUR"),
        touch(5, "Order Completed", amount="12.5", currency="EUR"),
    )

    assert after.totals == {"GBP": Totals(2, "0.3", 1, "0.1"), "EUR": Totals(1, "12.5", 0, "0", 1, "7")}


def test_language_time_zone_and_account_are_the_last_said() -> None:
    after = folded(touch(1, language="de", timezone="Europe/Berlin", account="acme"), touch(2, language="en"))

    assert (after.language, after.timezone, after.accounts) == ("en", "Europe/Berlin", {"acme": 1})


def test_no_sender_of_ever_new_cases_makes_a_state_grow_without_end() -> None:
    opened = folded(*[touch(at, "Case Opened", case_id=f"c{at}") for at in range(state.NAMES_MAX + 50)])
    solved = folded(*[touch(at, "Case Solved", case_id=f"c{at}") for at in range(50)])

    assert set(opened.cases) == {f"c{at}" for at in range(50, state.NAMES_MAX + 50)}
    assert set(solved.cases) == {f"c{at}" for at in range(30, 50)}


def test_of_many_decisions_under_unconnected_identifiers_a_denial_is_forgotten_last() -> None:
    denied = _consent(0, "denied", (("anonymous_id", "first"),))

    after = folded(denied, *[_consent(at, "granted", (("anonymous_id", f"x{at}"),)) for at in range(1, 40)]).consent["news\nemail"]

    assert len(after) == consent.STANDING_MAX
    assert consent.in_force(after).state == "denied"
    assert {given.since for given in after} == {0, *range(25, 40)}


def test_of_more_decisions_than_stand_at_all_those_that_count_are_forgotten_last() -> None:
    def told(at: int) -> Touch:
        said = [{"purpose": f"p{number}", "state": "denied" if at == 1 else "granted"} for number in range(60)]
        return touch(at, identifiers=(("anonymous_id", f"x{at}"),), payload={"consent": said})

    after = folded(*map(told, range(1, 13))).consent

    assert len(after) == 60
    assert sum(map(len, after.values())) == consent.DECISIONS_MAX
    assert {consent.in_force(given).state for given in after.values()} == {"denied"}


def test_a_decision_takes_as_much_room_under_long_identifiers_as_under_short_ones() -> None:
    long, short = (folded(_consent(1, "granted", (("crm_id", "x" * length),))).consent for length in (1000, 1))

    assert {len(mark) for given in (long, short) for one in given["news\nemail"] for mark in one.under} == {consent.MARK_BYTES}
    assert long != short
