"""What a message does in one partition: rows, messages and changes of single batches."""

from typing import Any

import msgspec
import pytest

from streams.boundary import Outgoing
from streams.identity import afterwards, messages, moves, protocol
from streams.identity.component import COMPONENT, NODE, Component, Node
from streams.identity.messages import Absorb, Apply, Cannot, Event, Generic, Message, Refused, SetHome, Time, Union
from streams.identity.protocol import Advanced
from streams.instants import HOUR
from streams.journeys.identity_policy import identity_policy
from streams.rows import NodeKey, Person
from tests.laws.driver import Clock, DictRows, Record, event

POLICY = identity_policy(b"s")
USER, CRM, EMAIL, LOYALTY, PHONE, DEVICE, COOKIE = range(7)
FAR = 10 * HOUR


def key(code: int, number: int = 1) -> NodeKey:
    return bytes([code]) + number.to_bytes(15, "big")


class Partition:
    """One partition; `elsewhere` are the keys that belong to another."""

    def __init__(self, *elsewhere: NodeKey) -> None:
        self.store: dict[bytes, bytes] = {}
        self.live: dict[bytes, Any] = {}
        self.elsewhere = frozenset(elsewhere)
        self.written: set[bytes] = set()

    def rows(self) -> DictRows:
        rows = DictRows(self.store, self.live, 0, 1)
        rows.holds = lambda key: key not in self.elsewhere  # type: ignore[method-assign]  # a partition as the test wants it
        return rows

    def advance(self, *batch: Event | tuple[NodeKey, Message]) -> Advanced:
        pairs = [(one.anchor, one) if isinstance(one, Event) else one for one in batch]
        rows = self.rows()
        advanced = protocol.advance([Record(key, messages.encode(message)) for key, message in pairs], rows, Clock(), POLICY)
        self.written = set(rows.written)
        rows.commit()
        return advanced

    def component(self, root: NodeKey) -> Component:
        return self.rows().get(COMPONENT, [root])[0]

    def node(self, node: NodeKey) -> Node:
        return self.rows().get(NODE, [node])[0]


def sent(advanced: Advanced) -> list[tuple[bytes | None, Message]]:
    return [(one.key, messages.decode(one.value or b"")) for one in advanced.send]


def test_a_touch_without_news_writes_no_row() -> None:
    partition = Partition()
    partition.advance(event([key(USER), key(COOKIE)], FAR, "a"))

    advanced = partition.advance(event([key(USER), key(COOKIE)], FAR + 1, "b"), event([key(USER)], FAR + 2, "c"))

    assert partition.written == set()
    assert advanced.send == []
    (change,) = advanced.changes
    assert change.before == change.after == (Person(key(USER), (key(USER), key(COOKIE)), (key(USER),)),)
    assert [applied.occurred_at for applied in change.applied] == [FAR + 1, FAR + 2]


def test_what_a_batch_names_is_read_in_a_few_goes_however_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    partition, asked, get = Partition(), [0], DictRows.get
    partition.advance(*[event([key(USER, number), key(EMAIL, number)], FAR, f"a{number}") for number in range(30)])

    def counted(self: DictRows, kind: Any, keys: Any) -> list[Any]:
        asked[0] += 1
        return get(self, kind, keys)

    monkeypatch.setattr(DictRows, "get", counted)
    partition.advance(*[event([key(EMAIL, number), key(COOKIE, number)], FAR, f"b{number}") for number in range(30)])

    assert asked[0] <= 8


def test_last_seen_is_kept_to_the_hour() -> None:
    partition = Partition()
    partition.advance(event([key(USER), key(COOKIE)], FAR + 5, "a"), event([key(USER), key(COOKIE)], FAR + HOUR + 5, "b"))

    assert partition.component(key(USER)).edges == {key(USER) + key(COOKIE): (FAR + 5, FAR + HOUR)}
    assert partition.component(key(USER)).fragments == {key(USER): FAR + HOUR}


