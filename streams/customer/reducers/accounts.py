"""The accounts (companies) that the customer has acted for, and when last."""

from streams.customer.state import State, trim
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Note the account."""
    if touch.account is not None:
        state.accounts = {**state.accounts, touch.account: touch.occurred_at}
        trim(state.accounts, int)
