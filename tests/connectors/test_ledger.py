"""What may be committed of a partition, and what stands beside it: nothing is lost over a kill, and little is done twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.runtime.ledger import NOTE_CHARACTERS_MAX, Ledger, Tried, noted

STEPS = st.lists(st.tuples(st.sampled_from(["read", "read", "done", "killed"]), st.integers(0, 7)), max_size=80)


@given(STEPS, st.integers(0, 1000))
def test_a_kill_loses_nothing_and_repeats_only_what_was_done_since_the_last_commit(steps: list[tuple[str, int]], start: int) -> None:
    """Offsets have holes of 1 to 3. At each step its position is committed, but not before the kill: what was done in the last step comes again."""
    records = [start + sum(1 + number * number % 3 for number in range(count)) for count in range(60)]
    committed, ledger, reading = (start, ""), Ledger(start), iter(records)
    given_out: list[int] = []
    done: set[int] = set()
    known: set[int] = set()
    safe: set[int] = set()
    for step, number in steps:
        if step == "read" and (offset := next(reading, None)) is not None:
            fresh = ledger.read(offset)
            assert fresh or offset in done
            assert not (fresh and offset in safe), "what was done when it was committed is not given out again"
            given_out += [offset] if fresh else []
        elif step == "done" and given_out:
            offset = given_out.pop(number % len(given_out))
            committed, safe = (ledger.offset, ledger.note({})), set(known)
            ledger.done(offset)
            done.add(offset)
            known.add(offset)
        elif step == "killed":
            ledger, known = Ledger(*committed), set(safe)
            reading = iter([offset for offset in records if offset >= committed[0]])
            given_out = []
    for offset in reading:
        given_out += [offset] if ledger.read(offset) else []

    assert set(records) <= done | set(given_out)
    assert ledger.offset == min(given_out, default=records[-1] + 1)


def test_what_was_tried_is_known_to_who_takes_over() -> None:
    ledger = Ledger(10)
    for offset in range(10, 20):
        ledger.read(offset)
    for offset in (10, 11, 13, 19):
        ledger.done(offset)

    note = ledger.note({12: Tried(3, 1700.9), 15: Tried(1, 1800.0)})

    assert ledger.offset == 12
    assert noted(ledger.offset, note) == (20, 6, 2)
    other = Ledger(ledger.offset, note)
    assert [other.read(offset) for offset in range(12, 21)] == [True, False, True, True, True, True, True, False, True]
    assert (other.tried(12), other.tried(14), other.tried(15)) == (Tried(3, 1700.0), None, Tried(1, 1800.0))


def test_a_note_that_was_taken_over_is_not_forgotten_before_all_is_read_again() -> None:
    first = Ledger(0)
    for offset in range(100):
        first.read(offset)
    for offset in range(1, 99):
        first.done(offset)
    second = Ledger(0, first.note({0: Tried(2, 5.0), 99: Tried(7, 6.0)}))
    second.read(0)

    third = Ledger(0, second.note({0: Tried(3, 5.0)}))

    assert [offset for offset in range(100) if third.read(offset)] == [0, 99]
    assert (third.tried(0), third.tried(99)) == (Tried(3, 5.0), Tried(7, 6.0))


def test_a_note_claims_less_where_it_would_be_too_long() -> None:
    ledger = Ledger(0)
    for offset in range(0, 400_000, 100):
        ledger.read(offset)
    for offset in range(0, 400_000, 200):
        ledger.done(offset)

    note = ledger.note({})

    assert len(note) <= NOTE_CHARACTERS_MAX
    other = Ledger(ledger.offset, note)
    again = [offset for offset in range(100, 400_000, 100) if other.read(offset)]
    assert set(range(100, 400_000, 200)) <= set(again), "all that was not done"
    assert again[:3] == [100, 300, 500]


def test_what_another_program_noted_is_nothing() -> None:
    for note in ("hello", "[]", '{"read_to": 7}', "[1", '["a", []]'):
        assert Ledger(3, note).read(3)
