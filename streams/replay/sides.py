"""What an application knew and said at one vector of offsets: read from its changelog and its topics, the same way for the live one and its shadow.

The rule this module owns: what lies behind the vector is not looked at, nor what time alone did after the plan's instant: no two partitions go by the
same second. But for one thing: a row whose older values compaction has taken. Of it nobody can say any more what it was, and that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from schemas import topics
from streams import instants
from streams.broker import admin
from streams.customer import digest
from streams.customer.state import decode_row
from streams.identity.component import COMPONENT, settled
from streams.identity.identifiers import canonical, customer_id
from streams.replay import reading
from streams.replay.plan import PEOPLE, Plan
from streams.replay.reading import Message
from streams.rows import FOLD, NODE_KEY_BYTES, PERSON_SUBJECT, TIMELINE, NodeKey, touch_id

Value = dict[str, Any]
Read = Callable[[str], Iterable[Message]]
"""All committed records of a live topic's name, or of the shadow's in its place, to the end as it is now."""
Ends = Mapping[tuple[str, int], int]
"""By the live topic and partition."""
SAID = {topics.STAGES: "stage", topics.SEGMENTS: "segment", topics.MOMENTS: "moment"}
"""What is said on a topic; `Said` is named by it and the id."""
Said = tuple[str, str]


class Side(Struct, kw_only=True):
    """One of the two: whose each fragment and each identifier is, the interactions of the timelines by row key, what stands of what was said
    (emitted less retracted), the newest profile of every living customer, into whom others were merged, and of whom nobody can tell any more."""

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


def live(bootstrap: str, plan: Plan) -> Side:
    """The live application at the plan's vector."""
    changelog = next(name for name in plan.outputs if name not in PEOPLE)
    return read(lambda name: reading.read(bootstrap, admin.end_offsets(bootstrap, [name])), changelog, plan.compared(), _instant(plan))


def shadow(bootstrap: str, plan: Plan) -> Side:
    """The shadow as it is now."""
    own = plan.own

    def topic(name: str) -> Iterable[Message]:
        named = name if name == own.changelog else own.topic(name)
        return reading.read(bootstrap, admin.end_offsets(bootstrap, [named]))

    return read(topic, own.changelog, {}, _instant(plan))


def _instant(plan: Plan) -> int | None:
    """After this, time alone is not looked at; where a player says the time, both sides go by the same."""
    return plan.until if plan.clock == "live" else None


def read(topic: Read, changelog: str, ends: Ends, until: int | None = None) -> Side:
    """One side, as it stood at the ends; of a topic without ends, all of it. `until`: what fell due later is left out (None: nothing is)."""
    side = Side()
    _rows(side, topic(changelog), changelog, ends, until)
    for name, kind in SAID.items():
        _outputs(side, topic(name), name, kind, ends, until)
    _profiles(side, topic(topics.PROFILES), ends, until)
    return side


def _fell_due_after(value: Value, field: str, until: int | None) -> bool:
    """Whether a deadline, not an interaction, set it off after the instant; a moment does not tell which it was."""
    by_time = "cause" not in value or value["cause"]["kind"] == "deadline"
    return until is not None and by_time and (instants.parse(value[field]) or 0) > until


def _moved_after(row: bytes | None, until: int) -> bool:
    """Whether a customer was folded as of a time after the instant that no interaction of its own has brought."""
    if row is None:
        return False
    fold = decode_row(row)
    return fold.as_of > until and (fold.state.newest is None or fold.state.newest[0] != fold.as_of)


def _before(message: Message, topic: str, ends: Ends) -> bool:
    return message.offset < ends.get((topic, message.partition), 1 << 62)


def _rows(side: Side, messages: Iterable[Message], changelog: str, ends: Ends, until: int | None) -> None:
    wanted = (COMPONENT.tag, TIMELINE.tag, FOLD.tag)
    newest: dict[tuple[int, bytes], bytes | None] = {}
    lost: dict[tuple[int, bytes], bytes | None] = {}
    for message in messages:
        place = (message.partition, message.key or b"")
        if not place[1].startswith(wanted):
            continue
        if _before(message, changelog, ends):
            moved = until is not None and place in newest and place[1].startswith(FOLD.tag) and _moved_after(message.value, until)
            if not moved:
                newest[place] = message.value
        elif place not in newest:
            lost.setdefault(place, message.value)
    for (_, key), row in newest.items():
        if row is not None and key.startswith(COMPONENT.tag):
            for person in settled(COMPONENT.decode(row)):
                name = customer_id(person.canonical)
                side.people.update(dict.fromkeys(person.fragments, name))
                side.members.update(dict.fromkeys(person.members, name))
    states = []
    for (_, key), row in newest.items():
        if row is not None and key.startswith(TIMELINE.tag):
            side.timeline[key[len(TIMELINE.tag) :]] = touch_id(row)
        elif row is not None and key.startswith(FOLD.tag):
            states.append(digest.of_customer(_subject(key), decode_row(row).state))
    side.digest = digest.combined(states)
    for (_, key), row in lost.items():
        side.lost |= _concerned(side, key, row)


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


def _profiles(side: Side, messages: Iterable[Message], ends: Ends, until: int | None) -> None:
    newest: dict[str, bytes | None] = {}
    for message in messages:
        name = (message.key or b"").decode()
        if not _before(message, topics.PROFILES, ends):
            if name not in newest:
                side.lost.add(name)
        elif message.value is None or until is None or not _fell_due_after(msgspec.json.decode(message.value), "asOf", until):
            newest[name] = message.value
    for name, value in newest.items():
        if value is None:
            continue
        profile = msgspec.json.decode(value)
        side.not_replayed += not profile["replayed"]
        if profile.get("mergedInto") is None:
            side.profiles[name] = profile
        else:
            side.redirects[name] = profile["mergedInto"]
