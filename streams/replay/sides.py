"""What an application knew and said at one vector of offsets: read from its changelog and its topics, the same way for the live one and its shadow.

The rule this module owns: what lies behind the vector is not looked at, and under the live clock each customer stands as of the plan's instant: what time
alone did later is left out, what it had still to do by then is done (as_of.py). Where nobody can say any more what somebody was, for compaction has taken
the older rows or other rules have come, that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from schemas import topics
from streams import instants
from streams.boundary import Outgoing
from streams.broker import admin
from streams.customer import digest
from streams.customer.state import decode_row
from streams.identity.component import COMPONENT, settled
from streams.identity.identifiers import canonical, customer_id
from streams.replay import as_of, reading
from streams.replay.as_of import InForce
from streams.replay.plan import PEOPLE, Plan
from streams.replay.reading import Message
from streams.rows import FOLD, NODE_KEY_BYTES, PERSON_SUBJECT, TIMELINE, NodeKey, Person, touch_id

Value = dict[str, Any]
Read = Callable[[str], Iterable[Message]]
"""All committed records of a live topic's name, or of the shadow's in its place, to the end as it is now."""
Ends = Mapping[tuple[str, int], int]
"""By the live topic and partition."""
SAID = {topics.STAGES: "stage", topics.SEGMENTS: "segment", topics.MOMENTS: "moment"}
"""What is said on a topic; `Said` is named by it and the id."""
Said = tuple[str, str]
Place = tuple[int, bytes]
"""A partition of the changelog and a key."""
BEFORE = -1
"""The offset of what was not read: before every end."""


class Side(Struct, kw_only=True):
    """One of the two: who there is, whose each fragment and each identifier is, the interactions of the timelines by row key, what stands of what was said
    (emitted less retracted), the newest profile of every living customer, into whom others were merged, and of whom nobody can tell any more."""

    living: dict[str, Person] = {}
    people: dict[NodeKey, str] = {}
    members: dict[NodeKey, str] = {}
    timeline: dict[bytes, str] = {}
    said: dict[Said, Value] = {}
    profiles: dict[str, Value] = {}
    redirects: dict[str, str] = {}
    digest: str = ""
    lost: set[str] = set()
    not_replayed: int = 0
    """Outputs that do not say that they are replayed."""

    def whose(self, name: str) -> str:
        """Who this customer is now: who holds the identifier that the id is of, for a redirect ends after its time; else for whom follows redirects."""
        key = canonical(name)
        if key in self.members:
            return self.members[key]
        for _ in range(len(self.redirects)):
            if name not in self.redirects:
                break
            name = self.redirects[name]
        return name

    def owner(self, key: bytes) -> str | None:
        """Whose timeline a row belongs to."""
        return self.people.get(key[:NODE_KEY_BYTES])


def live(bootstrap: str, plan: Plan, by: InForce | None) -> Side:
    """The live application at the plan's vector; `by`: its rules and its policy, where they are still those of the plan."""
    changelog = next(name for name in plan.outputs if name not in PEOPLE)
    return read(lambda name: reading.read(bootstrap, admin.end_offsets(bootstrap, [name])), changelog, plan.compared(), _instant(plan), by)


def shadow(bootstrap: str, plan: Plan) -> Side:
    """The shadow as it is now."""
    own = plan.own

    def topic(name: str) -> Iterable[Message]:
        named = name if name == own.changelog else own.topic(name)
        return reading.read(bootstrap, admin.end_offsets(bootstrap, [named]))

    return read(topic, own.changelog, {}, _instant(plan))


def _instant(plan: Plan) -> int | None:
    """Of this instant both sides are compared; where a player says the time, both go by the same."""
    return plan.until if plan.clock == "live" else None


def read(topic: Read, changelog: str, ends: Ends, until: int | None = None, by: InForce | None = None) -> Side:
    """One side, as it stood at the ends; of a topic without ends, all of it. `until`: as of this instant (None: as time went), for which `by` is needed
    where ticks may have been behind it."""
    side = Side()
    rows = _rows(side, topic(changelog), changelog, ends, until)
    said, versions = _folded(side, rows, until, by)
    for name, kind in SAID.items():
        _outputs(side, chain(topic(name), _of(said, name)), name, kind, ends, until)
    _profiles(side, chain(topic(topics.PROFILES), _of(said, topics.PROFILES)), ends, {} if until is None else versions)
    return side


def _of(said: Iterable[Outgoing], topic: str) -> Iterable[Message]:
    """What is said by an instant, as if it lay on its topic."""
    return [Message(topic, 0, BEFORE, one.key, one.value, one.headers, 0) for one in said if one.topic == topic]


def _fell_due_after(value: Value, field: str, until: int | None) -> bool:
    """Whether a deadline, not an interaction, set it off after the instant; a moment does not tell which it was."""
    by_time = "cause" not in value or value["cause"]["kind"] == "deadline"
    return until is not None and by_time and (instants.parse(value[field]) or 0) > until


