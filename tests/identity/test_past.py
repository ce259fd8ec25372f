"""What a component remembers of those who are no more: joining it, and when it is void, outdated or over."""

from hypothesis import given
from hypothesis import strategies as st

from streams.identity.past import (
    ERASED_KEPT,
    Mark,
    Parted,
    Past,
    is_outdated,
    is_void,
    joined,
    lapsed_erasures,
    lapsed_redirect,
    parted,
    redirecting,
)
from streams.rows import Person

KEYS = [bytes([code]) * 16 for code in range(4)]
A, B, C, D = KEYS
_MARKS = st.builds(Mark, st.integers(0, 5), st.integers(0, 5), st.booleans())
_PASTS = st.none() | st.builds(
    Past, st.dictionaries(st.sampled_from(KEYS), _MARKS, max_size=3), st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9), max_size=3)
)


@given(_PASTS, _PASTS, _PASTS)
def test_joining_is_commutative_associative_and_idempotent(one: Past | None, two: Past | None, three: Past | None) -> None:
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, one) == one


@given(_PASTS, _PASTS, st.sets(st.sampled_from(KEYS), min_size=1), st.integers(0, 6))
def test_what_is_void_stays_void_whatever_joins(one: Past | None, two: Past | None, ids: set[bytes], at: int) -> None:
    both = joined(one, two)

    if one is not None and both is not None and is_void(one, ids, at):
        assert is_void(both, ids, at)


def test_an_interaction_is_void_by_its_anchor_or_by_what_was_somebodys_own_up_to_the_instant() -> None:
    past = Past({B: Mark(5, 0, False), C: Mark(5, 0, True)})

    assert is_void(past, (B, D), 5) and not is_void(past, (B, D), 6)
    assert not is_void(past, (A, B), 5)
    assert is_void(past, (A, C), 5) and not is_void(past, (A, C), 6)


def test_a_command_from_before_the_erasure_is_outdated() -> None:
    past = Past({B: Mark(5, 7, False)})

    assert is_outdated(past, (A, B), 6) and not is_outdated(past, (A, B), 8)
    assert not is_outdated(past, (A, C), 6) and not is_outdated(None, (A, B), 6)


def test_a_redirect_ends_only_as_it_was_last_set_and_not_for_the_living() -> None:
    past = redirecting(None, {A: 5, B: 5}, ())

    assert lapsed_redirect(past, A, 4) is None and lapsed_redirect(None, A, 5) is None
    assert lapsed_redirect(past, A, 5) == Past({}, {B: 5})
    assert redirecting(past, {A: 9}, [B]) == Past({}, {A: 9})
    assert redirecting(None, {}, [A]) is None


def test_an_erasure_is_remembered_for_the_longest_retention_and_the_past_never_vanishes() -> None:
    past = Past({A: Mark(5, 0, True), B: Mark(6, 0, True)})

    assert lapsed_erasures(past, 4 + ERASED_KEPT) is None
    assert lapsed_erasures(past, 5 + ERASED_KEPT) == Past({B: Mark(6, 0, True)})
    assert lapsed_erasures(past, 6 + ERASED_KEPT) == Past()


def test_who_has_no_touch_left_was_erased_and_who_has_lives_on_in_others() -> None:
    named, emptied, absorbed = Person(A, (A,), (A,)), Person(B, (B, C), (C,)), Person(D, (D,), (D,))

    shared = Person(A, (A, D), (A, D))

    assert parted([named, emptied, absorbed], [Person(B, (B, D), (D,))], {A}) == Parted((absorbed,), (), (named, emptied))
    assert parted([named], [named], {A}) == Parted((), (), (named,))
    assert parted([shared], [Person(A, (A,), (A,)), absorbed], {A}) == Parted((shared,), (shared,), ())