def test_a_merge_names_its_cause_and_the_people_before() -> None:
    partition = Partition()
    partition.advance(event([key(EMAIL)], FAR, "a"), event([key(PHONE)], FAR, "b"))

    (change,) = partition.advance(event([key(EMAIL), key(PHONE)], FAR + 1, "c")).changes

    assert change.root == key(EMAIL)
    assert set(change.before) == {Person(one, (one,), (one,)) for one in (key(EMAIL), key(PHONE))}
    assert change.after == (Person(key(EMAIL), (key(EMAIL), key(PHONE)), (key(EMAIL), key(PHONE))),)
    assert change.cause == (FAR + 1, "c")
    assert change.moved and change.floor > 0


def test_a_link_is_told_once() -> None:
    partition = Partition(key(COOKIE))

    first = partition.advance(event([key(USER), key(COOKIE)], FAR, "a"))
    second = partition.advance(event([key(USER), key(COOKIE)], FAR, "b"))

    assert sent(first) == [(key(COOKIE), Union(key(USER), key(USER), (FAR, "a")))]
    assert sent(second) == []


def test_no_version_of_either_is_above_the_floor_of_both() -> None:
    partition = Partition()
    absorbed = Component({key(COOKIE)}, fragments={key(COOKIE): FAR}, floor=41)
    body = msgspec.msgpack.encode(moves.Body(COMPONENT.encode(absorbed), (), [], [], [], [], None))

    (change,) = partition.advance((key(USER), Absorb(key(COOKIE), 0, 1, body, ()))).changes

    assert change.floor > 41 and partition.component(key(USER)).floor == change.floor


def test_a_touch_is_forwarded_to_its_root_with_its_path() -> None:
    partition = Partition(key(USER))
    partition.advance(event([key(EMAIL)], FAR, "had something"), (key(EMAIL), Union(key(USER), None, None)))

    touch = event([key(EMAIL)], FAR, "a")
    advanced = partition.advance(touch)

    assert sent(advanced) == [(key(USER), Apply(touch.anchor, touch.ids, touch.uid, FAR, touch.touch, (key(EMAIL),)))]


def test_an_identifier_that_had_nothing_hooks_without_a_move_and_nobody_waits_for_it() -> None:
    partition = Partition(key(USER))

    hooked = partition.advance((key(EMAIL), Union(key(USER), None, None)))
    touch = event([key(EMAIL)], FAR, "a")
    advanced = partition.advance(touch)

    assert hooked.send == hooked.changes == []
    assert partition.node(key(EMAIL)) == Node(parent=key(USER), bare=True)
    assert sent(advanced) == [(key(USER), Apply(touch.anchor, touch.ids, touch.uid, FAR, touch.touch, ()))]


def test_a_home_is_taken_only_if_it_ranks_lower() -> None:
    partition = Partition(key(USER), key(CRM), key(EMAIL))
    partition.advance((key(COOKIE), Union(key(CRM), None, None)))

    partition.advance((key(COOKIE), SetHome(key(EMAIL))))
    assert partition.node(key(COOKIE)).parent == key(CRM)
    partition.advance((key(COOKIE), SetHome(key(USER))))
    assert partition.node(key(COOKIE)).parent == key(USER)


def test_one_login_too_many_makes_an_identifier_generic() -> None:
    partition = Partition()
    partition.advance(*[event([key(USER, number), key(EMAIL)], FAR, f"m{number}") for number in range(2)])
    assert not partition.node(key(EMAIL)).generic

    partition.advance(event([key(USER, 9), key(EMAIL)], FAR, "one more"), event([key(USER, 9), key(EMAIL)], FAR, "again"))

    assert partition.node(key(EMAIL)).generic
    assert key(EMAIL) in partition.component(key(USER, 0)).generic
    assert key(EMAIL) not in partition.component(key(USER, 9)).members


def test_the_roots_concerned_are_told_of_a_generic_identifier() -> None:
    users = [key(USER, number) for number in range(4)]
    partition = Partition(*users)

    advanced = partition.advance(*[(key(EMAIL), Union(user, user, None)) for user in users])

    told = [(to, message) for to, message in sent(advanced) if isinstance(message, Generic)]
    assert (users[3], Generic(key(EMAIL), False, ())) in told
    assert (users[0], Generic(key(EMAIL), True, ())) in told


