"""What rules mean: versions, which events they meet, exact numbers, sentences, explanations."""

import json
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import money
from schemas.moment import MoneyAmount
from streams import instants
from streams.customer import explain, fold, state
from streams.customer.emissions import Emission
from streams.customer.state import State
from streams.instants import DAY
from streams.journeys import retail
from streams.language import Rulebook, rulebook
from streams.language.operators.crossings import decayed
from streams.rows import Touch
from tests.language.rules import rules

BEGIN = instants.parse("2026-01-01T00:00:00Z") or 0
ORDER = 'order = event("Order Completed")\n'


def touch(day: float, event: str = "Order Completed", id: str | None = None, **properties: object) -> Touch:
    """An interaction so many days after the beginning; a Decimal property is sent as its literal."""
    at = BEGIN + round(day * DAY)
    literal = ", ".join(
        f"{json.dumps(name)}: {value if isinstance(value, Decimal) else json.dumps(value)}" for name, value in properties.items()
    )
    return Touch(
        id or f"{day:g}", "s", at, at, "track", event, "web", "shop", (("crm_id", "1"),), f'{{"properties": {{{literal}}}}}'.encode()
    )


def told(text: str, *touches: Touch, until: float = 1000) -> tuple[State, list[Emission]]:
    """What the rules of a file say of these interactions."""
    return _folded(rules(text), touches, until)


def _folded(rulebook: Rulebook, touches: tuple[Touch, ...], until: float = 1000) -> tuple[State, list[Emission]]:
    ordered = sorted(touches, key=lambda touch: touch.order)
    folded = fold.fold(state.empty(rulebook), ordered, BEGIN + round(until * DAY), rulebook)
    return folded.state, folded.emissions


def moment(when: str, significance: str = "1", because: str = "") -> str:
    """A file with one moment."""
    return ORDER + f'm = Moment("m", BUSINESS_MOMENT, {when}, because="{because}", significance={significance}, expires=hours(1))'


def days_of(said: list[Emission]) -> list[float]:
    return [(one.occurred_at - BEGIN) / DAY for one in said if one.kind == "moment"]


def test_equal_meanings_have_equal_versions_and_another_number_another() -> None:
    one = rules(moment("order & (count(order) >= 3)"))
    renamed = rules(moment("order & (count(order) >= 3)").replace("order", "bought").replace("m = ", "n = "))
    other = rules(moment("order & (count(order) >= 4)"))

    assert one.version == renamed.version != other.version


def test_an_interaction_meets_only_the_rules_that_need_its_event() -> None:
    book = rulebook(retail)

    assert [each.declared.name for each in book.plan("Order Completed").moments] == ["big_order"]
    assert [each.declared.name for each in book.plan("Order Cancelled").moments] == ["cancelled_after_big_spend", "third_cancellation"]
    assert book.plan("Page Viewed") is book.plan("another")
    assert (book.plan("Page Viewed").steps, book.plan("Page Viewed").moments, book.plan("Page Viewed").segments) == ((), (), ())


def test_equal_parts_of_rules_share_what_they_remember() -> None:
    one = rules(moment("order & (count(order) >= 3)"))
    twice = rules(moment("order & (count(order) >= 3) & (count(order) <= 9)"))

    assert len(one.initial) == len(twice.initial) == 1


AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6)


@given(amounts=st.lists(AMOUNTS, min_size=1, max_size=12))
def test_sums_and_means_are_exact(amounts: list[Decimal]) -> None:
    text = moment("order & (order.revenue >= 3 * mean(order.before.revenue))")
    _, said = told(text, *(touch(day, revenue=amount) for day, amount in enumerate(amounts)))

    exact = [Fraction(amount) for amount in amounts]
    assert days_of(said) == [n for n in range(1, len(exact)) if exact[n] >= 3 * sum(exact[:n]) / n]


def test_a_mean_is_compared_without_division() -> None:
    third = [touch(0, revenue=Decimal("0.1")), touch(1, revenue=Decimal("0.1")), touch(2, revenue=Decimal("0.2"))]
    text = moment("order & (order.revenue >= mean(order.before.revenue))")

    assert days_of(told(text, *third, touch(3, revenue=Decimal("0.1333333333333333333333333333")))[1]) == [1, 2]
    assert days_of(told(text, *third, touch(3, revenue=Decimal("0.1333333333333333333333333334")))[1]) == [1, 2, 3]


def test_money_is_averaged_in_the_currency_at_hand() -> None:
    text = moment("order & (order.revenue >= 2 * mean(order.before.revenue))")
    _, said = told(text, touch(0, revenue=100, currency="EUR"), touch(1, revenue=1, currency="GBP"), touch(2, revenue=2, currency="GBP"))

    assert days_of(said) == [2]


