"""A replay's shadow: the names of all that is its own, on Kafka and on disk.

The rule this module owns: every topic and every group of a shadow is named here, so what is not named here is never written or deleted.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas import topics
from streams.broker import admin
from streams.broker.admin import NewTopic
from streams.settings import Settings

PREFIX = "replay."
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
APP_ID_CHARACTERS_MAX = 100
FED = (topics.INTERACTIONS, topics.COMMANDS)
"""The topics that a replay reads of the live application and feeds to its shadow."""
INPUTS = (topics.INTERACTIONS, topics.COMMANDS, topics.IDENTITY)
"""What a shadow's workers read: when nothing is left there, they are through."""


class Shadow(NamedTuple):
    """The shadow of an application, by the replay's name."""

    name: str
    live: str

    @property
    def app_id(self) -> str:
        """Its consumer group, and the beginning of its transactional ids and of its changelog."""
        return f"{self.live[: APP_ID_CHARACTERS_MAX - len(self.name) - 8]}-replay-{self.name}"

    @property
    def topic_prefix(self) -> str:
        """What all its topics but the changelog begin with."""
        return f"{PREFIX}{self.name}."

    @property
    def changelog(self) -> str:
        """The topic that holds every row of its customer agent."""
        return f"{self.app_id}-customers-changelog"

    @property
    def feeder(self) -> str:
        """The group that says how far it has been fed, and the transactional id of who feeds it."""
        return f"{self.app_id}-feeder"

    @property
    def promoter(self) -> str:
        """The group that says whether its mended dead letters were put back, and the transactional id of who does so."""
        return f"{self.app_id}-promoter"

    def topic(self, name: str) -> str:
        """The shadow's own topic in place of a live one."""
        return self.topic_prefix + name

    def groups(self) -> list[str]:
        """All its consumer groups."""
        return [self.app_id, self.feeder, self.promoter]

    def create(self, bootstrap: str, partitions: int) -> None:
        """Make its topics exist; they have the settings of the live ones."""
        admin.create_topics(
            bootstrap, [NewTopic(self.topic(one.name), one.partitions or partitions, topics.configuration(one)) for one in topics.TOPICS]
        )

    def environment(self, settings: Settings, partitions: int, journeys: tuple[str, ...], policy: str | None) -> dict[str, str]:
        """What makes a worker the shadow's; all else is as the live one has it, the secret above all: a customer has the same id in both."""
        said: dict[str, object] = {
            "app_id": self.app_id,
            "topic_prefix": self.topic_prefix,
            "partitions": partitions,
            "replication": settings.replication,
            "journeys": ",".join(journeys),
            "region": settings.region,
            "clock": "replay",
            "guarantee": "exactly_once",
            "metrics_port": 0,
        }
        if policy is not None:
            said["policy"] = policy
        if settings.secret is None:
            settings.hash_key()  # Makes the file where there is none.
            said["secret_file"] = (settings.secret_file or settings.data_dir / "secret").absolute()
        return {f"KAIROS_{name.upper()}": str(value) for name, value in said.items()}
