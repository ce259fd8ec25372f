"""Why a rule holds for a customer, or why not, as of an instant. It reads the state; it changes nothing."""

from streams.customer.state import State, copied
from streams.language import Rulebook
from streams.language.compile import Facts
from streams.language.explain import Why


def why(state: State, name: str, at: int, rulebook: Rulebook) -> list[Why]:
    """Each condition of the rules of this name, with the numbers that decide, at an instant when nothing happens."""
    own = copied(state)
    facts = Facts(own.memory, own.due, own.journeys, own.segments)
    facts.strike(at, -1)
    return rulebook.why(name, facts)
