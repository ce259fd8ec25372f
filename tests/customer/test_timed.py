"""What a live Kairos says of its own pace: when what it has just done was received, and up to when deadlines have fallen due."""

from streams.instants import DAY, HOUR, MINUTE, SECOND
from streams.journeys import brand
from streams.language import rulebook
from tests.laws.memory import Memory

RULES = rulebook(brand)
NOW = 1_767_225_600 * SECOND
PROFILE, MOMENT = ("kairos_profile_seconds",), ("kairos_moment_seconds",)
TIME = ("kairos_partition_time_timestamp_seconds",)


def said(number: int, at: int, received: int | None = None, **fields: object) -> dict[str, object]:
    value: dict[str, object] = {"messageId": f"m{number}", "userId": "ann", "event": "Page Viewed", "timestamp": at / SECOND, **fields}
    return value if received is None else {**value, "receivedAt": received / SECOND}


def test_each_interaction_that_joins_a_profile_is_timed_once_from_its_reception() -> None:
    memory = Memory(RULES, 2, replayed=False, now=NOW)
    for number in range(3):
        memory.produce(said(number, NOW - HOUR, NOW - MINUTE))
    memory.produce(said(2, NOW - HOUR, NOW - MINUTE))
    memory.run()

    assert memory.since[PROFILE] == [NOW - MINUTE] * 3, "a duplicate joins nothing"


def test_history_says_nothing_of_todays_pace() -> None:
    for replayed, received in ((False, NOW - 2 * DAY), (True, NOW - MINUTE)):
        memory = Memory(RULES, 1, replayed=replayed, now=NOW)
        memory.produce(said(1, NOW - 3 * DAY, received))
        memory.run()

        assert not memory.since[PROFILE]


def test_a_released_moment_is_timed_from_what_led_to_it() -> None:
    memory = Memory(RULES, 1, replayed=False, now=NOW)
    memory.produce(said(1, NOW - 2 * DAY, event="Order Completed", properties={"revenue": 50, "currency": "GBP"}))
    memory.produce(said(2, NOW - HOUR, NOW - 5 * SECOND, event="Case Opened", caseId="c1", properties={"kind": "complaint"}))
    memory.run()

    assert memory.tally["kairos_moments", "complaint_after_purchase", "fired", "none"] == 1
    assert memory.since[MOMENT] == [NOW - 5 * SECOND]


def test_a_tick_tells_up_to_when_deadlines_have_fallen_due() -> None:
    memory = Memory(RULES, 2, replayed=False, now=NOW)
    memory.tick()
    memory.now += 30 * SECOND
    memory.tick()

    assert [gauges[TIME] for gauges in memory.gauges] == [(NOW + 30 * SECOND) / SECOND] * 2
