"""What ERASE does in one partition: rows, marks and messages of single batches."""

from msgspec import structs

from streams.identity.component import PARKED, Component, pair
from streams.identity.identifiers import keys
from streams.identity.messages import Absorb, Apply, Cannot, Erase, Event, Forget, Union
from streams.identity.past import Mark
from streams.identity.workspace import Void
from streams.instants import HOUR
from streams.rows import TIMELINE, NodeKey, decode_touch, encode_touch
from tests.identity.test_protocol import COOKIE, CRM, EMAIL, FAR, POLICY, USER, Partition, key, sent
from tests.laws.driver import event

LATER = FAR + HOUR


def marks(partition: Partition, root: NodeKey) -> dict[NodeKey, Mark]:
    past = partition.component(root).past
    return {} if past is None else past.erased


def test_a_person_is_erased_with_all_its_identifiers_and_only_it() -> None:
    partition = Partition()
    partition.advance(
        event([key(USER), key(EMAIL)], FAR, "a"), event([key(USER, 2), key(COOKIE)], FAR, "b"), event([key(USER), key(COOKIE)], 5, "c")
    )

    (change,) = partition.advance((key(EMAIL), Erase(key(EMAIL), LATER, 3, ()))).changes

    root = min(key(USER), key(USER, 2))
    component: Component = partition.component(root)
    assert marks(partition, root) == {key(USER): Mark(LATER, 3, True), key(EMAIL): Mark(LATER, 3, True)}
    assert component.fragments.keys() == {key(USER, 2)}
    assert component.edges.keys() == {key(USER, 2) + key(COOKIE)}
    assert [person.canonical for person in change.erased] == [key(USER)]
    assert [person.canonical for person in change.after] == [key(USER, 2)]
    (receipt,) = change.receipts
    assert (receipt.canonical, receipt.members) == (key(USER), (key(USER), key(EMAIL)))
    assert receipt.deleted["identifiers"] == receipt.deleted["links"] == 2


def test_marks_are_written_in_one_order_whatever_the_hash_seed() -> None:
    many = sorted([key(USER), key(EMAIL), *[key(COOKIE, number) for number in range(5)]])
    partition = Partition()
    partition.advance(*[event([key(USER), one], FAR, str(number)) for number, one in enumerate(many)])

    partition.advance((key(EMAIL), Erase(key(EMAIL), LATER, 3, ())))

    assert list(marks(partition, key(USER))) == many


def test_what_is_shared_takes_only_what_is_anchored_there() -> None:
    partition = Partition()
    partition.advance(event([key(COOKIE)], FAR, "alone"), event([key(USER), key(COOKIE)], FAR, "a"))

    partition.advance((key(USER), Erase(key(USER), LATER, 3, ())))

    assert marks(partition, key(USER))[key(COOKIE)].own is False
    advanced = partition.advance(event([key(COOKIE)], FAR, "alone"), event([key(CRM), key(COOKIE)], FAR, "another's"))
    assert [one.fragment for change in advanced.changes for one in change.applied] == [key(CRM)]
    assert advanced.tally["kairos_interactions_erased",] == 1


def test_the_identifier_that_the_command_names_takes_all_that_names_it() -> None:
    partition = Partition()
    partition.advance(event([key(CRM), key(COOKIE)], FAR, "a"))

    partition.advance((key(COOKIE), Erase(key(COOKIE), LATER, 3, ())))

    assert marks(partition, key(CRM))[key(COOKIE)].own is True


def test_an_identifier_that_is_shared_by_too_many_takes_nothing_of_theirs() -> None:
    partition = Partition()
    users = [key(USER, number) for number in range(4)]
    partition.advance(*[event([user, key(EMAIL)], FAR, f"m{number}") for number, user in enumerate(users)])
    assert partition.node(key(EMAIL)).generic

    advanced = partition.advance((key(EMAIL), Erase(key(EMAIL), LATER, 3, ())))

    assert not [change for change in advanced.changes if change.erased]
    assert partition.node(key(EMAIL)).generic


def test_a_command_that_comes_twice_or_after_a_later_one_does_nothing() -> None:
    partition = Partition()
    partition.advance(event([key(USER)], FAR, "a"), (key(USER), Erase(key(USER), LATER, 3, ())))
    partition.advance(event([key(USER)], LATER + 1, "b"))

    for order in (3, 2):
        assert partition.advance((key(USER), Erase(key(USER), LATER, order, ()))).changes == []
    (change,) = partition.advance((key(USER), Erase(key(USER), LATER + 2, 4, ()))).changes
    assert [person.canonical for person in change.erased] == [key(USER)]


def test_who_was_never_seen_is_marked_all_the_same() -> None:
    partition = Partition()
    (change,) = partition.advance((key(USER), Erase(key(USER), LATER, 3, ()))).changes

    assert change.receipts[0].deleted["identifiers"] == 1
    assert partition.advance(event([key(USER)], LATER, "late")).changes == []
    assert [one.fragment for change in partition.advance(event([key(USER)], LATER + 1, "new")).changes for one in change.applied] == [
        key(USER)
    ]


def test_what_occurred_after_the_command_goes_as_well_and_stays_away() -> None:
    partition = Partition()
    advanced = partition.advance(event([key(USER)], LATER + 5, "ahead"), (key(USER), Erase(key(USER), LATER, 3, ())))

    assert [one for change in advanced.changes for one in change.applied] == []
    assert marks(partition, key(USER))[key(USER)].until == LATER + 5


