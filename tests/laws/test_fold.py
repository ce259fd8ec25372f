"""The laws of the fold, over generated histories: it may be cut anywhere, taken in any order, and leaves what it is given."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import rows as kinds
from streams.customer import emissions, fold, state
from streams.customer.emissions import Emission
from streams.rows import Touch
from tests.customer.memory import Customer
from tests.laws.histories import ENDS, HISTORIES, RULEBOOKS, SPANS

LAWS = settings(max_examples=60, deadline=None, derandomize=True)


def _said(said: list[Emission]) -> list[tuple[str, bytes]]:
    return [(one.id, emissions.content(one)) for one in said]


@pytest.mark.parametrize("rules", RULEBOOKS)
@given(history=HISTORIES, cut=st.integers(0, 14), end=st.sampled_from(ENDS))
@LAWS
def test_folding_one_part_then_the_other_is_folding_both(rules: str, history: list[Touch], cut: int, end: int) -> None:
    rulebook = RULEBOOKS[rules]
    ordered = sorted(history, key=lambda touch: touch.order)
    first, second = ordered[:cut], ordered[cut:]
    until = max(end, ordered[-1].occurred_at)
    meanwhile = second[0].occurred_at - 1 if second else until

    whole = fold.fold(state.empty(rulebook), ordered, until, rulebook)
    half = fold.fold(state.empty(rulebook), first, meanwhile, rulebook)
    stored = state.decode_state(state.encode_state(half.state))
    rest = fold.fold(stored, second, until, rulebook)

    assert state.encode_state(rest.state) == state.encode_state(whole.state)
    assert _said(half.emissions + rest.emissions) == _said(whole.emissions)
    assert rest.next_deadline == whole.next_deadline


@pytest.mark.parametrize("rules", RULEBOOKS)
@given(history=HISTORIES, end=st.sampled_from(ENDS))
@LAWS
def test_fold_leaves_its_input_as_it_was(rules: str, history: list[Touch], end: int) -> None:
    rulebook = RULEBOOKS[rules]
    ordered = sorted(history, key=lambda touch: touch.order)
    before = fold.fold(state.empty(rulebook), ordered[:-1], ordered[-1].occurred_at - 1, rulebook).state
    written = state.encode_state(before)

    fold.fold(before, ordered[-1:], max(end, ordered[-1].occurred_at), rulebook)

    assert state.encode_state(before) == written


@pytest.mark.parametrize("rules", RULEBOOKS)
@given(history=HISTORIES, chance=st.randoms(use_true_random=False), end=st.sampled_from(ENDS))
@LAWS
def test_what_stands_ignores_order_duplicates_and_ticks(rules: str, history: list[Touch], chance: Random, end: int) -> None:
    rulebook = RULEBOOKS[rules]
    ordered = sorted(history, key=lambda touch: touch.order)
    shuffled = [*history, *history[: len(history) // 2]]
    chance.shuffle(shuffled)
    customers = (Customer(rulebook), Customer(rulebook))
    for customer, touches, ticks in zip(customers, (ordered, shuffled), (False, True), strict=True):
        for touch in touches:
            customer.arrive(touch)
            if ticks:
                customer.tick(touch.occurred_at + 3)
        customer.tick(max(end, ordered[-1].occurred_at + 3))
    one, other = customers

    assert state.encode_state(one.state) == state.encode_state(other.state)
    assert {(name, emissions.content(said.emission)) for name, said in one.standing().items()} == {
        (name, emissions.content(said.emission)) for name, said in other.standing().items()
    }
    assert set(emissions.decode(state.decode_row(other.row).kept).live) == set(other.standing())


@pytest.mark.parametrize("every", [1, 3])
@given(history=HISTORIES, chance=st.randoms(use_true_random=False), end=st.sampled_from(ENDS))
@LAWS
def test_checkpoints_change_nothing(every: int, history: list[Touch], chance: Random, end: int) -> None:
    rulebook, until = RULEBOOKS["both"], max(end, max(touch.occurred_at for touch in history) + SPANS[-1])
    shuffled = list(history)
    chance.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds, "CHECKPOINT_EVERY", every)
        customer = Customer(rulebook)
        for touch in shuffled:
            customer.arrive(touch)
            customer.tick(touch.occurred_at + chance.choice(SPANS))
        customer.tick(until)

    plain = fold.fold(state.empty(rulebook), sorted(history, key=lambda touch: touch.order), until, rulebook)
    assert state.encode_state(customer.state) == state.encode_state(plain.state)
    assert {(name, emissions.content(said.emission)) for name, said in customer.standing().items()} == {
        (one.id, emissions.content(one)) for one in plain.emissions
    }


@pytest.mark.parametrize("rules", RULEBOOKS)
@given(history=HISTORIES, end=st.sampled_from(ENDS))
@LAWS
def test_no_id_is_said_twice_in_one_timeline(rules: str, history: list[Touch], end: int) -> None:
    rulebook = RULEBOOKS[rules]
    ordered = sorted(history, key=lambda touch: touch.order)

    ids = [one.id for one in fold.fold(state.empty(rulebook), ordered, max(end, ordered[-1].occurred_at), rulebook).emissions]

    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("rules", RULEBOOKS)
@given(history=HISTORIES, end=st.sampled_from(ENDS))
@LAWS
def test_deadlines_fall_due_in_order_and_none_is_left_behind(rules: str, history: list[Touch], end: int) -> None:
    rulebook = RULEBOOKS[rules]
    ordered = sorted(history, key=lambda touch: touch.order)
    until = max(end, ordered[-1].occurred_at)

    folded = fold.fold(state.empty(rulebook), ordered, until, rulebook)

    times = [one.occurred_at for one in folded.emissions]
    assert times == sorted(times)
    assert folded.next_deadline is None or folded.next_deadline > until