@pytest.mark.parametrize(("second", "counted"), [(2.0, 1), (1.999, 2)])
def test_a_window_is_left_open(second: float, counted: int) -> None:
    text = moment("order & (count(order, within=days(2)) >= 2)")

    assert len(told(text, touch(0), touch(second))[1]) == counted - 1


def test_before_is_without_the_interaction_at_hand() -> None:
    assert days_of(told(moment("order & (count(order.before) >= 1)"), touch(0), touch(1))[1]) == [1]


def test_an_absence_is_known_by_the_newest_of_what_is_awaited_on() -> None:
    text = moment('absent(order, after=event("Cart"), within=days(1))')

    assert days_of(told(text, touch(0, "Cart"), touch(0.5, "Cart"), until=9)[1]) == [1.5]
    assert days_of(told(text, touch(0, "Cart"), touch(1.0), until=9)[1]) == []
    assert days_of(told(text, touch(0, "Cart"), touch(1.001), until=9)[1]) == [1]


def test_each_first_has_its_own_moment_and_only_one() -> None:
    text = moment('after_each(event("No"), first=order, within=days(5))')
    _, said = told(text, touch(0), touch(1), touch(2, "No"), touch(3, "No"), touch(4), touch(9, "No"))

    assert [one.evidence for one in said] == [("0", "2"), ("1", "2")]
    assert len({one.id for one in said}) == 2


def test_after_is_by_the_newest_first() -> None:
    _, said = told(moment('after(event("No"), first=order, within=days(5))'), touch(0), touch(1), touch(2, "No"), touch(3, "No"))

    assert [one.evidence for one in said] == [("1", "2"), ("1", "3")]


def test_a_level_rises_by_an_event_or_by_time_alone() -> None:
    text = moment("rises(sum_(order.revenue.in_currency('GBP'), within=days(10)) >= 5)")
    _, said = told(text, touch(0, revenue=-3, currency="GBP"), touch(1, revenue=6, currency="GBP"), until=30)

    assert days_of(said) == [10]
    assert (said[0].message_id, said[0].deadline) == ("0", said[0].occurred_at)


