"""All that is held about one person, for that person: what the workers know, and every record of the topics that is about them.

The rule this module owns: it gathers and writes, and judges nothing; the file can be read by whoever wrote it, and by nobody else.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from schemas import topics
from streams import app
from streams.cli import customer, evidence, reasons
from streams.cli.customer import NotFound
from streams.cli.facts import Message
from streams.identity.identifiers import Identifier, canonical, normaliser
from streams.settings import Settings

Read = Callable[[str], Iterator[Message]]
"""A topic from its beginning."""
Value = dict[str, Any]

MODE = 0o600
TELLING_CHARACTERS = 4
"""An identifier of fewer is not looked for in what was refused."""
OUTPUTS = {"stages": topics.STAGES, "segments": topics.SEGMENTS, "moments": topics.MOMENTS}


def held(read: Read, changelog: str, identifier: str, settings: Settings) -> Value | NotFound:
    """Everything about the person whom an identifier names (TYPE:VALUE, or a customer id), as JSON has it."""
    profiles = customer.newest_profiles(read(topics.PROFILES))
    found = customer.find(profiles, identifier, settings)
    if isinstance(found, NotFound):
        return found
    key = canonical(found.profile["customerId"])
    if key is None:
        return NotFound(f"{found.profile['customerId']} is no person: there is nobody to be told.")
    policy = app.policy_of(settings)
    timeline = customer.timeline(read(changelog), found.profile, settings)
    known, _ = evidence.gather(lambda: read(changelog), [key], policy)
    history = evidence.changes_of(read(topics.IDENTITY_CHANGES), found.profile["customerId"])
    ids = {found.profile["customerId"], *found.path, *(one for change in history for one in change["from"])}
    named = {(kind, value) for kind, values in found.profile["identifiers"].items() for value in values}
    return {
        "customerIds": sorted(ids),
        "profile": found.profile,
        "identity": reasons.identity(known, known.person(key), [evidence.told(change) for change in history]),
        "timeline": [customer.value(touch) for touch in timeline.touches],
        "olderInTotals": timeline.older,
        **{name: [one for one in _values(read(topic)) if one.get("customerId") in ids] for name, topic in OUTPUTS.items()},
        "identityChanges": [one for one in _values(read(topics.IDENTITY_CHANGES)) if _concerns(one, ids)],
        "conflicts": [one for one in _values(read(topics.IDENTITY_CONFLICTS)) if not ids.isdisjoint(one["customers"])],
        "commands": [one for one in _commands(read(topics.COMMANDS)) if _names(one, named, settings)],
        "refused": [one for one in _values(read(topics.DEAD_LETTERS)) if _mentions(one, {value for _, value in named})],
    }


def write(path: Path, said: Value) -> None:
    """Write a new file that its owner alone may read; FileExistsError where there is one."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "wb") as file:
        os.fchmod(file.fileno(), MODE)
        file.write(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")


def _values(messages: Iterable[Message]) -> Iterator[Value]:
    for message in messages:
        if message.value is not None:
            yield orjson.loads(message.value)


def _commands(messages: Iterable[Message]) -> Iterator[Value]:
    """The commands that can be read; others are dead letters."""
    for message in messages:
        try:
            said = orjson.loads(message.value or b"null")
        except orjson.JSONDecodeError:
            continue
        if isinstance(said, dict) and isinstance(said.get("identifiers"), list):
            yield said


def _concerns(change: Value, ids: set[str]) -> bool:
    return change.get("customerId") in ids or not ids.isdisjoint((*change["from"], *change["into"]))


def _names(command: Value, named: set[tuple[str, str]], settings: Settings) -> bool:
    normalise = normaliser(app.policy_of(settings)).normalise
    for one in command["identifiers"]:
        if isinstance(one, dict) and isinstance(one.get("type"), str) and isinstance(one.get("value"), str):
            read = normalise(one["type"], one["value"])
            if isinstance(read, Identifier) and (read.type, read.value) in named:
                return True
    return False


def _mentions(letter: Value, values: set[str]) -> bool:
    """Whether what was refused holds one of the person's identifiers as a text of its own: a shorter one might be anything, and anybody's."""
    original = b64decode(letter.get("original") or "").decode(errors="replace").lower()
    return any(f'"{value.lower()}"' in original for value in values if len(value) >= TELLING_CHARACTERS)
