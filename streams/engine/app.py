"""A Faust app with our parts put in: transport, custody of partitions, schema. Web server, leader, producer and tables are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import faust
from faust.app.base import BootStrategy
from yarl import URL

from streams.engine import transport
from streams.engine.custody import Custody
from streams.engine.drive import Body, drive
from streams.engine.placing import Assignor
from streams.engine.settings import EngineSettings
from streams.engine.shared import Shared


class Agent(NamedTuple):
    """What was declared: a body over the batches of one topic, with or without a table, and the topic of this app that it writes, if it does."""

    name: str
    topic: str
    table: str | None
    body: Body
    feeds: str | None = None


class Boot(BootStrategy):
    """Neither a producer (each partition has its own) nor a web server."""

    enable_kafka_producer = False
    enable_web = False


class App(faust.App):
    """Faust's, booted with less."""

    BootStrategy = Boot

    def on_rebalance_return(self) -> None:
        """Faust's sensors would time the rebalance here, but ours has ended by then."""


class BatchSchema(faust.Schema):
    """The value of an event is the batch that its message carries."""

    def compile(self, app: Any, **options: Any) -> Any:
        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.batch, None, message)

        return decode


def build(settings: EngineSettings, agents: Mapping[str, Agent], shared: Shared) -> App:
    """The app, not started. To be called in the loop that will run it."""
    transport.register()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    app = App(
        settings.app_id,
        broker=[URL(f"{transport.SCHEME}://{address}") for address in settings.bootstrap.split(",")],
        store="memory://",
        datadir=str(settings.state_dir / "faust"),
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        web_enabled=False,
        web_host="127.0.0.1",
        web_tables_enabled=False,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_request_timeout=max(90.0, settings.session_timeout_seconds),
        broker_heartbeat_interval=settings.heartbeat_seconds,
        broker_rebalance_timeout=settings.rebalance_timeout_seconds,
        TableManager=Custody,
        PartitionAssignor=Assignor,
    )
    custody: Custody = app.tables
    custody.take_up(
        shared,
        {agent.topic: agent.table for agent in agents.values()},
        {agent.topic: agent.feeds for agent in agents.values() if agent.feeds is not None},
    )
    for agent in agents.values():
        _declare(app, agent, custody)
    shared.transport = app.consumer
    return app


def _declare(app: App, agent: Agent, custody: Custody) -> None:
    async def run(stream: Any) -> None:
        await drive(stream, agent.body, custody)

    run.__name__ = agent.name
    topic = app.topic(agent.topic, schema=BatchSchema(), acks=False)
    app.agent(topic, name=agent.name)(run)