def test_a_conflict_is_told_once() -> None:
    partition = Partition()
    first = partition.advance(event([key(USER, 1), key(EMAIL)], FAR, "a"), event([key(USER, 2), key(EMAIL)], FAR, "b"))
    second = partition.advance(event([key(USER, 2), key(EMAIL)], FAR + 5 * HOUR, "c"))

    assert [(told.rule, len(told.customers)) for told in first.conflicts] == [("limit", 2)]
    assert second.conflicts == []


def test_commands_are_last_writer_wins_by_their_order() -> None:
    partition = Partition()
    partition.advance(event([key(USER), key(EMAIL)], FAR, "a"))
    both = (key(USER), key(EMAIL))

    apart = partition.advance((key(USER), Cannot(both, True, 5, ())))
    stale = partition.advance((key(EMAIL), Cannot(both, False, 4, ())))
    together = partition.advance((key(EMAIL), Cannot(both, False, 6, ())))

    assert [len(change.after) for change in apart.changes] == [1]
    assert apart.changes[0].after[0].members == (key(USER),)
    assert stale.changes == []
    assert together.changes[0].after[0].members == both


def test_settle_keeps_the_greatest_version() -> None:
    partition = Partition()
    partition.advance(event([key(USER)], FAR, "a"))
    for floor in (9, 4):
        rows = partition.rows()
        afterwards.settle(rows, key(USER), floor)
        rows.commit()

    assert partition.component(key(USER)).floor == 9


def test_time_records_are_handed_through() -> None:
    rows = Partition().rows()

    advanced = protocol.advance([Record(None, messages.encode(Time(3, 77)))], rows, Clock(), POLICY)

    assert advanced.times == [Time(3, 77)]
    assert advanced.send == advanced.changes == []


@pytest.mark.parametrize(
    "message",
    [
        event([key(USER), key(EMAIL)], FAR, "a"),
        Apply(key(USER), (key(USER),), b"u" * 16, FAR, b"t", (key(EMAIL),)),
        Union(key(USER), None, None),
        Union(key(USER), key(USER), (FAR, "a")),
        Absorb(key(USER), 1, 2, b"body", (key(CRM),)),
        SetHome(key(USER)),
        Refused((key(CRM),)),
        Generic(key(USER), True, ()),
        Cannot((key(USER), key(CRM)), True, 7, ()),
        Time(1, 2),
    ],
)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert messages.decode(messages.encode(message)) == message


def test_rows_are_written_the_same_whatever_the_order_of_their_sets() -> None:
    forth = [key(COOKIE, number) for number in range(50)]
    back = forth[::-1]
    one, other = (Component(set(keys), edges={member + member: (1, 2) for member in keys}) for keys in (forth, back))

    assert COMPONENT.encode(one) == COMPONENT.encode(other)
    assert COMPONENT.decode(COMPONENT.encode(one)) == one
    assert COMPONENT.decode(COMPONENT.encode(parted := Component({key(COOKIE)}, parted=True))) == parted
    assert NODE.encode(Node(linked=frozenset(forth))) == NODE.encode(Node(linked=frozenset(back)))


@pytest.mark.parametrize(("kind", "row"), [(NODE, Node(format=99)), (COMPONENT, Component({b"x"}, format=99))])
def test_a_row_of_another_format_is_refused(kind: Any, row: Any) -> None:
    with pytest.raises(ValueError, match="format 99"):
        kind.decode(kind.encode(row))


def test_messages_to_other_partitions_go_to_the_identity_topic_by_key() -> None:
    advanced = Partition(key(COOKIE)).advance(event([key(USER), key(COOKIE)], FAR, "a"))

    assert advanced.send == [Outgoing("journey.identity.v1", key(COOKIE), advanced.send[0].value)]
    assert advanced.tally["kairos_identity_messages", "event"] == 1
