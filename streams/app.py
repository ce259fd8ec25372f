"""Puts a Kairos together: the settings' journeys, its identity policy, the agents, the engine. No part is made at import: a test may build two."""

import importlib.util
import json
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

from streams import agents
from streams.customer import horizon
from streams.customer.horizon import Limits
from streams.engine import Engine, EngineSettings
from streams.identity import policy as policies
from streams.identity.policy import Policy, PolicyError
from streams.instants import DAY
from streams.journeys.identity_policy import identity_policy
from streams.journeys.tracking_plan import KNOWN_EVENTS, SOURCES
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
            topic_prefix=settings.topic_prefix,
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
    agents.register(engine, policy, rules_of(settings.journeys), settings.partitions, limits_of(settings), SOURCES, settings.app_id)
    return engine


def limits_of(settings: Settings) -> Limits:
    """How far back timelines reach."""
    return horizon.limits(settings.timeline_interactions_max, settings.timeline_days_max * DAY)


def policy_of(settings: Settings) -> Policy:
    """The identity policy that is in force; PolicyError where the settings name a file that holds none."""
    own = identity_policy(settings.hash_key(), settings.region)
    return own if settings.policy is None else policy_in(settings.policy, own)


def policy_in(path: Path, in_force: Policy) -> Policy:
    """The policy in a file: JSON, TOML, or Python that defines `identity_policy` as streams/journeys/identity_policy.py does.

    The secret is that of the one in force, never the file's, and so is the region where the file says none. PolicyError, with the field that is
    wrong, where it is no policy.
    """
    if path.suffix == ".py":
        module = _loaded(path)
        if not hasattr(module, "identity_policy"):
            raise PolicyError(f"{path} defines no identity_policy(secret, default_region)")
        found: Policy = module.identity_policy(in_force.secret, in_force.default_region)
        return found
    text = path.read_bytes()
    try:
        said = tomllib.loads(text.decode()) if path.suffix == ".toml" else json.loads(text)
    except ValueError as wrong:
        raise PolicyError(f"{path} cannot be read: {wrong}") from wrong
    if not isinstance(said, dict):
        raise PolicyError(f"{path}: a policy is an object, with at least `types`")
    return policies.read({"default_region": in_force.default_region, **said}, in_force.secret)


def rules_of(journeys: tuple[str, ...]) -> Rulebook:
    """The rules of the named modules of streams/journeys/ and of files of such; UnknownJourney where there is no such module or file."""
    missing = journeys_missing(journeys)
    if missing:
        raise UnknownJourney(
            f"There is no journey named {', '.join(missing)}; there are {', '.join(journeys_known())}, and files of your own."
        )
    return rulebook(*(_rules_in(name) for name in journeys), known_events=KNOWN_EVENTS)


def journeys_missing(journeys: tuple[str, ...]) -> list[str]:
    """Those of the names that are neither a module of streams/journeys/ nor a file."""
    known = journeys_known()
    return [name for name in journeys if name not in known and not (name.endswith(".py") and Path(name).is_file())]


def journeys_known() -> list[str]:
    """The names that the setting `journeys` may hold: found by being there."""
    found = Path(__file__).parent.joinpath("journeys").glob("[a-z]*.py")
    return sorted(path.stem for path in found if path.stem not in DATA_MODULES)


def _rules_in(name: str) -> ModuleType:
    return _loaded(Path(name)) if name.endswith(".py") else import_module(f"streams.journeys.{name}")


def _loaded(path: Path) -> ModuleType:
    """A Python file as a module of its own; FileNotFoundError where there is none."""
    spec = importlib.util.spec_from_file_location(f"kairos_file_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
