"""Commands with an audit are answered where they are carried out, once, with who the customers were and are."""

from streams.identity.messages import COMMANDED_MIN, Audit, Cannot, Erase, Generic, Union
from streams.identity.resolve import resolve
from tests.identity.test_protocol import COOKIE, EMAIL, FAR, POLICY, USER, Partition, event, key, sent

AUDIT = Audit("one", "ann", "a test", FAR)
BOTH = (key(USER), key(EMAIL))


def met() -> Partition:
    """A partition with one customer of two identifiers, each of which anchors a touch."""
    partition = Partition()
    partition.advance(event([key(USER), key(EMAIL)], 1, "a"), event([key(EMAIL)], 2, "b"))
    return partition


def test_a_cannot_link_is_answered_with_the_split_and_its_removal_with_the_merge() -> None:
    partition = met()
    (apart,) = partition.advance((key(USER), Cannot(BOTH, True, 5, (), AUDIT)), (key(EMAIL), Cannot(BOTH, True, 5, (), AUDIT))).carried
    (again,) = partition.advance((key(EMAIL), Cannot(BOTH, False, 6, (), AUDIT))).carried

    assert (apart.holds, apart.before, apart.after, apart.canonical) == (True, (key(USER),), BOTH, key(USER))
    assert (again.holds, again.before, again.after) == (True, BOTH, (key(USER),))


def test_a_command_that_comes_twice_is_answered_once_and_a_late_one_is_told_to_be() -> None:
    partition = met()
    partition.advance((key(USER), Cannot(BOTH, True, 5, (), AUDIT)))

    assert partition.advance((key(USER), Cannot(BOTH, True, 5, (), AUDIT))).carried == []
    (late,) = partition.advance((key(USER), Cannot(BOTH, False, 4, (), AUDIT))).carried
    assert (late.holds, late.before, late.after) == (False, BOTH, BOTH)


def test_of_two_commands_of_one_order_the_one_that_keeps_apart_holds() -> None:
    for first, second in ((True, False), (False, True)):
        partition = met()
        partition.advance((key(USER), Cannot(BOTH, first, 5, (), AUDIT)))
        partition.advance((key(USER), Cannot(BOTH, second, 5, (), AUDIT)))

        (late,) = partition.advance((key(USER), Cannot(BOTH, False, 4, (), AUDIT))).carried
        assert late.after == BOTH


def test_a_value_that_is_marked_links_nobody_and_those_seen_with_it_later_are_told() -> None:
    partition = met()
    (marked,) = partition.advance((key(EMAIL), Generic(key(EMAIL), True, (), AUDIT))).carried

    assert (marked.holds, marked.before, marked.after) == (True, (key(USER),), (key(USER), key(EMAIL)))
    (change,) = partition.advance(event([key(EMAIL), key(COOKIE)], 3, "c")).changes
    assert {person.canonical for person in change.after} >= {key(USER), key(EMAIL)}
    assert not any({key(EMAIL), key(COOKIE)} <= set(person.members) for person in change.after)


def test_a_login_of_many_that_is_unmarked_has_its_things_again_at_once() -> None:
    partition = Partition()
    partition.advance(
        *[event([key(USER, 50), key(COOKIE, number)], 1, f"a{number}") for number in range(5)],
        *[event([key(USER, number), key(COOKIE, number)], 2, f"b{number}") for number in range(4)],
    )
    (told,) = partition.advance((key(USER, 50), Generic(key(USER, 50), True, (), AUDIT, False, 7 * COMMANDED_MIN))).carried
    people = resolve(partition.component(key(USER, 0)), POLICY).people

    assert told.holds
    assert {key(USER, 50), key(COOKIE, 4)} in [set(person.members) for person in people]
    assert partition.component(key(USER, 0)).people == tuple(person for person in people if person.fragments)


def test_a_command_about_what_is_elsewhere_travels_with_its_audit() -> None:
    partition = Partition(key(USER))
    partition.advance(event([key(EMAIL)], 1, "a"))
    partition.advance((key(EMAIL), Union(key(USER), key(USER), None)))

    (one,) = sent(partition.advance((key(EMAIL), Cannot(BOTH, True, 5, (), AUDIT))))
    assert one == (key(USER), Cannot(BOTH, True, 5, (key(EMAIL),), AUDIT))


def test_an_erasure_after_a_later_one_is_answered_as_late() -> None:
    partition = met()
    (change,) = partition.advance((key(USER), Erase(key(USER), FAR, 5, (), AUDIT))).changes
    (late,) = partition.advance((key(USER), Erase(key(USER), FAR, 4, (), AUDIT))).carried

    assert change.receipts[0].audit == AUDIT
    assert (late.holds, late.before, late.after) == (False, (), ())
