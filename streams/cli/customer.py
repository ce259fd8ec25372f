"""Finding one customer: the newest profile by an identifier or an id, and the touches of all its fragments.

The rule this module owns: who is who was decided by the workers. Here nothing is resolved, only looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from streams import app, instants
from streams.cli import state
from streams.cli.facts import Message
from streams.customer import aged, emissions, guards
from streams.customer.state import decode_row
from streams.identity.changes import handled
from streams.identity.identifiers import Identifier, Normalised, Other, customer_id, normaliser
from streams.identity.policy import ranked
from streams.rows import AGED, FOLD, NODE_KEY_BYTES, PERSON_SUBJECT, TIMELINE, Touch, decode_touch
from streams.settings import Settings

Profile = dict[str, Any]
ID_CHARACTERS = 27


class Found(NamedTuple):
    """A customer's newest profile, and the ids that led to it: the first is the one that was found."""

    profile: Profile
    path: list[str]


class NotFound(NamedTuple):
    """Nobody, or more than one; the text says what to try."""

    why: str


class Timeline(NamedTuple):
    """What the workers hold of a customer: its touches, sorted, how many older ones live on in totals, and of its moments that hold, by name,
    how many of each status."""

    touches: list[Touch]
    older: int
    moments: dict[str, dict[str, int]]


def newest_profiles(messages: Iterable[Message]) -> dict[str, bytes]:
    """The newest profile of every customer by id, as bytes: most are never looked at."""
    newest: dict[str, bytes] = {}
    for message in messages:
        if message.key is None:
            continue
        if message.value is None:
            newest.pop(message.key.decode(), None)
        else:
            newest[message.key.decode()] = message.value
    return newest


def find(profiles: Mapping[str, bytes], identifier: str, settings: Settings) -> Found | NotFound:
    """The customer whom `type:value`, an id or the beginning of one names; redirects are followed."""
    kind, colon, value = identifier.partition(":")
    ids = (
        _by_identifier(profiles, kind, value, settings) if colon else [known for known in profiles if known.startswith(identifier.lower())]
    )
    targets = {_target(profiles, found)[-1]: _target(profiles, found) for found in ids}
    if not targets:
        looked = f"{len(profiles):,} profiles were looked at"
        return NotFound(
            f"Nobody is known by {identifier} ({looked}). Write it as TYPE:VALUE, say crm_id:17850 or email:ann@example.org, or give a customer id."
        )
    if len(targets) > 1:
        several = f"{', '.join(sorted(targets)[:5])}{', ...' if len(targets) > 5 else ''}"
        return NotFound(f"{identifier} names {len(targets)} customers: {several}. Give one of these ids.")
    path = next(iter(targets.values()))
    profile = orjson.loads(profiles[path[-1]])
    into = profile.get("mergedInto")
    if into is not None and into not in profiles:
        return NotFound(f"{path[-1]} was merged into {into}, of whom nothing is held any more: erased, or not yet published.")
    return Found(profile, path)


def timeline(changelog: Iterable[Message], profile: Profile, settings: Settings) -> Timeline:
    """All touches of a customer's fragments in the order of its timeline; one that lies in two fragments counts once. And its moments' verdicts."""
    fragments = _keys(profile, settings)
    start, end = len(TIMELINE.tag), len(TIMELINE.tag) + NODE_KEY_BYTES
    folds = {FOLD.tag + PERSON_SUBJECT + key for key in fragments if customer_id(key) == profile["customerId"]}
    found = state.rows(changelog, lambda key: key in folds or (key.startswith((TIMELINE.tag, AGED.tag)) and key[start:end] in fragments))
    by_uid: dict[bytes, Touch] = {}
    older, moments = 0, {}
    for (_, key), row in found.items():
        if key in folds:
            moments = guards.counted(emissions.decode(decode_row(row).kept))
            continue
        if key.startswith(AGED.tag):
            older += aged.read(row).interactions
            continue
        touch = decode_touch(row)
        known = by_uid.get(key[end:])
        if known is None or touch.order < known.order:
            by_uid[key[end:]] = touch
    return Timeline(sorted(by_uid.values(), key=lambda touch: touch.order), older, moments)


def value(touch: Touch) -> dict[str, Any]:
    """A touch for a machine: its envelope, and the producer's own JSON under `sent`."""
    return {
        "messageId": touch.id,
        "source": touch.source,
        "occurredAt": instants.text(touch.occurred_at),
        "receivedAt": instants.text(touch.received_at),
        "event": touch.event,
        "channel": touch.channel,
        "touchpoint": touch.touchpoint,
        "identifiers": [f"{kind}:{name}" for kind, name in touch.identifiers],
        "replayed": touch.replayed,
        "sent": orjson.loads(touch.payload),
    }


def _by_identifier(profiles: Mapping[str, bytes], kind: str, written: str, settings: Settings) -> list[str]:
    """The ids of the profiles that list the identifier, compared in its one form (only profiles that hold its text are read), or by its hash (all are)."""
    hashed = handled(kind, written, ranked(app.policy_of(settings).types))
    if hashed is not None:
        return [known for known, profile in profiles.items() if hashed in _keys(orjson.loads(profile), settings)]
    normal = _normalise(settings, kind, written)
    name, value = (normal.type, normal.value) if isinstance(normal, Identifier | Other) else (kind, written)
    text = orjson.dumps(value)
    return [known for known, profile in profiles.items() if text in profile and value in orjson.loads(profile)["identifiers"].get(name, ())]


def _target(profiles: Mapping[str, bytes], customer: str) -> list[str]:
    """The way from an id over redirects to the one that holds now."""
    path = [customer]
    while path[-1] in profiles:
        following = orjson.loads(profiles[path[-1]]).get("mergedInto")
        if following is None or following in path or following not in profiles:
            break
        path.append(following)
    return path


def _keys(profile: Profile, settings: Settings) -> set[bytes]:
    identifiers = (_normalise(settings, kind, name) for kind, names in profile["identifiers"].items() for name in names)
    return {identifier.key for identifier in identifiers if isinstance(identifier, Identifier)}


def _normalise(settings: Settings, kind: str, written: str) -> Normalised:
    return normaliser(app.policy_of(settings)).normalise(kind, written)
