"""What becomes of a moment is counted by how long after its release it did."""

from typing import Any

import msgspec
import pytest

from schemas import topics
from schemas.interaction import OUTCOMES
from streams import instants
from streams.instants import DAY, HOUR, SECOND, Instant
from streams.journeys import brand
from streams.language import rulebook
from tests.laws.memory import Memory

BEGIN = instants.parse("2026-01-01T09:00:00Z") or 0


ANN = {"userId": "ann"}


def abandoned(who: dict[str, str] = ANN, partitions: int = 1) -> tuple[Memory, str, Instant]:
    """A customer who left the cart; the moment's id and when it was released."""
    memory = Memory(rulebook(brand), partitions, replayed=False, now=BEGIN)
    memory.produce({"messageId": "a", "event": "Product Added", "timestamp": instants.text(BEGIN), **who})
    memory.run()
    memory.now = BEGIN + 4 * HOUR
    memory.tick()
    (said,) = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.MOMENTS]]
    assert said["status"] == "fired"
    return memory, said["id"], memory.now


def outcome(memory: Memory, event: str, at: Instant, **said: Any) -> None:
    memory.now = max(memory.now, at)
    memory.produce({"messageId": f"{event}-{at}-{said}", "event": event, "userId": "ann", "timestamp": instants.text(at), **said})
    memory.run()


def counted(memory: Memory) -> dict[tuple[str, ...], int]:
    return {key[1:]: count for key, count in memory.tally.items() if key[0] == "kairos_outcomes"}


@pytest.mark.parametrize(
    ("after", "within"), [(SECOND, "1s"), (SECOND + 1, "1m"), (HOUR, "1h"), (DAY, "1d"), (DAY + 1, "longer"), (-SECOND, "1s")]
)
def test_an_outcome_counts_by_how_long_after_the_release_it_came(after: Instant, within: str) -> None:
    memory, moment, released = abandoned()

    outcome(memory, OUTCOMES["acted"], released + after, outcome={"momentId": moment, "kind": "acted"})

    assert counted(memory) == {("acted", within): 1}


def test_an_outcome_counts_once_wherever_it_names_its_moment_and_one_of_nothing_known_is_told_apart() -> None:
    memory, moment, released = abandoned()

    for _ in range(2):
        outcome(memory, OUTCOMES["delivered"], released + SECOND, outcome={"momentId": moment, "kind": "delivered"})
    outcome(memory, OUTCOMES["converted"], released + SECOND, properties={"momentId": moment})
    outcome(memory, OUTCOMES["opened"], released + SECOND, properties={"momentId": 7})
    outcome(memory, OUTCOMES["opened"], released + SECOND)
    outcome(memory, "Something Else", released + SECOND, outcome={"momentId": moment, "kind": "acted"})

    assert counted(memory) == {("delivered", "1s"): 1, ("converted", "1s"): 1, ("opened", "unknown"): 2}


def told(memory: Memory, moment: dict[str, Any], kind: str = "acted", **more: Any) -> None:
    """Somebody who has only what went out tells what became of it."""
    said = {"momentId": moment["id"], "kind": kind, "token": moment["outcomeToken"]}
    value = {"messageId": f"{moment['id']}-{kind}", "event": OUTCOMES[kind], "timestamp": instants.text(memory.now), "outcome": said}
    memory.produce(value | more)
    memory.run()


def fired(memory: Memory) -> dict[str, Any]:
    (said,) = [msgspec.json.decode(record.value or b"") for record in memory.log[topics.MOMENTS]]
    assert said["status"] == "fired"
    return dict(said)


def profiles(memory: Memory) -> dict[str, Any]:
    """The newest by customer; nobody who is no more."""
    newest: dict[str, Any] = {}
    for record in memory.log[topics.PROFILES]:
        newest[(record.key or b"").decode()] = record.value and msgspec.json.decode(record.value)
    return {name: said for name, said in newest.items() if said}


def reasons(memory: Memory) -> list[str]:
    return [msgspec.json.decode(record.value or b"")["reason"] for record in memory.log[topics.DEAD_LETTERS]]


def test_who_knows_only_the_moment_and_its_token_tells_what_became_of_it() -> None:
    memory, _, _ = abandoned()

    for _ in range(2):
        told(memory, fired(memory))

    assert counted(memory) == {("acted", "1s"): 1}
    (ann,) = profiles(memory).values()
    assert ann["identifiers"] == {"user_id": ["ann"]}
    assert ann["cause"]["messageId"] == f"{fired(memory)['id']}-acted"


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_token_leads_to_who_the_customer_is_by_then(partitions: int) -> None:
    memory, _, _ = abandoned({"anonymousId": "browser"}, partitions)
    moment = fired(memory)
    memory.produce({"messageId": "k", "type": "identify", **ANN, "anonymousId": "browser", "timestamp": instants.text(memory.now)})
    memory.run()

    told(memory, moment)

    assert counted(memory) == {("acted", "1s"): 1}
    (ann,) = [said for said in profiles(memory).values() if not said.get("mergedInto")]
    assert ann["customerId"] != moment["customerId"]
    assert (ann["identifiers"]["user_id"], ann["cause"]["messageId"]) == (["ann"], f"{moment['id']}-acted")


def test_a_token_serves_its_own_moment_and_outcomes_alone() -> None:
    memory, _, _ = abandoned()
    moment = fired(memory)
    before = profiles(memory)

    told(memory, {**moment, "id": "another"})
    told(memory, {**moment, "outcomeToken": moment["outcomeToken"][:-1] + ("A" if moment["outcomeToken"][-1] != "A" else "B")})
    told(memory, {**moment, "outcomeToken": moment["customerId"]})
    told(memory, {**moment, "outcomeToken": ""})
    told(memory, moment, event="Order Completed")
    told(memory, moment, kind="opened", event=OUTCOMES["acted"])

    assert reasons(memory) == ["bad_outcome"] * 6
    assert profiles(memory) == before


def test_an_identifier_says_more_than_a_token() -> None:
    memory, _, _ = abandoned()

    told(memory, fired(memory), userId="bob")

    assert {said["identifiers"]["user_id"][0]: said["cause"]["messageId"][-5:] for said in profiles(memory).values()}["bob"] == "acted"


def test_a_token_brings_nobody_back_who_was_erased() -> None:
    memory, _, _ = abandoned()
    moment = fired(memory)
    memory.now += SECOND
    ann = {"type": "user_id", "value": "ann"}
    memory.command({"id": "e", "kind": "erase", "identifiers": [ann], "actor": "bob", "at": instants.text(memory.now), "reason": "asked"})
    memory.run()
    assert profiles(memory) == {}
    memory.now += DAY

    told(memory, moment)

    assert profiles(memory) == {}
    assert counted(memory) == {}
