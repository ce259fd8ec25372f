"""The language and the time zone that the customer last used."""

from streams.customer.state import State
from streams.rows import Touch


def reduce(state: State, touch: Touch) -> None:
    """Take over what is said."""
    if touch.language is not None:
        state.language = touch.language
    if touch.timezone is not None:
        state.timezone = touch.timezone
