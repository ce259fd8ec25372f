"""Cleaning touches nothing that is live."""

from __future__ import annotations

import pytest

from schemas import topics
from streams.replay import clean
from streams.replay.clean import NotOurs
from streams.replay.shadow import Shadow

OWN = Shadow("try", "kairos")


def test_what_bears_the_shadows_name_may_go() -> None:
    own = [OWN.topic(name) for name in topics.BY_NAME]

    clean.check(OWN, [*own, OWN.changelog, *OWN.groups()])


@pytest.mark.parametrize(
    "name",
    [*topics.BY_NAME, "kairos", "kairos-customers-changelog", "replay.other.journey.moments.v1", "replay.tr", "orders", ""],
)
def test_what_is_live_or_anothers_is_refused_before_anything_is_deleted(name: str) -> None:
    with pytest.raises(NotOurs):
        clean.check(OWN, [OWN.topic(topics.MOMENTS), name])


@pytest.mark.parametrize("name", ["", ".", "a.b", "UPPER", "-a", "a" * 41, "../x"])
def test_a_name_that_is_none_has_no_shadow(name: str) -> None:
    with pytest.raises(NotOurs):
        clean.check(Shadow(name, "kairos"), [])


def test_no_two_replays_nor_their_application_share_a_name() -> None:
    shadows = [Shadow(name, live) for name in ("a", "ab", "a-b") for live in ("kairos", "kairos-replay", "x" * 100)]
    owned = [{each.app_id, each.feeder, each.changelog, each.topic_prefix} for each in shadows if each.live == "kairos"]

    assert all(len(each.app_id) <= 100 for each in shadows)
    assert all(one.isdisjoint(other) for one in owned for other in owned if one is not other)
    assert not {"kairos", "kairos-customers-changelog", *topics.BY_NAME} & set().union(*owned)
