"""What a publisher puts onto the topic: all that it was given, and what that lacked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.producer.publisher import NotAnInteraction, written
from schemas.interaction import Interaction, Outcome

SEEN = {"userId": "42", "event": "Seen", "messageId": "m", "timestamp": "2026-11-22T12:00:00Z"}


def onto_the_topic(interaction: dict[str, Any] | Interaction) -> Any:
    return json.loads(written(interaction, "shop")[1])


def test_what_kairos_does_not_know_of_an_interaction_is_published_as_well() -> None:
    said = {
        **SEEN,
        "rating": 5,
        "integrations": {"All": True},
        "account": {"id": "a", "tier": "gold"},
        "source": {"owner": "us", "page": 7},
    }

    assert onto_the_topic(said) == {**said, "source": {"owner": "us", "page": 7, "system": "shop"}}


def test_what_is_missing_is_added_and_what_is_there_stays() -> None:
    assert onto_the_topic(SEEN) == {**SEEN, "source": {"system": "shop"}}

    made = onto_the_topic({"userId": "42", "event": "Seen", "messageId": None})
    assert made["messageId"] and made["timestamp"].startswith("20") and made["source"] == {"system": "shop"}
    assert onto_the_topic({**SEEN, "source": {"system": "own"}})["source"] == {"system": "own"}
    assert onto_the_topic(Interaction(user_id="42", event="Seen"))["source"] == {"system": "shop"}


def test_an_outcome_names_its_customer_by_its_token() -> None:
    told = Outcome(moment_id="m1", kind="acted", token="t")

    assert onto_the_topic(Interaction(event="Moment Acted", outcome=told))["outcome"] == {"momentId": "m1", "kind": "acted", "token": "t"}
    with pytest.raises(NotAnInteraction, match="whose"):
        written(Interaction(event="Moment Acted", outcome=Outcome(moment_id="m1", kind="acted")), "shop")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"event": "Seen"}, {"userId": "42"}, {"userId": ["42"], "event": "Seen"}, {**SEEN, "source": 7}, {**SEEN, "event": "\ud800"}],
)
def test_what_kairos_would_refuse_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAnInteraction):
        written(wrong, "shop")
