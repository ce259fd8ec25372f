"""The simulator sees a batch that changes a row in place: its successor would read another row than the changelog holds."""

from __future__ import annotations

from streams.engine.cache import Cache
from streams.engine.overlay import Overlay
from streams.identity.component import COMPONENT, Component
from tests.simulation.workers import Files, changed_in_place

KEY, OTHER = b"a" * 16, b"b" * 16


def test_a_row_that_was_changed_and_not_put_is_told_of() -> None:
    files = Files()
    files.put(COMPONENT.tag + KEY, COMPONENT.encode(Component({KEY})))
    view = Overlay(files, Cache(0), 0, 1)
    (row,) = view.get(COMPONENT, [KEY])
    view.get(COMPONENT, [OTHER])
    assert row is not None
    assert list(changed_in_place(view, files)) == []

    row.members.add(OTHER)
    assert list(changed_in_place(view, files)) == ["a component row was changed in place"]

    view.put(COMPONENT, KEY, row)
    assert list(changed_in_place(view, files)) == []
