"""What subscribers of a world know in the end: outputs that stand, customers who live.

The rule this module owns: of an id the greatest revision holds, of a customer the greatest version. Without transactions a batch may speak that never
comes to its end, and is done again with other records: what it said in vain is left aside, and of what the other says nothing is asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from schemas import topics
from streams.boundary import Outgoing
from tests.laws.memory import Memory
from tests.laws.test_order import VERDICTS, redirects

Value = dict[str, Any]
Log = Mapping[str, list[Outgoing]]
EMITTED = (topics.STAGES, topics.SEGMENTS, topics.MOMENTS)


class Heard:
    """Topics as a subscriber reads them."""

    def __init__(self, log: Log) -> None:
        self.log: Log = defaultdict(list, log)


class Profiles(NamedTuple):
    """Who lives, who redirects to whom, whose profile is empty; and what was said in a wrong order."""

    living: set[str]
    into: dict[str, str]
    empty: set[str]
    wrong: list[str]
    versions: dict[str, int]


def newest(memory: Memory | Heard) -> dict[str, Value]:
    """What was said last of each id: the greatest revision."""
    found: dict[str, Value] = {}
    for topic in EMITTED:
        for record in memory.log[topic]:
            value = msgspec.json.decode(record.value or b"")
            before = found.get(value["id"])
            if before is None or before["revision"] <= value["revision"]:
                found[value["id"]] = value
    return found


def standing(memory: Memory | Heard) -> dict[str, Value]:
    """Emitted less retracted, by id: without verdicts, but with whose it is once redirects are followed."""
    whose = redirects(memory)  # type: ignore[arg-type]  # it reads the log alone
    return {
        name: {field: part for field, part in value.items() if field not in VERDICTS} | {"whose": whose(value["customerId"])}
        for name, value in newest(memory).items()
        if value.get("retracts") is None
    }


def heard(log: Log, vain: Iterable[Outgoing]) -> Heard:
    """What was said, but that which was said in vain."""
    left_aside = {id(record) for record in vain}
    return Heard({topic: [record for record in records if id(record) not in left_aside] for topic, records in log.items()})


def subjects(records: Iterable[Outgoing]) -> set[str]:
    """The ids of outputs among some records, and whose profiles."""
    names = {str(msgspec.json.decode(record.value or b"")["id"]) for record in records if record.topic in EMITTED}
    return names | {(record.key or b"").decode() for record in records if record.topic == topics.PROFILES}


def said_twice(memory: Memory | Heard) -> list[str]:
    """The revisions of outputs that were said more than once."""
    seen: set[tuple[str, int]] = set()
    twice = []
    for topic in EMITTED:
        for record in memory.log[topic]:
            value = msgspec.json.decode(record.value or b"")
            name = (value["id"], value["revision"])
            if name in seen:
                twice.append(f"{value['id']} revision {value['revision']}")
            seen.add(name)
    return twice


def profiles(memory: Memory | Heard) -> Profiles:
    """What the topic of profiles says, to one who takes the greatest version of each customer."""
    newest: dict[str, Value] = {}
    versions: dict[str, int] = {}
    empty: set[str] = set()
    wrong: list[str] = []
    for record in memory.log[topics.PROFILES]:
        name = (record.key or b"").decode()
        if record.value is None:
            newest.pop(name, None)
            empty.add(name)
            continue
        value = msgspec.json.decode(record.value)
        if versions.get(name, 0) >= value["version"]:
            wrong.append(f"{name} has version {value['version']} after {versions[name]}")
        if versions.get(name, 0) <= value["version"]:
            versions[name] = value["version"]
            newest[name] = value
            empty.discard(name)
    into = {name: value["mergedInto"] for name, value in newest.items() if value.get("mergedInto") is not None}
    return Profiles(newest.keys() - into.keys(), into, empty, wrong, versions)
