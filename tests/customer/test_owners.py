"""Every output names who answers for it: a rule's owner for what the rule says, the identity policy's for who is held to be whom."""

import msgspec

from schemas import topics
from streams import instants
from streams.app import journeys_known, rules_of
from streams.instants import DAY, Instant
from streams.journeys.identity_policy import OWNER, identity_policy
from tests.customer.test_lapsing import key
from tests.laws.memory import Memory

BEGIN = instants.parse("2025-10-01T00:00:00Z") or 0
OUTPUTS = {
    topics.STAGES: {"shop"},
    topics.MOMENTS: {"shop"},
    topics.SEGMENTS: {"shop"},
    topics.PROFILES: {OWNER},
    topics.IDENTITY_CHANGES: {OWNER},
    topics.IDENTITY_CONFLICTS: {OWNER},
}


def order(number: int, at: Instant, revenue: int = 100, **who: object) -> dict[str, object]:
    properties = {"revenue": revenue, "currency": "GBP"}
    return {"messageId": f"m{number}", "event": "Order Completed", "timestamp": instants.text(at), "properties": properties, **who}


def test_every_output_names_who_answers_for_it() -> None:
    memory = Memory(rules_of(("retail",)), 1)
    memory.produce(order(0, BEGIN, anonymousId="cookie"))
    for number in range(1, 5):
        memory.produce(order(number, BEGIN + number * DAY, 100 if number < 4 else 9000, userId="ann"))
    memory.run()
    memory.produce(order(5, BEGIN + 5 * DAY, userId="ann", anonymousId="cookie"))
    memory.produce(order(6, BEGIN + 6 * DAY, identifiers={"user_id": ["ben", "eve"]}))
    memory.run()
    memory.erase(key("user_id", "ben"), BEGIN + 7 * DAY, 0)
    memory.run()

    said = {topic: [msgspec.json.decode(record.value) for record in memory.log[topic] if record.value] for topic in OUTPUTS}

    assert {topic: {value["owner"] for value in values} for topic, values in said.items()} == OUTPUTS
    assert {value["kind"] for value in said[topics.IDENTITY_CHANGES]} == {"merge", "erasure"}
    assert any("mergedInto" in value for value in said[topics.PROFILES])


def test_all_that_ships_has_an_owner() -> None:
    rulebook = rules_of(tuple(journeys_known()))

    assert all(declared.owner for declared in rulebook.declarations)
    assert identity_policy(b"s").owner
