"""Puts a Kairos together: the settings' journeys, its identity policy, the agents, the engine. No part is made at import: a test may build two."""

from importlib import import_module
from pathlib import Path

from streams import agents
from streams.customer import horizon
from streams.customer.horizon import Limits
from streams.engine import Engine, EngineSettings
from streams.identity.policy import Policy
from streams.instants import DAY
from streams.journeys.identity_policy import identity_policy
from streams.journeys.tracking_plan import KNOWN_EVENTS
from streams.language import Rulebook, rulebook
from streams.settings import Settings

DATA_MODULES = frozenset({"identity_policy", "tracking_plan"})
"""Modules of streams/journeys/ that hold no rules."""


class UnknownJourney(ValueError):
    """A setting names journeys that there are none of; the text says which there are."""


def build(settings: Settings) -> Engine:
    """An engine with its agents, not yet started; raises where the settings name what is not there."""
    policy = policy_of(settings)
    engine = Engine(
        EngineSettings(
            app_id=settings.app_id,
            bootstrap=settings.bootstrap,
            state_dir=settings.data_dir / "state" / settings.app_id,
            partitions=settings.partitions,
            guarantee=settings.guarantee,
            administered=not settings.mock,
            standbys=settings.standbys,
            instance_id=settings.instance_id,
            replayed=settings.clock == "replay",
            tick_seconds=None if settings.clock == "replay" else settings.tick_seconds,
            batch_records_max=settings.batch_records_max,
            batch_bytes_max=settings.batch_bytes_max,
            batch_seconds_max=settings.batch_seconds_max,
            cache_bytes=settings.cache_bytes,
            transaction_timeout_ms=settings.transaction_timeout_ms,
            session_timeout_seconds=settings.session_timeout_seconds,
            changelog_replication=settings.replication,
        )
    )
    agents.register(engine, policy, rules_of(settings.journeys), settings.partitions, limits_of(settings))
    return engine


def limits_of(settings: Settings) -> Limits:
    """How far back timelines reach."""
    return horizon.limits(settings.timeline_interactions_max, settings.timeline_days_max * DAY)


def policy_of(settings: Settings) -> Policy:
    """The identity policy that is in force."""
    return identity_policy(settings.hash_key(), settings.region)


def rules_of(journeys: tuple[str, ...]) -> Rulebook:
    """The rules of the named modules of streams/journeys/; UnknownJourney where there is no such module."""
    known = journeys_known()
    missing = [name for name in journeys if name not in known]
    if missing:
        raise UnknownJourney(f"There is no journey named {', '.join(missing)}; there are {', '.join(known)}.")
    return rulebook(*(import_module(f"streams.journeys.{name}") for name in journeys), known_events=KNOWN_EVENTS)


def journeys_known() -> list[str]:
    """The names that the setting `journeys` may hold: found by being there."""
    found = Path(__file__).parent.joinpath("journeys").glob("[a-z]*.py")
    return sorted(path.stem for path in found if path.stem not in DATA_MODULES)
