"""A state machine over customers who hear, merge and part: at every moment what was published, less what was taken back, is what their timelines say.

Four owners hear interactions late and early; the customers are groups of owners, which come together and part as Hypothesis chooses. The naive oracle
folds the timeline of each customer from its beginning.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.customer import emissions, fold, state
from streams.customer.emissions import Emission, Kept, Pool, Said
from streams.rows import Touch
from tests.laws.histories import ENDS, ONE, RULEBOOKS, numbered

RULES = RULEBOOKS["both"]
OWNERS = (b"0", b"1", b"2", b"3")
UNTIL = max(ENDS)
Group = frozenset[bytes]


class Customers(RuleBasedStateMachine):
    """The published records of all, and what each customer keeps of them."""

    def __init__(self) -> None:
        super().__init__()
        self.touches: dict[bytes, list[Touch]] = {owner: [] for owner in OWNERS}
        self.kept: dict[Group, Kept] = {frozenset([owner]): Kept() for owner in OWNERS}
        self.records: list[tuple[bytes, Said]] = []
        """With the name of the customer it is about: whoever holds the owner of that name now is meant."""
        self.heard = 0

    def _folded(self, group: Group) -> list[Emission]:
        ordered = sorted((touch for owner in group for touch in self.touches[owner]), key=lambda touch: touch.order)
        return fold.fold(state.empty(RULES), ordered, max(UNTIL, ordered[-1].occurred_at), RULES).emissions if ordered else []

    def _of(self, owner: bytes) -> Group:
        return next(group for group in self.kept if owner in group)

    def _become(self, old: list[Group], new: list[Group]) -> None:
        pool = Pool([self.kept.pop(group) for group in old], [min(group) for group in old], [min(group) for group in new], len(new) > 1)
        pooled = emissions.amend_pool(pool, [self._folded(group) for group in new])
        self.records += [(min(new[place]), said) for place, said in pooled.records]
        self.kept |= {group: _stored(kept) for group, kept in zip(new, pooled.kept, strict=True)}

    @rule(owner=st.sampled_from(OWNERS), drawn=ONE)
    def hear(self, owner: bytes, drawn: tuple[tuple[int, int], str, int, int]) -> None:
        self.heard += 1
        [touch] = numbered([drawn], self.heard)
        self.touches[owner].append(touch)
        group = self._of(owner)
        amended = emissions.amend(self.kept[group], self._folded(group), complete=True)
        self.records += [(min(group), said) for said in amended.records]
        self.kept[group] = _stored(amended.kept)

    @precondition(lambda self: self.heard)
    @rule(owner=st.sampled_from(OWNERS))
    def fold_again(self, owner: bytes) -> None:
        group = self._of(owner)
        assert emissions.amend(self.kept[group], self._folded(group), complete=True).records == []

    @precondition(lambda self: len(self.kept) > 1)
    @rule(chosen=st.data())
    def come_together(self, chosen: st.DataObject) -> None:
        groups = sorted(self.kept, key=min)
        old = chosen.draw(st.lists(st.sampled_from(groups), min_size=2, max_size=len(groups), unique=True))
        self._become(old, [frozenset().union(*old)])

    @precondition(lambda self: len(self.kept) < len(OWNERS))
    @rule(chosen=st.data())
    def part(self, chosen: st.DataObject) -> None:
        whole = chosen.draw(st.sampled_from(sorted((group for group in self.kept if len(group) > 1), key=min)))
        leave = chosen.draw(st.lists(st.sampled_from(sorted(whole)), min_size=1, max_size=len(whole) - 1, unique=True))
        self._become([whole], [whole - frozenset(leave), frozenset(leave)])

    @invariant()
    def what_stands_is_what_the_timelines_say(self) -> None:
        newest: dict[str, tuple[bytes, Said]] = {}
        for owner, said in self.records:
            before = newest.get(said.emission.id)
            assert before is None or before[1].revision < said.revision
            newest[said.emission.id] = (owner, said)
        standing: dict[Group, dict[str, bytes]] = {group: {} for group in self.kept}
        for name, (owner, said) in newest.items():
            if not said.retracted:
                standing[self._of(owner)][name] = emissions.content(said.emission)
        wanted = {group: {one.id: emissions.content(one) for one in self._folded(group)} for group in self.kept}
        assert standing == wanted
        assert {group: set(kept.live) for group, kept in self.kept.items()} == {group: set(of_one) for group, of_one in wanted.items()}

    @invariant()
    def an_encoded_state_is_the_state(self) -> None:
        for group in self.kept:
            ordered = sorted((touch for owner in group for touch in self.touches[owner]), key=lambda touch: touch.order)
            if ordered:
                folded = fold.fold(state.empty(RULES), ordered, max(UNTIL, ordered[-1].occurred_at), RULES).state
                assert state.encode_state(state.decode_state(state.encode_state(folded))) == state.encode_state(folded)


def _stored(kept: Kept) -> Kept:
    """As it comes back from its row."""
    return emissions.decode(emissions.encode(kept))


TestCustomers = Customers.TestCase
TestCustomers.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)