def test_it_climbs_with_its_path_and_waits_for_what_is_on_its_way() -> None:
    partition = Partition(key(USER))
    partition.advance(event([key(EMAIL)], FAR, "had something"), (key(EMAIL), Union(key(USER), None, None)))
    assert sent(partition.advance((key(EMAIL), Erase(key(EMAIL), LATER, 3, ())))) == [
        (key(USER), Erase(key(EMAIL), LATER, 3, (key(EMAIL),)))
    ]

    root = Partition(key(EMAIL))
    root.advance((key(USER), Erase(key(EMAIL), LATER, 3, (key(EMAIL),))))
    assert root.component(key(USER)).parked == 1
    assert marks(root, key(USER)) == {}


def test_a_node_forgets_its_links_and_its_root_is_told() -> None:
    partition = Partition(key(EMAIL))
    partition.advance(event([key(USER), key(EMAIL)], FAR, "a"))
    assert partition.node(key(USER)).linked == {key(EMAIL)}

    advanced = partition.advance((key(USER), Erase(key(USER), LATER, 3, ())))

    assert partition.node(key(USER)).linked == frozenset()
    assert sent(advanced) == [(key(EMAIL), Forget(key(EMAIL), LATER, 3, True, ()))]


def test_a_mark_that_comes_to_another_root_holds_there() -> None:
    partition = Partition()
    taken_in(partition, event([key(EMAIL)], FAR, "a"))

    (change,) = partition.advance((key(EMAIL), Forget(key(EMAIL), LATER, 3, True, ()))).changes

    assert [person.canonical for person in change.erased] == [key(EMAIL)]
    assert change.receipts == ()
    assert not list(partition.rows().scan(TIMELINE, key(EMAIL), key(EMAIL) + b"\xff"))


def test_an_identifier_with_a_mark_does_not_hook_bare() -> None:
    partition = Partition(key(USER))
    partition.advance((key(EMAIL), Forget(key(EMAIL), LATER, 3, True, ())))

    advanced = partition.advance((key(EMAIL), Union(key(USER), None, None)))

    assert [type(message) for _, message in sent(advanced)] == [Absorb]


def test_what_waits_and_is_void_goes_at_once() -> None:
    partition = Partition()
    touch = event([key(USER)], FAR, "a")
    partition.advance((key(USER), Apply(touch.anchor, touch.ids, touch.uid, FAR, touch.touch, (key(CRM),))))
    assert partition.component(key(USER)).parked == 1

    advanced = partition.advance((key(USER), Erase(key(USER), LATER, 3, ())))

    assert partition.component(key(USER)).parked == 0
    assert not list(partition.rows().scan(PARKED, key(USER), key(USER) + b"\xff" * 17))
    assert "messages" not in advanced.changes[0].receipts[0].deleted
    assert advanced.void == [Void(key(USER), touch.uid, 0)], "it had been sent and was in no timeline, like what comes afterwards"


def test_commands_from_before_go_and_do_not_come_back() -> None:
    partition = Partition()
    both = pair(key(USER), key(EMAIL))
    partition.advance(event([key(USER), key(EMAIL)], FAR, "a"), (key(USER), Cannot((key(USER), key(EMAIL)), True, 1, ())))

    partition.advance((key(USER), Erase(key(USER), LATER, 3, ())))
    assert partition.component(key(USER)).cannot == {}
    partition.advance((key(EMAIL), Cannot((key(USER), key(EMAIL)), True, 1, ())))
    assert partition.component(key(USER)).cannot == {}
    partition.advance((key(EMAIL), Cannot((key(USER), key(EMAIL)), True, 4, ())))
    assert partition.component(key(USER)).cannot == {both: (4, True)}


def test_others_lose_what_names_the_erased_and_their_links_are_read_off_what_is_left() -> None:
    partition = Partition()
    crm, email, phone = (("crm_id", "c"), ("email", "e"), ("phone", "p"))
    crm_key, email_key, phone_key = keys(POLICY, (crm, email, phone))
    for name, named, occurred_at in (("b", (crm, email), 7), ("c", (crm, phone), 9), ("d", (crm, email, phone), FAR)):
        bare = event(keys(POLICY, named), occurred_at, name)
        taken_in(partition, structs.replace(bare, touch=encode_touch(structs.replace(decode_touch(bare.touch), identifiers=named))))

    advanced = partition.advance((crm_key, Forget(email_key, 8, 3, True, ())))
    (change,) = advanced.changes

    assert change.swept == {crm_key}
    assert [(one.anchor, one.uid, one.stood) for one in advanced.void] == [(crm_key, event([crm_key], 7, "b").uid, True)]
    assert partition.component(crm_key).edges == {
        pair(crm_key, email_key): (FAR, FAR),
        pair(crm_key, phone_key): (9, FAR),
    }
    partition.advance((crm_key, Forget(email_key, FAR, 3, True, ())))
    assert partition.component(crm_key).edges == {pair(crm_key, phone_key): (9, 0)}
    assert partition.component(crm_key).fragments == {crm_key: 0}


def taken_in(partition: Partition, touch: Event) -> None:
    """An interaction that has joined its timeline."""
    partition.advance(touch)
    rows = partition.rows()
    rows.put(TIMELINE, touch.anchor + touch.uid, touch.touch)
    rows.commit()
