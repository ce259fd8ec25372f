"""What was ordered, cancelled and refunded in each currency; exact. What is taken back counts above zero, whichever sign it was sent with."""

from decimal import Decimal

from schemas import money
from schemas.interaction import EVENTS, MONEY_MEANINGS
from streams.customer.state import State, Totals
from streams.rows import Touch, worth

MEANINGS = MONEY_MEANINGS
_NONE = Totals()


def reduce(state: State, touch: Touch) -> None:
    """Add the amount under its currency (empty where none is said)."""
    amount, name = worth(touch)
    if amount is None:
        amount = money.ZERO
    state.totals = {**state.totals, name: _ADD[EVENTS[touch.event]](state.totals.get(name, _NONE), amount)}


def _plus(total: str, amount: Decimal) -> str:
    return money.text(money.add(Decimal(total), amount))


_ADD = {
    "order": lambda t, amount: Totals(t.orders + 1, _plus(t.revenue, amount), t.cancellations, t.cancelled, t.refunds, t.refunded),
    "cancellation": lambda t, amount: Totals(
        t.orders, t.revenue, t.cancellations + 1, _plus(t.cancelled, amount.copy_abs()), t.refunds, t.refunded
    ),
    "refund": lambda t, amount: Totals(
        t.orders, t.revenue, t.cancellations, t.cancelled, t.refunds + 1, _plus(t.refunded, amount.copy_abs())
    ),
}
