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


def abandoned() -> tuple[Memory, str, Instant]:
    """A customer who left the cart; the moment's id and when it was released."""
    memory = Memory(rulebook(brand), 1, replayed=False, now=BEGIN)
    memory.produce({"messageId": "a", "event": "Product Added", "timestamp": instants.text(BEGIN), "userId": "ann"})
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