def _before(message: Message, topic: str, ends: Ends) -> bool:
    return message.offset < ends.get((topic, message.partition), 1 << 62)


def _rows(side: Side, messages: Iterable[Message], changelog: str, ends: Ends, until: int | None) -> dict[str, bytes]:
    """Take in the rows as they stood; those of the customers as of the instant, by their ids."""
    wanted = (COMPONENT.tag, TIMELINE.tag, FOLD.tag)
    newest: dict[Place, bytes | None] = {}
    lost: dict[Place, bytes | None] = {}
    for message in messages:
        place = (message.partition, message.key or b"")
        if not place[1].startswith(wanted):
            continue
        if not _before(message, changelog, ends):
            if place not in newest:
                lost.setdefault(place, message.value)
        elif until is None or message.value is None or not place[1].startswith(FOLD.tag):
            newest[place] = message.value
        elif not as_of.is_beyond(decode_row(message.value), until):
            newest[place] = message.value
            lost.pop(place, None)
        elif place not in newest:  # Of what it was by then compaction may have taken the row.
            lost.setdefault(place, message.value)
    for (_, key), row in newest.items():
        if row is not None and key.startswith(COMPONENT.tag):
            for person in settled(COMPONENT.decode(row)):
                name = customer_id(person.canonical)
                side.living[name] = person
                side.people.update(dict.fromkeys(person.fragments, name))
                side.members.update(dict.fromkeys(person.members, name))
    folds: dict[str, bytes] = {}
    for (_, key), row in newest.items():
        if row is not None and key.startswith(TIMELINE.tag):
            side.timeline[key[len(TIMELINE.tag) :]] = touch_id(row)
        elif row is not None and key.startswith(FOLD.tag):
            folds[_subject(key)] = row
    for (_, key), row in lost.items():
        side.lost |= _concerned(side, key, row)
    return folds


def _folded(side: Side, rows: Mapping[str, bytes], until: int | None, by: InForce | None) -> tuple[list[Outgoing], dict[str, int]]:
    """Digest the customers, those whose deadlines up to the instant have yet to fall due as of it; what is said on the way, and the rows' versions."""
    said: list[Outgoing] = []
    versions: dict[str, int] = {}
    parts: list[int] = []
    for name, written in rows.items():
        row = decode_row(written)
        versions[name] = row.version
        if until is not None and as_of.waits(row, until):
            person = side.living.get(name)
            moved = None if by is None or person is None else as_of.moved_on(row, person, until, by)
            if moved is None:
                side.lost.add(name)
            else:
                row = moved.row
                said += moved.said
        parts.append(digest.of_customer(name, row.state))
    side.digest = digest.combined(parts)
    return said, versions


def _subject(key: bytes) -> str:
    subject = key[len(FOLD.tag) :]
    return customer_id(subject[1:]) if subject.startswith(PERSON_SUBJECT) else subject.hex()


def _concerned(side: Side, key: bytes, row: bytes | None) -> set[str]:
    """The customers about whom a row says something that was other before."""
    if key.startswith(FOLD.tag):
        return {_subject(key)}
    if key.startswith(TIMELINE.tag):
        owner = side.owner(key[len(TIMELINE.tag) :])
        return set() if owner is None else {owner}
    return set() if row is None else {customer_id(person.canonical) for person in settled(COMPONENT.decode(row))}


def _outputs(side: Side, messages: Iterable[Message], topic: str, kind: str, ends: Ends, until: int | None) -> None:
    newest: dict[Said, Value] = {}
    for message in messages:
        if not _before(message, topic, ends):
            continue
        value = msgspec.json.decode(message.value or b"{}")
        side.not_replayed += not value["replayed"]
        if value.get("retracts") is None and _fell_due_after(value, "occurredAt", until):
            continue
        name = (kind, value["id"])
        if name not in newest or newest[name]["revision"] < value["revision"]:
            newest[name] = value
    side.said.update({name: value for name, value in newest.items() if value.get("retracts") is None})


def _profiles(side: Side, messages: Iterable[Message], ends: Ends, versions: Mapping[str, int]) -> None:
    """`versions`: those of customers' rows as of the instant; what is published later is left out."""
    newest: dict[str, Value | None] = {}
    later: set[str] = set()
    for message in messages:
        name = (message.key or b"").decode()
        profile = None if message.value is None else msgspec.json.decode(message.value)
        moved_on = message.offset == BEFORE
        if not moved_on and profile is not None and profile["version"] > versions.get(name, profile["version"]):
            later.add(name)
        elif _before(message, topics.PROFILES, ends):
            newest[name] = profile
        else:
            later.add(name)
    side.lost |= later - newest.keys()
    for name, value in newest.items():
        if value is None:
            continue
        side.not_replayed += not value["replayed"]
        if value.get("mergedInto") is None:
            side.profiles[name] = value
        else:
            side.redirects[name] = value["mergedInto"]
