"""Who was erased is read from the newest rows of the components, and when from the receipts."""

from __future__ import annotations

from typing import NamedTuple

from schemas.record import encode
from streams import instants
from streams.identity.component import COMPONENT, Component
from streams.identity.identifiers import customer_id
from streams.identity.past import Mark, Past
from streams.instants import SECOND
from streams.intake import commands
from streams.rewrite.marks import gather
from tests.intake.kinds import NOW_SECONDS

NOW = NOW_SECONDS * SECOND
ANN, TABLET, BEN = (bytes([code]) + bytes(14) + name for code, name in ((0, b"a"), (5, b"t"), (0, b"b")))


class Message(NamedTuple):
    key: bytes | None
    value: bytes | None
    partition: int = 0


def row(root: bytes, erased: dict[bytes, Mark] | None, partition: int = 0) -> Message:
    component = Component({root}, past=None if erased is None else Past(erased))
    return Message(COMPONENT.tag + root, COMPONENT.encode(component), partition)


def receipt(name: str, at: int, decided_at: int) -> Message:
    command = {"id": name, "actor": "ben", "at": instants.text(at), "reason": "asked"}
    return Message(b"", encode({"kind": "erasure", "decidedAt": instants.text(decided_at), "command": command}))


def test_the_marks_are_those_of_the_newest_rows() -> None:
    old, new = Mark(NOW, 1, True), Mark(NOW + 1, 2, True)
    rows = [
        row(ANN, {ANN: old, TABLET: Mark(NOW, 1, False)}),
        row(BEN, {BEN: old}),
        row(BEN, None),
        row(ANN, {ANN: new, TABLET: Mark(NOW, 1, False)}),
        row(TABLET, {TABLET: Mark(NOW + 9, 3, False)}, 1),
        Message(b"another row", b"?"),
        row(BEN, {BEN: old}, 2),
        Message(COMPONENT.tag + BEN, None, 2),
    ]

    found = gather(rows, [])

    assert found.past.erased == {ANN: new, TABLET: Mark(NOW + 9, 3, False)}
    assert found.customers == {customer_id(ANN): NOW + 1, customer_id(TABLET): NOW + 9}


def test_what_was_decided_until_an_erasure_was_carried_out_is_of_who_is_no_more() -> None:
    order = commands.order(NOW, "c")
    told = [
        receipt("c", NOW, NOW + 5 * SECOND),
        receipt("another", NOW, NOW + 9 * SECOND),
        Message(b"", b'{"kind":"merge","decidedAt":"x"}'),
    ]

    found = gather([row(ANN, {ANN: Mark(NOW, order, True)})], told)

    assert found.customers == {customer_id(ANN): NOW + 5 * SECOND}
