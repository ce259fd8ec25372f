"""A state machine over the evidence: whatever is seen and said, in whichever parts it lies and in whatever order they come together, it is the same people.

One component hears everything in its order. Several others hear each a part of it, some of it again, join one another on the way, and are joined at the
end in an order that Hypothesis chooses.
"""

from collections.abc import Callable, Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs

from streams.identity.component import (
    COMPONENT,
    Component,
    bind,
    copy,
    crowd,
    ends,
    forbid,
    identifiers,
    is_apart,
    join,
    mark,
    pair,
    witness,
)
from streams.identity.messages import COMMANDED_MIN
from streams.identity.policy import ranked
from streams.identity.resolve import resolve
from streams.instants import HOUR
from streams.rows import NodeKey
from tests.identity.test_resolve import COOKIE, CRM, DEVICE, EMAIL, SESSION, SHARED, USER, key

PARTS = 4
ROOT = key(USER, 1)
TYPES = ranked(SHARED.types)
NODES = [key(code, number) for code in (USER, CRM, EMAIL, DEVICE, COOKIE, SESSION) for number in (1, 2)]
SEEN = st.lists(st.sampled_from(NODES), min_size=1, max_size=4, unique=True).map(lambda ids: tuple(sorted(ids)))
TWO = st.lists(st.sampled_from([node for node in NODES if node[0] <= EMAIL]), min_size=2, max_size=2, unique=True).map(
    lambda ids: pair(*ids)
)
AT = st.integers(0, 60).map(lambda number: number * 37 * HOUR // 2)
ORDER = st.integers(1, 3).map(lambda number: number * COMMANDED_MIN)
PART = st.integers(0, PARTS - 1)
Change = Callable[[Component], object]


class Machine(RuleBasedStateMachine):
    """The whole of it, and its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = Component({ROOT})
        self.parts = [Component({ROOT}) for _ in range(PARTS)]
        self.done: list[Change] = []

    def _tell(self, part: int, change: Change, named: Sequence[NodeKey] = ()) -> None:
        def both(component: Component) -> None:
            component.members.update(named)  # Whom a command names belongs from then on.
            change(component)

        self.done.append(both)
        both(self.whole)
        both(self.parts[part])

    @rule(part=PART, ids=SEEN, at=AT)
    def see(self, part: int, ids: tuple[NodeKey, ...], at: int) -> None:
        self._tell(part, lambda component: witness(component, ids, at))

    @rule(part=PART, both=TWO, order=ORDER, apart=st.booleans())
    def keep_apart_or_allow(self, part: int, both: bytes, order: int, apart: bool) -> None:
        self._tell(part, lambda component: forbid(component, both, order, apart), ends(both))

    @rule(part=PART, both=TWO, order=ORDER)
    def link(self, part: int, both: bytes, order: int) -> None:
        self._tell(part, lambda component: bind(component, both, order), ends(both))

    @rule(part=PART, node=st.sampled_from(NODES), order=ORDER | st.just(0), generic=st.booleans())
    def mark_or_unmark(self, part: int, node: NodeKey, order: int, generic: bool) -> None:
        self._tell(part, lambda component: mark(component, node, order, generic or not order), [node])

    @rule(part=PART, node=st.sampled_from(NODES), code=st.sampled_from([EMAIL, DEVICE, COOKIE]))
    def count_a_crowd(self, part: int, node: NodeKey, code: int) -> None:
        self._tell(part, lambda component: crowd(component, node + bytes([code])), [node])

    @precondition(lambda self: self.done)
    @rule(part=PART, chosen=st.data())
    def say_again_elsewhere(self, part: int, chosen: st.DataObject) -> None:
        chosen.draw(st.sampled_from(self.done))(self.parts[part])

    @rule(into=PART, other=PART)
    def come_together(self, into: int, other: int) -> None:
        join(self.parts[into], copy(self.parts[other]))

    @rule(order=st.permutations(range(PARTS)))
    def parts_in_any_order_are_the_whole(self, order: list[int]) -> None:
        joined = copy(self.parts[order[0]])
        for part in order[1:]:
            join(joined, self.parts[part])

        assert _evidence(joined) == _evidence(self.whole)
        one, other = resolve(joined, SHARED), resolve(self.whole, SHARED)
        assert one.people == other.people and set(one.refused) == set(other.refused)

    @invariant()
    def everybody_is_one_persons_and_no_rule_is_broken(self) -> None:
        before = _evidence(self.whole)
        people = resolve(self.whole, SHARED).people
        home = {member: person.canonical for person in people for member in person.members}

        assert _evidence(self.whole) == before
        assert sum(len(person.members) for person in people) == len(home) and home.keys() == identifiers(self.whole)
        assert sorted(fragment for person in people for fragment in person.fragments) == sorted(self.whole.fragments)
        assert all(person.canonical == min(person.members) for person in people)
        assert all(len(person.members) == 1 for person in people if not self.whole.generic.isdisjoint(person.members))
        for both in self.whole.cannot:
            left, right = ends(both)
            assert not is_apart(self.whole, both) or home.get(left, left) != home.get(right, right)
        if not self.whole.bound:
            for person in people:
                for code, kind in enumerate(TYPES):
                    of_it = [member for member in person.members if member[0] == code]
                    assert kind.strength != "unique" or kind.limit is None or len(of_it) <= kind.limit

    @invariant()
    def weak_links_have_no_say(self) -> None:
        known = copy(self.whole)
        known.edges = {both: seen for both, seen in known.edges.items() if all(TYPES[end[0]].strength != "weak" for end in ends(both))}
        assert _known(known) == _known(self.whole)


def _known(component: Component) -> set[tuple[NodeKey, ...]]:
    found = [
        tuple(member for member in person.members if TYPES[member[0]].strength != "weak") for person in resolve(component, SHARED).people
    ]
    return {members for members in found if members}


def _evidence(component: Component) -> bytes:
    """As it is written, without what is no evidence."""
    return COMPONENT.encode(structs.replace(component, floor=0, people=(), settled=None, undisputed=False))


Machine.TestCase.settings = settings(max_examples=200, stateful_step_count=30)
TestMachine = Machine.TestCase
