"""How a component moves from one partition to another: all of it, once, whatever comes twice or waits, and back."""

import msgspec
import pytest

from streams import rows as kinds
from streams.identity import messages, moves
from streams.identity.component import COMPONENT, NODE, PARKED, STASH, Component, Node
from streams.identity.messages import Absorb, Apply, Gone, Return, SetHome, Union
from streams.identity.sweep import SWEPT
from streams.rows import CHECKPOINT, FOLD, PERSON_SUBJECT, TIMELINE, NodeKey, Person
from tests.identity.test_protocol import COOKIE, CRM, EMAIL, FAR, PHONE, USER, Partition, key, sent
from tests.laws.driver import event


def test_a_component_moves_with_all_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "CHECKPOINT_EVERY", 1)
    partition = Partition(key(USER))
    partition.advance(event([key(EMAIL)], FAR, "a"))
    rows = partition.rows()
    rows.put(TIMELINE, key(EMAIL) + b"u" * 16, b"a touch")
    rows.put(FOLD, PERSON_SUBJECT + key(EMAIL), b"a fold")
    rows.put(CHECKPOINT, PERSON_SUBJECT + key(EMAIL) + bytes(24), b"a state")
    rows.commit()

    advanced = partition.advance(event([key(EMAIL)], FAR, "b"), (key(EMAIL), Union(key(USER), None, None)))

    ((to, absorb),) = sent(advanced)
    assert to == key(USER) and isinstance(absorb, Absorb)
    body = msgspec.msgpack.decode(absorb.body, type=moves.Body)
    assert body.timeline == [(key(EMAIL) + b"u" * 16, b"a touch")]
    assert body.folds == [(PERSON_SUBJECT + key(EMAIL), b"a fold")]
    assert [applied.occurred_at for applied in body.applied] == [FAR]
    assert body.before == (Person(key(EMAIL), (key(EMAIL),), (key(EMAIL),)),)
    assert advanced.changes == []
    assert [row for row in partition.store if row != SWEPT.tag] == [NODE.tag + key(EMAIL)]
    assert partition.node(key(EMAIL)).parent == key(USER)


def _moving(*fragments: NodeKey) -> bytes:
    component = Component(set(fragments), fragments=dict.fromkeys(fragments, FAR))
    person = Person(min(fragments), tuple(sorted(fragments)), tuple(sorted(fragments)))
    timeline = [(fragment + b"u" * 16, b"a touch") for fragment in fragments]
    folds = [(PERSON_SUBJECT + person.canonical, b"a fold")]
    return msgspec.msgpack.encode(moves.Body(COMPONENT.encode(component), (person,), [], timeline, folds, [], None))


def test_an_absorbed_component_brings_its_rows_and_its_people() -> None:
    partition = Partition(key(COOKIE, 2))
    partition.advance(event([key(USER)], FAR, "a"))
    body = _moving(key(COOKIE, 1), key(COOKIE, 2))
    moved = Person(key(COOKIE, 1), (key(COOKIE, 1), key(COOKIE, 2)), (key(COOKIE, 1), key(COOKIE, 2)))

    advanced = partition.advance((key(USER), Absorb(key(COOKIE, 1), 0, 1, body, ())))

    (change,) = advanced.changes
    assert change.moved and change.before == (Person(key(USER), (key(USER),), (key(USER),)), moved)
    assert sent(advanced) == [(key(COOKIE, 2), SetHome(key(USER)))]
    assert partition.rows().get(TIMELINE, [key(COOKIE, 2) + b"u" * 16]) == [b"a touch"]
    assert partition.rows().get(FOLD, [PERSON_SUBJECT + key(COOKIE, 1)]) == [b"a fold"]


def test_an_absorb_that_comes_twice_changes_nothing() -> None:
    partition = Partition()
    absorb = (key(USER), Absorb(key(COOKIE), 0, 1, _moving(key(COOKIE)), ()))
    partition.advance(absorb)

    advanced = partition.advance(absorb)

    assert advanced.changes == [] and partition.written == set()


def test_slices_wait_for_the_last_in_any_order_and_count_once() -> None:
    partition = Partition()
    body = _moving(key(COOKIE))
    slices = [Absorb(key(COOKIE), part, 3, body[part * 30 : (part + 1) * 30 if part < 2 else None], ()) for part in range(3)]

    assert partition.advance((key(USER), slices[2]), (key(USER), slices[0]), (key(USER), slices[2])).changes == []
    assert len(partition.advance((key(USER), slices[1])).changes) == 1
    assert partition.advance(*[(key(USER), one) for one in slices]).changes == []
    assert [row for _, row in partition.rows().scan(STASH, b"", b"\xff" * 40)] == [b""]


