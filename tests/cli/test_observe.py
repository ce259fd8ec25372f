"""The live view's counts: what was applied is what profiles count, whatever channel it came through, and no more."""

from __future__ import annotations

import orjson

from streams.cli import observe
from streams.cli.observe import Seen
from tests.cli import values


def _seen(*profiles: dict[str, object]) -> Seen:
    seen = Seen()
    for profile in profiles:
        observe._profile(seen, str(profile["customerId"]).encode(), orjson.dumps(profile))
    return seen


def test_an_interaction_without_a_channel_is_seen() -> None:
    seen = _seen(values.profile(values.ANN, channels={}, interactions=1), values.profile(values.ANN, channels={}, interactions=3))

    assert (seen.applied, len(seen.customers)) == (3, 1)


def test_a_merge_moves_interactions_and_counts_none_twice() -> None:
    ann, bob = values.profile(values.ANN, interactions=2), values.profile(values.BOB, interactions=3)

    seen = _seen(ann, bob, values.profile(values.ANN, interactions=5), values.profile(values.BOB, mergedInto=values.ANN))

    assert (seen.applied, list(seen.customers)) == (5, [values.ANN.encode()])
