"""A year of a real shop, as its reader gives it, through intake: the counts reconcile."""

from collections import Counter
from pathlib import Path

from connectors.online_retail.mapping import ACCOUNTING_ENTRY, WRITTEN_OFF
from connectors.online_retail.source import READER
from connectors.runtime.sources import Ready, mapped
from schemas import topics
from streams import rows
from tests.intake.given import REPLAY, Record, decide, event_of, letter_of

SHOP = Path(__file__).parents[2] / "data" / "online-retail.csv.gz"


def test_every_invoice_of_the_year_is_anchored_or_refused_with_the_readers_reason() -> None:
    records = [
        Record(one.value, offset=offset) if isinstance(one, Ready) else Record(one.original, tuple(one.headers()))
        for offset, one in enumerate(mapped(READER, SHOP))
    ]

    decision = decide(*records, clock=REPLAY)

    letters = [letter_of(outgoing) for outgoing in decision.send if outgoing.topic == topics.DEAD_LETTERS]
    events = [event_of(outgoing) for outgoing in decision.send if outgoing.topic == topics.IDENTITY]
    assert decision.tally == {
        ("kairos_interactions_read",): 25_900,
        ("kairos_interactions_anchored", "web"): 24_561,
        ("kairos_interactions_from", "other"): 24_561,
        ("kairos_interactions_dead", "not_an_interaction"): 1_339,
    }
    assert {letter.reason for letter in letters} == {"not_an_interaction"}
    assert Counter(letter.detail for letter in letters) == {ACCOUNTING_ENTRY: 3, WRITTEN_OFF: 1_336}
    assert len({event.anchor for event in events}) == 6_743
    assert len({event.uid for event in events}) == 24_561
    touch = rows.decode_touch(events[0].touch)
    assert (touch.id, touch.source, touch.identifiers) == ("online-retail-536365", "online-retail", (("crm_id", "17850"),))
    assert str((rows.payload(touch.payload).properties or {})["revenue"]) == "139.12"