@pytest.mark.parametrize("low_is_elsewhere", [False, True])
def test_what_waits_at_a_root_moves_on_with_it(low_is_elsewhere: bool) -> None:
    root, low, forwarder, anchor = key(EMAIL), key(USER), key(PHONE), key(COOKIE)
    waiting = Apply(anchor, (anchor,), b"u" * 16, FAR, event([anchor], FAR, "a").touch, (forwarder,))
    partition = Partition(*([low] if low_is_elsewhere else []))

    assert partition.advance((root, waiting)).changes == []
    assert partition.component(root).parked == 1
    moved = partition.advance((root, Union(low, None, None)))
    there = Partition() if low_is_elsewhere else partition
    there.advance(*[(one.key or b"", messages.decode(one.value or b"")) for one in moved.send])
    advanced = there.advance((low, Absorb(forwarder, 0, 1, _moving(forwarder, anchor), ())))

    (change,) = advanced.changes
    assert [applied.fragment for applied in change.applied] == [anchor]
    assert there.component(low).parked == 0
    for one in (partition, there):
        assert list(one.rows().scan(PARKED, b"", b"\xff" * 33)) == []


def test_an_interaction_that_waits_and_comes_again_is_counted_as_a_duplicate() -> None:
    waiting = Apply(key(COOKIE), (key(COOKIE),), b"u" * 16, FAR, event([key(COOKIE)], FAR, "a").touch, (key(PHONE),))
    partition = Partition()

    first = partition.advance((key(EMAIL), waiting)).tally
    again = partition.advance((key(EMAIL), waiting)).tally

    assert partition.component(key(EMAIL)).parked == 1
    assert (first.get(("kairos_interactions_duplicate",)), again["kairos_interactions_duplicate",]) == (None, 1)


@pytest.mark.parametrize("slice_bytes", [30, 480_000])
def test_an_absorb_waits_for_the_one_it_climbed_through(slice_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.moves.SLICE_BYTES_MAX", slice_bytes)
    partition = Partition()
    early = moves.slices(key(COOKIE, 1), _moving(key(COOKIE, 1)), (key(PHONE),))
    late = moves.slices(key(PHONE), _moving(key(PHONE)), ())

    assert partition.advance(*[(key(USER), part) for part in early]).changes == []
    assert partition.component(key(USER)).parked == len(early)
    (change,) = partition.advance(*[(key(USER), part) for part in late]).changes

    assert {person.canonical for person in change.before} == {key(PHONE), key(COOKIE, 1)}
    assert partition.component(key(USER)).members == {key(USER), key(PHONE), key(COOKIE, 1)}
    assert partition.component(key(USER)).parked == 0


def test_who_would_climb_through_one_that_is_still_on_its_way_is_not_taken_in_before_it() -> None:
    """PHONE points at the root already, and what it had is on its way there: who came to it joins neither without it nor in its place."""
    partition = Partition()
    partition.advance(event([key(USER)], FAR, "a"), event([key(COOKIE)], FAR, "b"))
    rows = partition.rows()
    rows.put(NODE, key(PHONE), Node(parent=key(USER)))
    rows.commit()

    hooked = partition.advance((key(COOKIE), Union(key(PHONE), None, None)))
    partition.advance(*[(to or b"", message) for to, message in sent(hooked)])
    assert partition.component(key(USER)).members == {key(USER)}
    assert partition.component(key(USER)).parked == 1
    partition.advance(*[(key(USER), part) for part in moves.slices(key(PHONE), _moving(key(PHONE)), ())])

    assert partition.component(key(USER)).members == {key(USER), key(PHONE), key(COOKIE)}
    assert partition.component(key(USER)).parked == 0


def test_a_component_that_was_sent_back_is_taken_for_no_other_move_than_its_newest() -> None:
    """By way of `low`, which was no root then, a first move had come to one that was full; what was sent of it comes twice."""
    low, near, child = key(USER), key(USER, 2), key(EMAIL)
    home, above = Partition(low), Partition()
    home.advance(event([child, key(COOKIE)], FAR, "a"))
    above.advance(event([low], FAR, "b"))

    def hooks() -> Absorb:
        ((_, move),) = sent(home.advance((child, Union(low, None, None))))
        assert isinstance(move, Absorb)
        return move

    first = hooks()
    returns = Return(key(CRM), 0, 1, first.body, first.turn)
    gone = next(message for _, message in sent(home.advance((child, returns))) if isinstance(message, Gone))
    second = hooks()
    home.advance((child, returns))
    assert home.node(child).parent == low

    home.advance((child, Return(key(CRM), 0, 1, second.body, second.turn)), event([near], FAR, "c"))
    home.advance((child, Union(near, None, None)))
    home.advance((child, Return(key(CRM), 0, 1, second.body, second.turn)))
    assert home.node(child).parent == near

    above.advance((low, gone))
    above.advance((low, first))
    assert above.component(low).members == {low}
    above.advance((low, second))
    assert child in above.component(low).members
    above.advance((low, Gone(child, (), 0)))
    assert child in above.component(low).members


def test_the_moves_of_an_identifier_go_on_counting_although_what_it_had_was_erased() -> None:
    low, child = key(USER), key(EMAIL)
    home = Partition(low)
    rows = home.rows()
    rows.put(NODE, child, Node(turn=7))
    rows.commit()
    home.advance(event([child], FAR, "a"))

    ((_, move),) = sent(home.advance((child, Union(low, None, None))))

    assert isinstance(move, Absorb)
    assert move.turn == 7
