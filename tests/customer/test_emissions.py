"""Ids, contents and revisions of what is said; the digest of a state."""

from msgspec.structs import replace

from streams.customer import digest, emissions, fold, state
from streams.customer.emissions import Emission, Kept, Pool, Said
from streams.journeys import retail
from streams.language import rulebook
from streams.rows import Touch

RULES = rulebook(retail)
ANN, BEN = b"ann", b"ben"


def said(cause: str = "a", text: str = "because", to: str = "x") -> Emission:
    identity = emissions.identify("stage", "j", None, to, (cause,), False)
    return Emission("stage", identity, "j", "v1", "o", 5, 6, cause, None, (cause,), False, to=to, text=text)


def test_an_id_is_of_the_rule_the_change_and_its_cause() -> None:
    ids = {
        emissions.identify("stage", "j", None, "x", ("a",), False),
        emissions.identify("moment", "j", None, "x", ("a",), False),
        emissions.identify("stage", "k", None, "x", ("a",), False),
        emissions.identify("stage", "j", "w", "x", ("a",), False),
        emissions.identify("stage", "j", None, "y", ("a",), False),
        emissions.identify("stage", "j", None, "x", ("b",), False),
        emissions.identify("stage", "j", None, "x", ("a",), True),
    }

    assert len(ids) == 7
    assert all(len(one) == 24 and set(one) <= set("abcdefghijklmnopqrstuvwxyz234567") for one in ids)


def test_the_content_leaves_out_versions_and_reception() -> None:
    one = said()

    assert emissions.content(replace(one, rule_version="v2", received_at=9, replayed=True)) == emissions.content(one)
    assert emissions.content(replace(one, text="else")) != emissions.content(one)


def test_revisions_go_up_through_retraction_and_return() -> None:
    kept = Kept()
    history = []
    for now in ([said()], [said(text="else")], [], [said()], [said()]):
        amended = emissions.amend(kept, now, complete=True)
        kept = amended.kept
        history.append([(record.revision, record.retracted) for record in amended.records])

    assert history == [[(1, False)], [(2, False)], [(3, True)], [(4, False)], []]
    assert kept.gone == {}


def test_an_incremental_fold_takes_nothing_back() -> None:
    kept = emissions.amend(Kept(), [said()], complete=True).kept

    amended = emissions.amend(kept, [said("b")], complete=False)

    assert [record.emission.message_id for record in amended.records] == ["b"]
    assert len(amended.kept.live) == 2


def test_a_retraction_carries_what_it_takes_back() -> None:
    kept = emissions.decode(emissions.encode(emissions.amend(Kept(), [said()], complete=True).kept))

    (record,) = emissions.amend(kept, [], complete=True).records

    assert record == Said(replace(said(), text=""), 2, True)


def test_merging_two_who_said_the_same_publishes_nothing() -> None:
    one, two = (emissions.amend(Kept(), [said(), said(own)], complete=True).kept for own in ("b", "c"))

    pooled = emissions.amend_pool(Pool([one, two], [ANN, BEN], [ANN], False), [[said(), said("b"), said("c")]])

    assert pooled.records == []
    assert set(pooled.kept[0].live) == {said().id, said("b").id, said("c").id}
    assert [pooled.kept[0].live[said(own).id].customer for own in ("b", "c")] == [b"", BEN], "whose redirect leads here"


def test_what_one_took_back_and_another_keeps_goes_by_the_greatest_revision() -> None:
    keeps = emissions.amend(Kept(), [said()], complete=True).kept
    took_back = emissions.amend(keeps, [], complete=True).kept

    pooled = emissions.amend_pool(Pool([keeps, took_back], [ANN, BEN], [ANN], False), [[said()]])

    assert [(person, record.revision, record.retracted) for person, record in pooled.records] == [(0, 3, False)]


def test_after_a_split_who_is_called_otherwise_says_its_own_again_and_the_rest_is_taken_back() -> None:
    kept = emissions.amend(Kept(), [said("a"), said("b"), said("c")], complete=True).kept

    pooled = emissions.amend_pool(Pool([kept], [ANN], [ANN, BEN], True), [[said("a")], [said("b")]])

    told = [(person, record.emission.message_id, record.revision, record.retracted) for person, record in pooled.records]
    assert told == [(1, "b", 2, False), (0, "c", 2, True)]
    assert [set(one.live) for one in pooled.kept] == [{said("a").id}, {said("b").id}]
    assert all(one.gone == {said("c").id: (2, said("c").occurred_at)} for one in pooled.kept)


def _state(received: int, name: str = "a") -> state.State:
    touch = Touch(name, "s", 5, received, "track", "Order Completed", "web", "shop", (("crm_id", "1"),), b"{}", replayed=bool(received % 2))
    return fold.fold(state.empty(RULES), [touch], 5, RULES).state


def test_the_digest_is_of_states_and_not_of_when_they_came() -> None:
    assert digest.of_customer("c", _state(6)) == digest.of_customer("c", _state(7))
    assert digest.of_customer("c", _state(6)) != digest.of_customer("d", _state(6))
    assert digest.of_customer("c", _state(6)) != digest.of_customer("c", _state(6, "b"))


def test_the_digest_ignores_partitions() -> None:
    parts = [digest.of_customer(name, _state(6)) for name in "abcd"]

    assert digest.combined(parts) == digest.combined([sum(parts[2:]), *parts[:2]]) == digest.combined(parts[::-1])
    assert digest.combined(parts) != digest.combined(parts[1:])


def test_a_fold_row_is_read_as_it_was_written() -> None:
    row = state.FoldRow("rules", 3, 5, None, _state(6), b"kept")

    assert state.decode_row(state.encode_row(row)) == row


def test_of_much_evidence_what_is_kept_has_the_newest_and_still_knows_the_content() -> None:
    many = replace(said(), text="", evidence=tuple(f"e{number}" for number in range(100)))
    kept = emissions.amend(Kept(), [many], complete=True).kept

    assert emissions.amend(kept, [many], complete=True).records == []
    assert [one.revision for one in emissions.amend(kept, [replace(many, evidence=many.evidence[1:])], complete=True).records] == [2]
    (taken_back,) = emissions.amend(kept, [], complete=True).records
    assert taken_back.emission.evidence == tuple(f"e{number}" for number in range(92, 100))
