"""Requests in hand: of one customer one at a time, in order, whatever fails in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.runtime.ledger import Tried
from connectors.runtime.sinks import Request
from connectors.runtime.waiting import Entry, Waiting

MOVES = st.lists(st.tuples(st.sampled_from(["add", "due", "done", "again", "hurry"]), st.integers(0, 9)), max_size=120)


def entry(customer: str, offset: int, due: float = 0.0, tried: Tried | None = None, topic: str = "moments") -> Entry:
    return Entry(Request(f"{customer}-{offset}", customer, b"{}"), (topic, 0), offset, tried, due)


@given(MOVES)
def test_one_customers_requests_go_one_at_a_time_and_in_order(moves: list[tuple[str, int]]) -> None:
    waiting, now, offset = Waiting(), 0.0, 0
    under_way: list[Entry] = []
    came: dict[str, list[int]] = {}
    gone: dict[str, list[int]] = {}
    for move, number in moves:
        now += number
        if move == "add":
            offset += 1
            waiting.add(entry(f"c{number % 3}", offset, now))
            came.setdefault(f"c{number % 3}", []).append(offset)
        elif move == "due":
            under_way += waiting.due(now, number)
        elif move == "hurry":
            waiting.hurry(now)
        elif under_way:
            chosen = under_way.pop(number % len(under_way))
            if move == "done":
                waiting.done(chosen)
                gone.setdefault(chosen.request.customer_id, []).append(chosen.offset)
            else:
                waiting.again(chosen, now + number)
        customers = [each.request.customer_id for each in under_way]
        assert len(customers) == len(set(customers))
    while (due := waiting.next_due()) is not None or under_way:
        for each in [*under_way, *waiting.due(max(now, due or 0.0), 100)]:
            waiting.done(each)
            gone.setdefault(each.request.customer_id, []).append(each.offset)
        under_way = []

    assert gone == came
    assert (waiting.requests, waiting.bytes) == (0, 0)


def test_the_one_that_was_tried_least_tells_most() -> None:
    waiting = Waiting()
    for number, tried in enumerate((Tried(3, 1.0), None, Tried(1, 1.0))):
        waiting.add(entry(f"c{number}", number, 100.0 + number, tried))

    first, second = waiting.freshest(), waiting.freshest()

    assert first is not None
    assert second is not None
    assert (first.offset, second.offset) == (1, 2)
    assert waiting.due(1000.0, 10)[0].offset == 0


def test_what_lies_on_a_partition_that_went_is_forgotten_and_the_rest_goes_on() -> None:
    waiting = Waiting()
    one, two, three = entry("ann", 1, topic="stages"), entry("ann", 2), entry("ben", 3, topic="stages")
    for each in (one, two, three):
        waiting.add(each)
    waiting.due(0.0, 1)

    waiting.drop({("stages", 0)})

    assert (one.is_dropped, two.is_dropped, three.is_dropped) == (True, False, True)
    assert [each.offset for each in waiting.due(0.0, 10)] == [2]
    assert waiting.requests == 1
