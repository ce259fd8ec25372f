"""Mistakes are found when rules are loaded: with the line, and with what may have been meant."""

import pytest

from streams.journeys import brand, retail, tracking_plan
from streams.language import RulesRefused, rulebook
from tests.language.rules import module

HEAD = """
order = event("Order Completed")
j = Journey("j", [(START, "new", order), ("new", "old", silence(order, days(9)))])
"""
MOMENT = 'm = Moment("m", BUSINESS_MOMENT, {when}, because="{because}", expires=hours(1))'

MISTAKES = {
    "a stage that is asked about and unknown": (MOMENT.format(when='order & stage("j").is_("odl")', because=""), "no stage 'odl'", "old"),
    "a journey that is asked about and unknown": (MOMENT.format(when='order & stage("jj").is_("old")', because=""), "no journey 'jj'", "j"),
    "a segment that is asked about and unknown": (MOMENT.format(when='order & segment("s")', because=""), "no segment 's'", None),
    "a stage that is left and never entered": (
        'k = Journey("k", [("newer", "b", order), (START, "new", order)])',
        "enters the stage 'newer'",
        "new",
    ),
    "an event that is nearly known": ('k = Journey("k", [(START, "a", event("Order Complete"))])', "'Order Complete'", "Order Completed"),
    "a float": (MOMENT.format(when="order & (order.revenue >= 99.9)", because=""), "99.9 is a float", 'Decimal("99.9")'),
    "a moment by a level": (MOMENT.format(when="count(order, within=days(2)) >= 2", because=""), "has a level", "rises(...)"),
    "a stage that rises": (MOMENT.format(when='rises(stage("j").is_("old"))', because=""), "does not rise", 'stage("...").becomes("...")'),
    "an event that rises": (MOMENT.format(when="rises(order)", because=""), "not an event or a deadline", None),
    "a segment by an event": ('s = Segment("s", "p", order, "r")', "needs a level", None),
    "a segment's second sentence": (
        's = Segment("s", "p", count(order, within=days(9)) >= 2, "r", left="{nobody}")',
        "says {nobody}",
        None,
    ),
    "a segment of any currency": ('s = Segment("s", "p", sum_(order.revenue) >= 5, "r")', "any currency", '.in_currency("...")'),
    "an unknown name in a sentence": (MOMENT.format(when="order", because="for {oder.revenue}"), "'oder' is not defined", "order"),
    "a sentence that names no number": (MOMENT.format(when="order", because="for {order}"), "no number of the language", None),
    "a sentence whose braces do not match": (MOMENT.format(when="order", because="for {order.revenue"), "cannot be read", None),
    "a format that is none": (MOMENT.format(when="order", because="for {order.revenue:.1q}"), "cannot be read", None),
    "a name that no rule uses": ('refund = event("Order Refunded")', "'refund' is used by no rule", None),
    "a name given twice": ('k = Journey("j", [(START, "new", order)])', "'j' was declared before", None),
    "a moment without time to act": ('m = Moment("m", BUSINESS_MOMENT, order, because="", expires=0)', "has expired when it comes", None),
    "a cap of none": (
        'm = Moment("m", BUSINESS_MOMENT, order, because="", expires=1, cap=at_most(0, within=days(1)))',
        "no number from 1 to 100",
        None,
    ),
    "a cap without a time": (
        'm = Moment("m", BUSINESS_MOMENT, order, because="", expires=1, cap=at_most(2, within=0))',
        "within some time",
        None,
    ),
    "evidence without a window": (
        'm = Moment("m", BUSINESS_MOMENT, order, because="", expires=1, evidence=count(order))',
        "has no window",
        "within=days(...)",
    ),
    "a balance without a half-life": ('b = Balance("b", half_life=0, plus={order: 1})', "half-life of nothing", None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_with_its_line(mistake: str) -> None:
    line, what, suggestion = MISTAKES[mistake]
    with pytest.raises(RulesRefused) as refused:
        rulebook(module(HEAD + line))

    (found,) = refused.value.mistakes
    assert what in found.what
    assert found.suggestion == suggestion
    assert str(found.place) == f"authors_file.py:{len(HEAD.splitlines()) + 2}"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RulesRefused) as refused:
        rulebook(module(HEAD + 'a = event("A")\nb = event("B")'))

    assert len(refused.value.mistakes) == 2
    assert str(refused.value).count("authors_file.py:") == 2


@pytest.mark.parametrize("wrong", ["order and order", "not order", "1 <= count(order) <= 3"])
def test_pythons_own_logic_is_refused_with_the_line(wrong: str) -> None:
    with pytest.raises(TypeError, match=r"authors_file.py:5.*say &"):
        module(HEAD + f"x = {wrong}")


def test_the_rules_that_ship_hold_no_mistake() -> None:
    assert rulebook(retail, brand, known_events=tracking_plan.KNOWN_EVENTS).names <= tracking_plan.KNOWN_EVENTS
