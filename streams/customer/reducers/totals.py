"""What was ordered, cancelled and refunded in each currency; exact. What is taken back counts above zero, whichever sign it was sent with."""

from decimal import Decimal

from schemas import money
from schemas.interaction import EVENTS, MONEY_MEANINGS, NAME_CHARACTERS_MAX
from streams.customer.state import State, Totals
from streams.rows import Touch, payload

MEANINGS = MONEY_MEANINGS
_NONE = Totals()


def reduce(state: State, touch: Touch) -> None:
    """Add the amount under its currency (empty where none is said)."""
    properties = payload(touch.payload).properties or {}
    said, currency = money.parse(properties.get("revenue")), properties.get("currency")
    amount = said if said is not None else money.parse(touch.amount) or money.ZERO
    name = currency.upper() if isinstance(currency, str) and len(currency) <= NAME_CHARACTERS_MAX else touch.currency or ""
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
