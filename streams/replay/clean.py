"""Takes a shadow away: its topics and its groups.

The rule this module owns: what is deleted bears the shadow's name; whatever else was asked for is refused before anything is deleted.
"""

from __future__ import annotations

import time

from schemas import topics
from streams.broker import admin
from streams.replay.shadow import NAME, PREFIX, Shadow

MEMBER_SECONDS_MAX = 20.0
"""A worker that was killed is a member of its group for no longer than this."""


class NotOurs(ValueError):
    """It is live, or not a shadow's at all, and stays."""


class Busy(Exception):
    """Workers of the shadow, or who feeds it, are still at it."""


def check(shadow: Shadow, wanted: list[str]) -> None:
    """NotOurs where a topic or a group is none of the shadow's."""
    if not NAME.fullmatch(shadow.name) or not shadow.topic_prefix.startswith(PREFIX) or shadow.app_id == shadow.live:
        raise NotOurs(f"{shadow.name!r} is no name of a replay")
    own = {shadow.changelog, *shadow.groups()}
    live = [name for name in wanted if name in topics.BY_NAME or not (name in own or name.startswith(shadow.topic_prefix))]
    if live:
        raise NotOurs(f"{', '.join(live)}: that is not the shadow's, and stays")


def clean(bootstrap: str, shadow: Shadow) -> list[str]:
    """Delete the shadow's groups and topics; the names of the topics. Busy where somebody is still at work in it, NotOurs before anything is deleted."""
    found = [*admin.topics_like(bootstrap, shadow.topic_prefix), *admin.topics_like(bootstrap, shadow.changelog)]
    check(shadow, [*found, *shadow.groups()])
    deadline = time.monotonic() + MEMBER_SECONDS_MAX
    while (busy := admin.delete_groups(bootstrap, shadow.groups())) and time.monotonic() < deadline:
        time.sleep(0.5)
    if busy:
        raise Busy(f"{', '.join(busy)} still has members, or Kafka has just started: stop the workers of this replay, or try again")
    admin.delete_topics(bootstrap, found)
    return found
