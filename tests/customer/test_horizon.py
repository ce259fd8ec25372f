"""The horizon of one customer: what goes, what is refused and how that is told, what stays as it was, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from schemas import record, topics
from schemas.dead_letter import DeadLetter
from streams import instants
from streams.boundary import Kind
from streams.cli import state as changelog
from streams.customer import aged, emissions, horizon
from streams.customer.horizon import Limits
from streams.customer.state import FoldRow, decode_row
from streams.instants import DAY, HOUR
from streams.journeys import brand, retail
from streams.language import rulebook
from streams.rows import AGED, BASE, CHECKPOINT, FOLD, TIMELINE
from tests.cli.values import Message
from tests.laws import memory as laws
from tests.laws.memory import Memory

RULES = rulebook(retail)
START = instants.parse("2011-01-01T00:00:00Z") or 0
SHORT = horizon.limits(16, 100 * 366 * DAY)


def order(number: int, at: int, user: str = "ann", **more: Any) -> dict[str, Any]:
    properties = {"revenue": 10, "currency": "GBP"}
    named = {"messageId": f"m{number}", "event": "Order Completed", "timestamp": instants.text(at), "channel": "web"}
    return {**named, "userId": user, "properties": properties, **more}


def tell(memory: Memory, *events: dict[str, Any]) -> Memory:
    """All of them, each in a batch of its own."""
    for event in events:
        memory.produce(event)
        memory.run()
    return memory


def kept(memory: Memory, kind: Kind[bytes]) -> dict[bytes, bytes]:
    return {key[1:]: row for store in memory.rows for key, row in store.rows.items() if key.startswith(kind.tag)}


def row_of(memory: Memory) -> FoldRow:
    (row,) = kept(memory, FOLD).values()
    return decode_row(row)


def letters(memory: Memory) -> list[DeadLetter]:
    return [record.decode(DeadLetter, letter.value or b"") for letter in memory.log[topics.DEAD_LETTERS]]


def retracted(memory: Memory) -> list[Any]:
    said = [
        msgspec.json.decode(each.value or b"") for topic in (topics.STAGES, topics.SEGMENTS, topics.MOMENTS) for each in memory.log[topic]
    ]
    return [value["id"] for value in said if value.get("retracts")]


def test_a_dead_letter_says_where_it_lay_and_what_the_producer_sent() -> None:
    memory = tell(Memory(RULES, 1, limits=SHORT), *[order(number, START + number * HOUR) for number in range(1, 30)])
    sent = msgspec.json.encode(order(0, START, extra="of the producer's own"))

    memory.produce(sent)
    memory.run()

    (letter,) = letters(memory)
    assert (letter.reason, letter.topic, letter.partition) == ("too_late", topics.IDENTITY, 0)
    assert letter.offset == len(memory.inputs[topics.IDENTITY, 0]) - 1
    assert (letter.original, letter.original_sha256) == (sent, sha256(sent).hexdigest())
    assert letter.detail.startswith("It occurred at 2011-01-01T00:00:00Z, ")
    assert memory.tally["kairos_interactions_too_late",] == memory.tally["kairos_interactions_dead", "too_late"] == 1


def test_letters_of_one_batch_have_ids_and_places_of_their_own() -> None:
    memory = tell(Memory(RULES, 1, limits=SHORT), *[order(number, START + number * HOUR) for number in range(1, 30)])
    for number in range(40, 45):
        memory.produce(order(number, START))
    memory.run()

    sent = memory.log[topics.DEAD_LETTERS]
    assert len({dict(letter.headers)["ce_id"] for letter in sent}) == len({letter.offset for letter in letters(memory)}) == 5


def test_an_interaction_that_came_again_after_it_went_into_totals_counts_once() -> None:
    events = [order(number, START + number * HOUR) for number in range(30)]
    memory = tell(Memory(RULES, 1, limits=SHORT), *events, events[0], events[29])

    assert row_of(memory).state.interactions == 30
    assert memory.tally["kairos_interactions_too_late",] == memory.tally["kairos_interactions_duplicate",] == 1


def test_what_is_older_than_the_newest_by_more_than_the_age_is_refused_though_nothing_was_cleared() -> None:
    limits = horizon.limits(1_000, 400 * DAY)
    newest = order(1, START + 500 * DAY)
    at_the_edge, beyond = order(2, START + 100 * DAY), order(3, START + 100 * DAY - 1)

    memory = tell(Memory(RULES, 1, limits=limits), newest, at_the_edge, beyond)

    assert row_of(memory).state.interactions == 2
    assert row_of(memory).mark is None
    assert [letter.detail for letter in letters(memory)] == [
        "It occurred at 2011-04-10T23:59:59.999999Z, and the customer's timeline begins after 2011-04-10T23:59:59.999999Z."
    ]


def test_what_came_in_time_and_has_grown_old_goes_into_totals() -> None:
    limits = horizon.limits(1_000, 400 * DAY)
    memory = tell(Memory(RULES, 1, limits=limits), order(1, START), order(2, START + 101 * DAY), order(3, START + 501 * DAY))

    (totals,) = kept(memory, AGED).values()
    assert (aged.read(totals).interactions, len(kept(memory, TIMELINE)), row_of(memory).state.interactions) == (1, 2, 3)


@pytest.mark.parametrize(("tied", "held"), [(20, 30), (40, 10)], ids=["stays", "goes"])
def test_an_instant_stays_as_a_whole_or_where_it_is_longer_than_a_timeline_goes_as_a_whole(tied: int, held: int) -> None:
    later = [order(100 + number, START + (1 + number) * HOUR) for number in range(10)]
    memory = tell(Memory(RULES, 1, limits=SHORT), *[order(number, START) for number in range(tied)], *later)

    assert len(kept(memory, TIMELINE)) == held
    assert row_of(memory).state.totals["GBP"].orders + memory.tally["kairos_interactions_too_late",] == tied + 10
    assert (memory.tally["kairos_interactions_too_late",] > 0) == (held == 10)


def test_what_was_said_before_the_cut_stands_when_two_long_histories_merge() -> None:
    memory = Memory(rulebook(brand, retail), 1, limits=SHORT)
    for number in range(40):
        tell(memory, order(number, START + number * DAY, user="", anonymousId="one", identifiers={"phone": "+447946000101"}))
    for number in range(40, 100):
        tell(memory, order(number, START + number * DAY, anonymousId="two"))
    stages = {key: decode_row(row).state.journeys["retail"] for key, row in kept(memory, FOLD).items()}
    assert len(stages) == 2

    tell(memory, order(100, START + 100 * DAY, identifiers={"phone": "+447946000101"}))

    state = row_of(memory).state
    assert (state.interactions, state.totals["GBP"].orders, state.totals["GBP"].revenue) == (101, 101, "1010")
    assert state.journeys["retail"] in stages.values()
    assert retracted(memory) == []
    assert memory.tally["kairos_customers_merged",] == 1


def test_new_rules_know_where_a_customer_stands_and_take_no_total_away() -> None:
    memory = tell(Memory(RULES, 1, limits=SHORT), *[order(number, START + number * HOUR) for number in range(40)])
    before = row_of(memory).state

    memory._rulebook = rulebook(retail, brand)
    tell(memory, order(40, START + 40 * HOUR))

    after = row_of(memory)
    assert after.rulebook == memory._rulebook.version
    assert (after.state.interactions, after.state.totals["GBP"].revenue) == (41, "410")
    assert after.state.journeys["retail"] == before.journeys["retail"]
    late = tell(memory, order(41, START + 39 * HOUR + 1))
    assert (row_of(late).state.interactions, row_of(late).state.journeys["retail"].stage) == (42, "loyal")


def test_a_run_reconciles_what_lives_on_in_totals() -> None:
    memory = tell(Memory(RULES, 2, limits=SHORT), *[order(number, START + number * HOUR, user=f"u{number % 3}") for number in range(90)])

    rows = [Message(row, key, partition) for partition, store in enumerate(memory.rows) for key, row in store.rows.items()]

    assert len(kept(memory, TIMELINE)) < 60
    assert changelog.totals(rows)[0] == 90


def test_a_long_history_costs_bounded_rows_and_a_few_reads_an_interaction(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = horizon.limits(160, 100 * 366 * DAY)
    reads = Counter[str]()
    scan = laws.View.scan

    def counted(view: laws.View, kind: Kind[Any], first: bytes, end: bytes) -> Iterator[tuple[bytes, Any]]:
        for row in scan(view, kind, first, end):
            reads[kind.name] += 1
            yield row

    monkeypatch.setattr(laws.View, "scan", counted)
    sizes = []
    memory = Memory(RULES, 1, limits=limits, batch=50)
    for number in range(3_000):
        memory.produce(order(number, START + number * HOUR, event="Order Cancelled" if number % 7 == 0 else "Order Completed"))
        if number % 50 == 49:
            memory.run()
            sizes.append((len(kept(memory, TIMELINE)), len(kept(memory, CHECKPOINT)), len(row_of(memory).kept)))

    assert row_of(memory).state.interactions == 3_000
    assert max(size for size, _, _ in sizes) <= limits.interactions_look + 50
    assert max(size for _, size, _ in sizes) <= 8
    assert max(size for _, _, size in sizes[30:]) <= 2 * max(size for _, _, size in sizes[:30])
    assert reads["timeline"] < 20 * 3_000
    assert (len(kept(memory, AGED)), len(kept(memory, BASE))) == (1, 1)


def test_a_customer_below_the_limits_reads_and_writes_no_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    met = set()
    get, put = laws.View.get, laws.View.put
    monkeypatch.setattr(laws.View, "get", lambda view, kind, keys: [met.add(kind.name), get(view, kind, keys)][1])
    monkeypatch.setattr(laws.View, "put", lambda view, kind, key, row: [met.add(kind.name), put(view, kind, key, row)][1])

    memory = Memory(RULES, 1, limits=Limits(16, DAY, 17, DAY))
    tell(memory, *[order(number, START + number * HOUR) for number in range(8)])
    tell(memory, *[order(8 + number, START + number * HOUR + 1, user="", anonymousId="device") for number in range(8)])
    tell(memory, order(16, START + 9 * HOUR, anonymousId="device"))

    assert row_of(memory).state.interactions == 17
    assert {"timeline", "fold"} <= met
    assert not {"aged", "base"} & met


def test_what_was_said_and_is_cleared_is_forgotten_by_the_row() -> None:
    memory = tell(Memory(RULES, 1, limits=SHORT), *[order(number, START + number * HOUR) for number in range(40)])

    row = row_of(memory)
    assert row.mark is not None
    assert memory.log[topics.STAGES]
    assert all(live.emission.occurred_at > row.mark.cut for live in emissions.decode(row.kept).live.values())
