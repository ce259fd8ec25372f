"""Which source is believed when it names an identifier: what another says is no identifier."""

from msgspec import structs

from schemas import topics
from streams import rows
from streams.boundary import Decision
from streams.intake import steps
from tests.intake.given import LIVE, PARTITIONS, POLICY, Record, event_of, letter_of
from tests.intake.kinds import bytes_of

TRUSTING = structs.replace(
    POLICY, types=tuple(structs.replace(kind, trusted_sources=("erp",)) if kind.name == "crm_id" else kind for kind in POLICY.types)
)
SAID = {"event": "x", "timestamp": "2026-03-01T09:00:00Z", "anonymousId": "cookie-1", "identifiers": {"crm_id": ["17850"]}}


def _decide(said: dict[str, object]) -> Decision:
    return steps.decide([Record(bytes_of(said))], LIVE, TRUSTING, PARTITIONS)


def test_an_identifier_from_its_trusted_source_links() -> None:
    event = event_of(_decide({**SAID, "source": {"system": "erp"}}).send[0])

    assert len(event.ids) == 2


def test_what_another_source_names_is_counted_and_no_identifier() -> None:
    for source in ({"system": "web form"}, None):
        decision = _decide({**SAID, "source": source})
        event = event_of(decision.send[0])

        assert len(event.ids) == 1
        assert rows.decode_touch(event.touch).identifiers == (("anonymous_id", "cookie-1"),)
        assert b"17850" in rows.decode_touch(event.touch).payload
        assert decision.tally["kairos_identifiers_untrusted", "crm_id"] == 1


def test_an_interaction_of_nothing_else_is_refused() -> None:
    alone = {name: value for name, value in SAID.items() if name != "anonymousId"}
    (sent,) = _decide({**alone, "source": {"system": "web form"}}).send

    assert sent.topic == topics.DEAD_LETTERS
    assert letter_of(sent).reason == "no_identifier"


def test_where_nobody_is_named_everybody_is_trusted() -> None:
    decision = steps.decide([Record(bytes_of({**SAID, "source": {"system": "web form"}}))], LIVE, POLICY, PARTITIONS)

    assert len(event_of(decision.send[0]).ids) == 2