def test_a_segment_is_left_at_the_true_instant_however_many_age_out_before() -> None:
    text = ORDER + 's = Segment("s", "p", sum_(order.revenue.in_currency("GBP"), within=days(99)) >= 2, "r")'
    _, said = told(text, *(touch(day, revenue=1, currency="GBP") for day in range(30)))

    assert [(one.to, (one.occurred_at - BEGIN) // DAY, one.message_id) for one in said] == [("entered", 1, "1"), ("left", 127, "28")]


def test_balances_cross_at_the_instant_the_formula_says() -> None:
    text = ORDER + 'a = Balance("a", half_life=days(10), plus={order: 80})\nb = Balance("b", half_life=days(20), plus={event("No"): 20})\n'
    text += 'm = Moment("m", BUSINESS_MOMENT, rises(b > a), because="{b} against {a}", expires=hours(1))'
    after, said = told(text, touch(0), touch(0, "No", id="no"), until=1000)

    (one,) = said
    assert 0 <= one.occurred_at - (BEGIN + 40 * DAY) <= 64  # log2(80 / 20) / (1/10 - 1/20) days.
    assert (one.message_id, one.text) == ("no", "5 against 5")
    balances = rules(text).balances
    assert {name: decayed(after.memory[slot], half, BEGIN + 20 * DAY) for name, (slot, half) in balances.items()} == {"a": 20.0, "b": 10.0}


def test_a_moment_is_said_whenever_it_comes_also_where_it_cools_down() -> None:
    text = moment("order").replace("expires", "once_per=days(3), expires")

    assert days_of(told(text, touch(0), touch(2), touch(3), touch(5))[1]) == [0, 2, 3, 5]
    assert rules(text).cool_downs == {"m": 3 * DAY}


def test_a_cap_is_part_of_what_a_moment_means() -> None:
    plain, capped = moment("order"), moment("order").replace("expires", "cap=at_most(2, within=days(7)), expires")

    assert days_of(told(capped, touch(0), touch(1), touch(2))[1]) == [0, 1, 2], "a guard judges by it, when a moment is released"
    assert rules(capped).caps == {"m": (2, 7 * DAY)}
    assert rules(capped).version != rules(plain).version
    assert rules(capped).version != rules(capped.replace("at_most(2", "at_most(3")).version
    assert msgspec.json.decode(msgspec.json.encode(rules(capped).declarations[0].tree())).count([2, 7 * DAY]) == 1


def test_a_moment_shows_what_its_author_asks_for() -> None:
    text = moment('event("No")').replace("expires", "evidence=count(order, within=days(5)), expires")
    _, said = told(text, touch(0), touch(4), touch(5), touch(6, "No"))

    assert said[0].evidence == ("4", "5", "6")


def test_a_moment_may_wait_for_a_stage() -> None:
    text = ORDER + 'j = Journey("j", [(START, "new", order), ("new", "old", silence(order, days(9)))])\n'
    text += 'm = Moment("m", BUSINESS_MOMENT, stage("j").becomes("old"), because="", expires=hours(1))\n'
    text += 's = Segment("s", "p", stage("j").is_("old"), "r")'
    after, said = told(text, touch(0), until=10)

    assert [(one.kind, one.occurred_at - BEGIN, one.evidence) for one in said] == [
        ("stage", 0, ("0",)),
        ("stage", 9 * DAY, ("0",)),
        ("segment", 9 * DAY, ("0",)),
        ("moment", 9 * DAY, ("0",)),
    ]
    assert after.segments == {"s": BEGIN + 9 * DAY}


def test_a_sentence_says_values_as_people_write_them() -> None:
    because = "{order.revenue} for {order.channel}, {significance:.1f} times {mean(order.before.revenue)}, no. {count(order)}, {order.note}"
    text = moment("order & (count(order.before) >= 2)", "order.revenue / mean(order.before.revenue)", because)
    _, said = told(text, *(touch(day, revenue=day + 1, currency="EUR", note=Decimal("1.50")) for day in range(3)))

    assert said[0].text == "3.00 EUR for web, 2.0 times 1.50 EUR, no. 3, 1.5"
    assert said[0].values == {
        "order.revenue": MoneyAmount("3", "EUR"),
        "order.channel": "web",
        "significance": 2.0,
        "mean(order.before.revenue)": MoneyAmount("1.5", "EUR"),
        "count(order)": 3,
        "order.note": 1.5,
    }
    assert said[0].significance == 2.0


def test_a_machine_is_told_what_a_value_is_whatever_a_person_reads() -> None:
    because = (
        "{mean(order.revenue):.1f} {mean(order.revenue) / 7} {order.at} {order.gift} {order.nothing} {order.revenue / 3:.0f} {order.size}"
    )
    _, said = told(moment("order", because=because), touch(0, revenue=Decimal("9.125"), at="2026-01-01T09:00:00Z", gift=True, size=3))

    assert said[0].text == "9.1 1.30 2026-01-01T09:00:00Z True ? 3 3"
    assert said[0].values == {
        "mean(order.revenue)": MoneyAmount("9.125", None),
        "mean(order.revenue) / 7": MoneyAmount("1.3", None),
        "order.at": "2026-01-01T09:00:00Z",
        "order.gift": True,
        "order.nothing": None,
        "order.revenue / 3": MoneyAmount("3.04", None),
        "order.size": 3,
    }


@pytest.mark.parametrize("sent", ["much", None, True, [1], {"a": 1}, "NaN", Decimal("1e40")])
def test_what_is_no_amount_is_none(sent: object) -> None:
    _, said = told(moment("order & (order.revenue >= 0)"), touch(0, revenue=sent), touch(1, revenue=1))

    assert days_of(said) == [1]


def test_the_sum_of_money_ignores_the_order_of_adding() -> None:
    text = ORDER + 's = Segment("s", "p", sum_(order.revenue.in_currency("GBP"), within=days(99)) >= 1, "r")'
    amounts = [Decimal("0.1"), Decimal("99999999999999999999999999.999"), Decimal("0.0000000000000000000000000001")]
    memories = set()
    for order in (amounts, amounts[::-1]):
        after, _ = told(text, *(touch(0, id=str(n), revenue=amount, currency="GBP") for n, amount in enumerate(order)), until=1)
        memories.add(money.text(Decimal(after.memory[0]["GBP"][0])))

    assert memories == {"100000000000000000000000000.0990000000000000000000000001"}


@pytest.mark.parametrize(
    ("left", "said"), [("", "No longer: Bought 2 lately."), (', left="Bought only {bought} lately."', "Bought only 1 lately.")]
)
def test_who_leaves_a_segment_is_told_why_not_why_it_was_entered(left: str, said: str) -> None:
    text = ORDER + "bought = count(order, within=days(9))\n"
    text += f's = Segment("s", "p", bought >= 2, "Bought 2 lately."{left})'

    _, changes = told(text, touch(0), touch(1), until=20)

    assert [(one.to, one.text) for one in changes] == [("entered", "Bought 2 lately."), ("left", said)]


def test_a_rule_explains_itself_with_its_numbers() -> None:
    book = rulebook(retail)
    after, _ = _folded(book, (touch(0, revenue=4000, currency="GBP"),), until=1)

    (why,) = explain.why(after, "high_value", BEGIN + DAY, book)

    assert not why.holds
    assert why.values == ("4000", "5000")
    assert why.lines()[0].startswith("no   sum of Order Completed's revenue in GBP within 365 days + ")
    assert len(explain.why(after, "retail", BEGIN + DAY, book)) == 7
