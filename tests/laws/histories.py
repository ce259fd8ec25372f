"""Generated histories of one customer: few instants, so that ties and deadlines at the instant of an interaction are common."""

import json

from hypothesis import strategies as st

from streams import instants
from streams.instants import DAY, HOUR
from streams.journeys import brand, retail
from streams.language import rulebook
from streams.rows import Touch

RULEBOOKS = {"retail": rulebook(retail), "brand": rulebook(brand), "both": rulebook(retail, brand)}
BEGIN = instants.parse("2026-01-01T00:00:00Z") or 0
SPANS = (0, HOUR, 4 * HOUR, 14 * DAY, 30 * DAY, 45 * DAY, 60 * DAY, 90 * DAY, 180 * DAY, 365 * DAY)
EVENTS = {
    "Order Completed": [{"revenue": 40}, {"revenue": 1000.5}, {"revenue": 4999.999}, {"revenue": 0}, {}],
    "Order Cancelled": [{"revenue": -40}, {"revenue": -1000.5}],
    "Page Viewed": [{}],
    "Product Added": [{"price": 3}],
    "Case Opened": [{"kind": "complaint"}, {"kind": "failure"}, {"kind": 7}],
    "Case Solved": [{}],
    "Delivery Failed": [{}],
    "Survey Answered": [{"score": 2}, {"score": 10}, {"score": "many"}],
}
ENDS = tuple(BEGIN + days * DAY for days in (1, 91, 400, 1500))


def _touch(number: int, offsets: tuple[int, int], event: str, choice: int, identifier: int) -> Touch:
    kinds = EVENTS[event]
    properties = {"currency": "GBP", **kinds[choice % len(kinds)]}
    at = BEGIN + sum(offsets)
    return Touch(
        id=f"m{number}",
        source="laws",
        occurred_at=at,
        received_at=at + number,
        type="track",
        event=event,
        channel="web",
        touchpoint="shop",
        identifiers=(("crm_id", str(identifier)),),
        payload=json.dumps({"properties": properties, "traits": {"country": choice}}).encode(),
        case_id=str(choice) if event.startswith("Case") else None,
        party=("first", "third")[choice % 2],
    )


def numbered(drawn: list[tuple[tuple[int, int], str, int, int]], first: int = 0) -> list[Touch]:
    """Interactions in the order of their arrival."""
    return [_touch(number, *one) for number, one in enumerate(drawn, first)]


ONE = st.tuples(
    st.tuples(st.sampled_from(SPANS), st.sampled_from(SPANS)), st.sampled_from(sorted(EVENTS)), st.integers(0, 9), st.integers(0, 1)
)
HISTORIES = st.lists(ONE, min_size=1, max_size=14).map(numbered)
