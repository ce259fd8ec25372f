"""What a play sends, in which order: time is never said too early, duplicates and shuffles lose nothing."""

from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from connectors.producer import plan
from connectors.producer.plan import BLOCK_ITEMS, Say, Send
from connectors.runtime.sources import Ready, Refused

DAY = 10
TIMES = st.lists(st.one_of(st.none(), st.integers(0, 100)), max_size=200)


def _ready(times: list[int | None]) -> list[tuple[Ready | Refused, ...]]:
    return [(Ready(b"%d" % place, "user_id:1", time),) for place, time in enumerate(times)]


def _in_order(times: list[int | None], duplicates: float = 0.0, until: int | None = None) -> list[Send | Say]:
    return list(plan.in_order(_ready(times), plan.floors(iter(times)), duplicates, DAY, until))


def _times(steps: list[Send | Say]) -> Iterator[tuple[int, list[int]]]:
    """Each time that is said, and the times of what is sent after it."""
    for place, step in enumerate(steps):
        if isinstance(step, Say):
            later = [after.one for after in steps[place:] if isinstance(after, Send)]
            yield step.time, [one.occurred_at for one in later if isinstance(one, Ready) and one.occurred_at is not None]


@given(TIMES, st.sampled_from([0.0, 0.3]))
def test_nothing_is_sent_that_is_earlier_than_a_time_said(times: list[int | None], duplicates: float) -> None:
    for said, later in _times(_in_order(times, duplicates)):
        assert all(time >= said for time in later)


@given(TIMES)
def test_time_only_grows_and_the_end_is_said_last(times: list[int | None]) -> None:
    steps = _in_order(times, until=50)

    said = [step.time for step in steps if isinstance(step, Say)]
    assert said == sorted(said)
    assert steps[-1] == Say(50)


@given(TIMES, st.floats(0, 1))
def test_an_ordered_play_sends_all_once_in_order_and_some_again(times: list[int | None], duplicates: float) -> None:
    sends = [step for step in _in_order(times, duplicates) if isinstance(step, Send)]

    first = [send.one for send in sends if not send.again]
    again = Counter(send.one for send in sends if send.again)
    assert [(one,) for one in first] == _ready(times)
    assert set(again) <= set(first)
    assert all(count == 1 for count in again.values())


def test_an_ordered_source_says_each_new_day() -> None:
    times: list[int | None] = [place for place in range(200) for _ in range(BLOCK_ITEMS)]

    assert [step.time for step in _in_order(times) if isinstance(step, Say)] == list(range(0, 200, DAY))


def test_a_source_with_its_earliest_at_the_end_says_only_that() -> None:
    assert [step.time for step in _in_order([*range(20, 100), 5]) if isinstance(step, Say)] == [5]


def test_without_known_times_only_the_end_is_said() -> None:
    assert [step for step in _in_order([None] * 100, until=7) if isinstance(step, Say)] == [Say(7)]


@given(TIMES, st.integers())
def test_a_shuffle_sends_all_in_an_order_that_the_seed_decides(times: list[int | None], seed: int) -> None:
    items = _ready(times)

    steps = list(plan.shuffled(items, seed, 0.2, 99))

    assert steps == list(plan.shuffled(items, seed, 0.2, 99))
    assert sorted(step.one for step in steps if isinstance(step, Send) and not step.again) == sorted(one for (one,) in items)
    assert steps[-1] == Say(99)
    assert sum(isinstance(step, Say) for step in steps) == 1


def test_a_share_of_all_is_sent_again_shuffled_or_not() -> None:
    items = _ready([1] * 20_000)

    for steps in (plan.in_order(items, [], 0.05, DAY, None), plan.shuffled(items, 1, 0.05, None)):
        assert 900 < sum(isinstance(step, Send) and step.again for step in steps) < 1_100


def test_a_refusal_is_never_sent_again() -> None:
    items = [(Refused("unreadable", b"x"),)] * 100

    assert not any(isinstance(step, Send) and step.again for step in plan.in_order(items, [], 1.0, DAY, None))
