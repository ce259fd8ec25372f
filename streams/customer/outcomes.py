"""What became of moments: how long after its release a moment was delivered, opened, acted on, or led to what it was for.

The rule this module owns: an outcome counts once, when it joins its customer's timeline; nothing of a customer's state follows from it. Its event says
which kind it is; `outcome`, or `properties` where a client knows no other place, says of which moment.
"""

from collections import Counter
from collections.abc import Sequence

from schemas.interaction import OUTCOMES
from streams.customer import emissions
from streams.customer.customers import Customer
from streams.instants import DAY, HOUR, SECOND, Instant
from streams.rows import Touch, payload

_KINDS = {event: kind for kind, event in OUTCOMES.items()}
_WITHIN = (("1s", SECOND), ("1m", 60 * SECOND), ("1h", HOUR), ("1d", DAY))


def count(changed: Sequence[Customer], tally: Counter[tuple[str, ...]]) -> None:
    """Count the outcomes that came to customers, by their kind and by how long after the release they occurred."""
    for customer in changed:
        for touch in customer.fresh:
            if touch.event in _KINDS:
                _count(customer, touch, tally)


def _count(customer: Customer, touch: Touch, tally: Counter[tuple[str, ...]]) -> None:
    said = payload(touch.payload)
    moment = (said.outcome or {}).get("momentId") or (said.properties or {}).get("momentId")
    released = {name: at for releases in emissions.decode(customer.after.kept).released.values() for at, name in releases}
    at = released.get(str(moment))
    within = "unknown" if at is None else _within(touch.occurred_at - at)
    tally["kairos_outcomes", _KINDS[touch.event], within] += 1


def _within(elapsed: Instant) -> str:
    return next((name for name, span in _WITHIN if elapsed <= span), "longer")
