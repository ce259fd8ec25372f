"""What a run led to, as a subscriber reads it: committed records only, from each topic's beginning.

The rule this module owns: two runs are compared by what the order law promises. Verdicts, times of reception and decision, versions and
revisions stand outside of it; everything else must be the same to the byte, and about the same customer once redirects are followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from connectors.consumer import Record
from schemas import topics
from streams.cli import state
from streams.cli.facts import Facts, collect
from streams.identity import messages

OUTSIDE_THE_LAW = frozenset({
    "status", "reason", "limit", "decidedAt", "receivedAt", "customerVersion", "revision", "customerId", "subject", "replayed", "outcomeToken",
})  # fmt: skip
OF_THE_PUBLICATION = frozenset(
    {"version", "customerVersion", "revision", "updatedAt", "decidedAt", "receivedAt", "occurredAt", "asOf", "cause", "changed", "evidence"}
)
"""What a profile says of the batch that it was published in."""
DECAYING = frozenset({"emotion", "irritation"})
"""What a profile says as of that batch's time: it decays without being published again."""
DIFFERENCES_SHOWN = 3
EMITTED = (topics.STAGES, topics.SEGMENTS, topics.MOMENTS)

Read = Callable[[str], Iterator[Record]]
Value = dict[str, Any]


class Outcome(NamedTuple):
    """`standing`: emitted less retracted, by topic and id, whole; `profiles`: the newest of every living customer, by id; `redirects`: into whom
    the others were merged, where they still say so, `into`: whether they do or not; `repeated`: (topic, id, revision) that came more than once;
    `absorbed`: components that crossed partitions."""

    facts: Facts
    standing: dict[tuple[str, str], Value]
    profiles: dict[str, Value]
    redirects: dict[str, str]
    repeated: list[tuple[str, str, int]]
    into: dict[str, str]
    dead: Counter[tuple[str, str]]
    absorbed: int

    @property
    def digest(self) -> str:
        return self.facts.digest

    def contents(self) -> dict[tuple[str, str], Value]:
        """The standing emissions without what stands outside the law."""
        return {
            name: {field: part for field, part in value.items() if field not in OUTSIDE_THE_LAW}
            | {"whose": self.whose(value["customerId"])}
            for name, value in self.standing.items()
        }

    def whose(self, name: str) -> str:
        """Who this customer is now, for whom follows redirects, also those that have ended."""
        for _ in range(len(self.into)):
            name = self.into.get(name, name)
        return name

    def views(self) -> dict[str, Value]:
        """The profiles without what hangs on when they were published."""
        outside = OF_THE_PUBLICATION | DECAYING
        return {name: {field: part for field, part in value.items() if field not in outside} for name, value in self.profiles.items()}


def outcome_of(read: Read, changelog: str) -> Outcome:
    """Read it all. An AssertionError where a subscriber would be misled: a version that goes back, a redirect that ends nowhere."""
    facts, _ = collect(read, lambda _stem, _value: None)
    facts.applied, facts.digest = state.totals(read(changelog))
    standing, repeated = _emitted(read)
    profiles, redirects, into = _customers(read)
    dead = Counter((value["reason"], value["originalSha256"]) for value in _values(read, topics.DEAD_LETTERS))
    return Outcome(facts, standing, profiles, redirects, repeated, into, dead, _absorbed(read))


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Both hold the same customers, and say the same of them; each says every revision once, and accounts for every record."""
    for outcome in (found, expected):
        assert outcome.repeated == []
        assert outcome.facts.reconciles(), outcome.facts
    _assert_equal(found.contents(), expected.contents())
    _assert_equal(found.views(), expected.views())
    assert found.dead.keys() == expected.dead.keys()
    assert found.digest == expected.digest


def _assert_equal(found: dict[Any, Value], expected: dict[Any, Value]) -> None:
    """A failing test shows how many differ, and of a few what in them."""
    differing = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
    shown = []
    for name in differing[:DIFFERENCES_SHOWN]:
        left, right = found.get(name, {}), expected.get(name, {})
        fields = [field for field in left.keys() | right.keys() if left.get(field) != right.get(field)]
        shown.append(f"{name}: found {[(field, left.get(field)) for field in fields]}, expected {[right.get(field) for field in fields]}")
    assert not differing, f"{len(differing)} differ\n" + "\n".join(shown)


def _values(read: Read, topic: str) -> Iterator[Value]:
    for record in read(topic):
        assert record.value is not None
        yield msgspec.json.decode(record.value)


def _emitted(read: Read) -> tuple[dict[tuple[str, str], Value], list[tuple[str, str, int]]]:
    newest: dict[tuple[str, str], Value] = {}
    seen: Counter[tuple[str, str, int]] = Counter()
    for topic in EMITTED:
        for value in _values(read, topic):
            name, revision = (topic, value["id"]), value["revision"]
            seen[topic, value["id"], revision] += 1
            if name not in newest or newest[name]["revision"] < revision:
                newest[name] = value
    standing = {name: value for name, value in newest.items() if value.get("retracts") is None}
    return standing, [name for name, times in seen.items() if times > 1]


def _customers(read: Read) -> tuple[dict[str, Value], dict[str, str], dict[str, str]]:
    newest: dict[str, Value] = {}
    into: dict[str, str] = {}
    versions: dict[str, int] = {}
    for record in read(topics.PROFILES):
        if record.value is None:
            ended = newest.pop((record.key or b"").decode())
            assert ended.get("mergedInto") is not None, f"only a redirect ends by itself: {ended}"
            continue
        value = msgspec.json.decode(record.value)
        name = value["customerId"]
        assert versions.get(name, 0) < value["version"], f"versions go up: {newest.get(name)} then {value}"
        newest[name], versions[name] = value, value["version"]
        into.pop(name, None)
        if value.get("mergedInto") is not None:
            into[name] = value["mergedInto"]
    redirects = {name: value["mergedInto"] for name, value in newest.items() if value.get("mergedInto") is not None}
    living = {name: value for name, value in newest.items() if name not in redirects}
    for first in redirects:
        name, steps = first, 0
        while name in redirects and steps <= len(redirects):
            name, steps = redirects[name], steps + 1
        assert name in living, f"the redirect of {first} ends at {name}, who does not live"
    return living, redirects, into


def _absorbed(read: Read) -> int:
    """Components whose last part came over the internal topic; one that was forwarded counts once."""
    found = set()
    for record in read(topics.IDENTITY):
        message = messages.decode(record.value or b"")
        if isinstance(message, messages.Absorb) and message.part == message.parts - 1:
            found.add(message.child)
    return len(found)
