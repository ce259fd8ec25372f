"""Money is exact: what is taken in, added and written."""

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import money

AMOUNTS = st.decimals(min_value=-(10**20), max_value=10**20, places=6, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), Decimal("1.50")),
        ("12", Decimal(12)),
        (-3, Decimal(-3)),
        ("1e5", Decimal(100_000)),
        ("9" * 30, Decimal("9" * 30)),
        ("9" * 31, None),
        ("0." + "0" * 29 + "1", Decimal("1E-30")),
        ("0." + "0" * 30 + "1", None),
        ("1e999999999", None),
        (Decimal("NaN"), None),
        ("Infinity", None),
        ("1_000", None),
        (" 12 ", None),
        ("١٢", None),
        ("", None),
        (True, None),
        (1.5, None),
        (None, None),
        ([1], None),
    ],
)
def test_parse_takes_finite_decimals_of_thirty_digits(value: object, expected: Decimal | None) -> None:
    assert money.parse(value) == expected


@given(st.lists(AMOUNTS, max_size=30), st.randoms(use_true_random=False))
def test_sum_does_not_depend_on_the_order(amounts: list[Decimal], random: Random) -> None:
    shuffled = list(amounts)
    random.shuffle(shuffled)

    totals = []
    for order in (amounts, shuffled):
        total = money.ZERO
        for amount in order:
            total = money.add(total, amount)
        totals.append(total)

    assert totals[0] == totals[1] == sum(map(Fraction, amounts), Fraction(0))


@given(AMOUNTS, AMOUNTS)
def test_product_is_exact(left: Decimal, right: Decimal) -> None:
    assert Fraction(money.multiply(left, right)) == Fraction(left) * Fraction(right)


@given(AMOUNTS)
def test_text_reads_back_as_the_same_amount_and_is_one_per_amount(amount: Decimal) -> None:
    written = money.text(amount)

    assert money.parse(written) == amount
    assert "E" not in written
    assert money.text(amount + Decimal("0.00")) == written
