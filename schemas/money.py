"""Money is exact: a decimal string on the wire, never a float.

The rule this module owns: a sum of money does not depend on the order of adding. Python's default decimal context rounds to 28 digits,
so sums go through `add`, whose context has room for every amount that `parse` lets in.
"""

import re
from decimal import Context, Decimal, InvalidOperation
from typing import Annotated

from msgspec import Meta

DIGITS_MAX = 30
"""The most digits, before and after the point, of an amount that is taken in."""

# Decimal itself reads more than anyone means by an amount: blanks around it, underscores, other scripts' digits.
_WRITTEN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EXACT = Context(prec=4 * DIGITS_MAX)

Money = Annotated[str, Meta(pattern=r"^-?\d+(\.\d+)?$", description="An exact decimal, never in exponent form.", examples=["12.50"])]
"""An amount on the wire: a decimal string."""

ZERO = Decimal(0)


def parse(value: object) -> Decimal | None:
    """Read an amount from a JSON number's literal or a decimal string; None where it is neither, is not finite or has over 30 digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        amount = value
    elif isinstance(value, int) or (isinstance(value, str) and _WRITTEN.fullmatch(value)):
        try:
            amount = Decimal(value)
        except (InvalidOperation, ValueError):
            return None
    else:
        return None
    if not amount.is_finite():
        return None
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int)  # only a non-finite decimal has a letter there
    whole = len(digits) + exponent
    return amount if max(whole, 0) + max(-exponent, 0) <= DIGITS_MAX else None


def add(left: Decimal | int, right: Decimal | int) -> Decimal:
    """Add exactly: associative and commutative for all amounts that `parse` returns, up to 10**90 of them."""
    return _EXACT.add(left, right)


def multiply(left: Decimal | int, right: Decimal | int) -> Decimal:
    """Multiply exactly two amounts that `parse` returned."""
    return _EXACT.multiply(left, right)


def text(amount: Decimal) -> str:
    """Write an amount as the wire has it: no exponent, no trailing zeros beyond the point, no negative zero; equal amounts, equal texts."""
    if not amount:
        return "0"
    written = format(amount, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
