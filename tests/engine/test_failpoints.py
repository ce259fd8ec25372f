"""Fail points strike where and when they are told to, and nothing else is accepted."""

from __future__ import annotations

import pytest

from streams.engine.errors import EngineError, Injected
from streams.engine.failpoints import ENVIRONMENT, FailPoint


def test_strikes_at_the_hit_that_was_ordered() -> None:
    point = FailPoint("after_commit:3:error")

    point.reach("after_commit")
    point.reach("after_store")
    assert not point.armed("after_commit")
    point.reach("after_commit")
    assert point.armed("after_commit")
    with pytest.raises(Injected):
        point.reach("after_commit")
    point.reach("after_commit")


def test_errors_strike_again_and_again() -> None:
    point, struck = FailPoint("after_commit:3:errors"), []

    for number in range(1, 10):
        try:
            point.reach("after_commit")
        except Injected:
            struck.append(number)

    assert struck == [3, 6, 9]


def test_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "after_fence:1:error")

    with pytest.raises(Injected):
        FailPoint().reach("after_fence")


@pytest.mark.parametrize("order", ["nowhere:1:kill", "after_fence:x:kill", "after_fence:1:explode", "after_fence"])
def test_what_does_not_exist_is_refused(order: str) -> None:
    with pytest.raises(EngineError):
        FailPoint(order)
