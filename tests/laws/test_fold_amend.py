"""The laws of outputs: what is published less what is taken back is what a fold of the final timelines says, through merges and splits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.customer import emissions, fold, state
from streams.customer.emissions import Emission, Kept, Pool, Said
from streams.rows import Touch
from tests.laws.histories import ENDS, HISTORIES, RULEBOOKS

RULES = RULEBOOKS["both"]
LAWS = settings(max_examples=80, deadline=None, derandomize=True)


def _fold(touches: list[Touch], until: int) -> list[Emission]:
    ordered = sorted(touches, key=lambda touch: touch.order)
    return fold.fold(state.empty(RULES), ordered, max(until, ordered[-1].occurred_at), RULES).emissions if ordered else []


def _standing(records: list[Said]) -> dict[str, tuple[int, bytes]]:
    """A subscriber's view: of each id the greatest revision; a revision is never given twice."""
    newest: dict[str, Said] = {}
    for said in records:
        assert said.emission.id not in newest or newest[said.emission.id].revision < said.revision
        newest[said.emission.id] = said
    return {name: (said.revision, emissions.content(said.emission)) for name, said in newest.items() if not said.retracted}


@given(histories=st.lists(HISTORIES, min_size=1, max_size=4), end=st.sampled_from(ENDS))
@LAWS
def test_amending_again_and_again_ends_with_what_the_last_said(histories: list[list[Touch]], end: int) -> None:
    kept, records = Kept(), []
    for history in histories:
        amended = emissions.amend(kept, _fold(history, end), complete=True)
        kept = emissions.decode(emissions.encode(amended.kept))
        records += amended.records

    last = {one.id: emissions.content(one) for one in _fold(histories[-1], end)}
    assert {name: content for name, (_, content) in _standing(records).items()} == last
    assert set(kept.live) == set(last)
    assert not set(kept.live) & set(kept.gone)


@given(history=HISTORIES, end=st.sampled_from(ENDS))
@LAWS
def test_what_is_said_again_publishes_nothing(history: list[Touch], end: int) -> None:
    said = _fold(history, end)
    kept = emissions.amend(Kept(), said, complete=True).kept

    assert emissions.amend(kept, said, complete=True).records == []
    assert emissions.amend(kept, said, complete=False).records == []
    assert emissions.amend_pool(Pool([kept], [b"0"], [b"0"], False), [said]).records == []


@given(history=HISTORIES, end=st.sampled_from(ENDS))
@LAWS
def test_a_merge_then_a_split_ends_with_what_each_says(history: list[Touch], end: int) -> None:
    parts = [[touch for touch in history if touch.identifiers[0][1] == owner] for owner in ("0", "1")]
    records: list[Said] = []
    kepts = []
    for part in parts:
        amended = emissions.amend(Kept(), _fold(part, end), complete=True)
        records += amended.records
        kepts.append(amended.kept)

    merged = emissions.amend_pool(Pool(kepts, [b"0", b"1"], [b"0"], False), [_fold(history, end)])
    records += [said for _, said in merged.records]
    together = _standing(records)
    split = emissions.amend_pool(Pool(merged.kept, [b"0"], [b"0", b"1"], True), [_fold(part, end) for part in parts])
    records += [said for _, said in split.records]

    assert {name: content for name, (_, content) in together.items()} == {one.id: emissions.content(one) for one in _fold(history, end)}
    apart = {one.id: emissions.content(one) for part in parts for one in _fold(part, end)}
    assert {name: content for name, (_, content) in _standing(records).items()} == apart
    assert [set(kept.live) for kept in split.kept] == [{one.id for one in _fold(part, end)} for part in parts]
