"""What a run led to, counted from the topics themselves.

The rule this module owns: no number here comes from a program's counter. What was read, refused and applied is counted in three places (the
interactions, the dead letters, the timelines' rows), so that read = applied + duplicate + dead + erased + after an erasure can fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Protocol

import msgspec
from msgspec import Struct

from schemas import money, rewritten, topics
from schemas.interaction import TIME_HEADER
from streams import rows
from streams.intake.steps import SOURCE_UNSAID


class Message(Protocol):
    """A record of a topic as `connectors.consumer` hands it over."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


NAMES = ("crm_id", "user_id", "loyalty_id", "email", "phone")
"""Identifiers that name a person, the best to be looked up by first; a case's or a device's is none of them."""
SUMS = ("revenue", "cancelled", "refunded")
"""The amounts of a customer's totals; all customers' are added up."""
RECEIPTED = "interactions"
"""What of an erasure's receipt are interactions."""

Read = Callable[[str], Iterator[Message]]
"""All committed records of a topic, each partition in its order."""
Keep = Callable[[str, bytes], None]
"""Take a wire value for the export: the file's stem and the value."""


class Facts(Struct, kw_only=True, rename="camel"):
    """The counts of a run; amounts are exact decimals by currency, stages and moments are by name."""

    read: int = 0
    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    dead_by_reason: dict[str, int] = {}
    erased: int = 0
    """Applied once, and deleted by erasures, as is told of these."""
    after_erasure: int = 0
    """Came after an erasure that concerns them, so that nothing of them was kept, as is told of each."""
    people: int = 0
    known: int = 0
    merged: int = 0
    orders: int = 0
    cancellations: int = 0
    refunds: int = 0
    revenue: dict[str, str] = {}
    cancelled: dict[str, str] = {}
    refunded: dict[str, str] = {}
    stages: dict[str, dict[str, int]] = {}
    """Customers by journey and stage."""
    stage_changes: dict[str, dict[str, int]] = {}
    """Stage changes that hold, by journey and the stage entered."""
    segments: dict[str, int] = {}
    """Customers in each segment."""
    segment_changes: dict[str, int] = {}
    moments: dict[str, dict[str, int]] = {}
    """Moments that hold, by name and verdict."""
    retractions: int = 0
    merges: int = 0
    splits: int = 0
    conflicts: int = 0
    digest: str = ""

    def reconciles(self) -> bool:
        """Every record read was applied, a duplicate, refused, erased since, or came after an erasure."""
        return self.read == self.accounted()

    def accounted(self) -> int:
        """How many records are accounted for."""
        return self.applied + self.duplicates + self.dead + self.erased + self.after_erasure


class _Origin(Struct, rename="camel"):
    reason: str
    topic: str
    partition: int
    offset: int
    original_sha256: str


class _Source(Struct):
    system: str | None = None


class _Named(Struct, rename="camel"):
    message_id: str | int | None = None
    source: _Source | None = None


class _Position(Struct):
    stage: str


class _Totals(Struct):
    orders: int
    revenue: str
    cancellations: int
    cancelled: str
    refunds: int
    refunded: str = "0"


class _Subject(Struct):
    kind: str


class _Customer(Struct, rename="camel"):
    subject: _Subject
    known: bool
    identifiers: dict[str, list[str]]
    journeys: dict[str, _Position]
    segments: list[str]
    moments: dict[str, object]
    totals: dict[str, _Totals]
    merged_into: str | None = None


class _Emission(Struct, rename="camel"):
    id: str
    revision: int
    retracts: str | None = None
    journey: str | None = None
    to: str | None = None
    segment: str | None = None
    moment: str | None = None
    status: str | None = None


class _Change(Struct):
    kind: str
    deleted: dict[str, int] = {}
    late: list[str] = []


_ORIGIN = msgspec.json.Decoder(_Origin)
_NAMED = msgspec.json.Decoder(_Named)
_CUSTOMER = msgspec.json.Decoder(_Customer)
_EMISSION = msgspec.json.Decoder(_Emission)
_CHANGE = msgspec.json.Decoder(_Change)


def collect(read: Read, keep: Keep, secret: bytes = b"") -> tuple[Facts, str | None]:
    """Read the interactions and every output, hand each output's wire value to `keep`, and count; `applied` and `digest` are left to the state.

    `secret` is the deployment's: by it those are found that came after an erasure, so that none of them counts as a duplicate too.
    Beside the facts an identifier (`type:value`) of a customer with many moments, to be looked at; None where there is no customer.
    """
    facts = Facts()
    refused, late = _dead_letters(facts, read(topics.DEAD_LETTERS), keep)
    erased = _identity(facts, read, keep)
    _interactions(facts, read(topics.INTERACTIONS), refused, late, _Erased(erased, secret))
    example = _profiles(facts, read(topics.PROFILES), keep)
    stages = _standing(facts, read(topics.STAGES), "stages", keep)
    facts.stage_changes = _nested((change.journey, change.to) for change in stages)
    facts.segment_changes = dict(
        sorted(Counter(change.segment or "" for change in _standing(facts, read(topics.SEGMENTS), "segments", keep)).items())
    )
    facts.moments = _nested((moment.moment, moment.status) for moment in _standing(facts, read(topics.MOMENTS), "moments", keep))
    return facts, example


def _dead_letters(facts: Facts, messages: Iterator[Message], keep: Keep) -> tuple[set[tuple[int, int]], Counter[str]]:
    """Count the refused by reason; the places of those that lay on the interactions topic, and what of it came to the customers (by SHA-256)."""
    reasons: Counter[str] = Counter()
    late: Counter[str] = Counter()
    places = set()
    for message in messages:
        assert message.value is not None
        keep("dead", message.value)
        letter = _ORIGIN.decode(message.value)
        reasons[letter.reason] += 1
        if letter.topic == topics.INTERACTIONS:
            places.add((letter.partition, letter.offset))
        elif letter.topic == topics.IDENTITY:
            late[letter.original_sha256] += 1
    facts.dead = reasons.total()
    facts.dead_by_reason = dict(reasons.most_common())
    return places, late


class _Erased:
    """Of interactions that came after an erasure how often each did, by keyed hash, and how often the topic holds it."""

    def __init__(self, late: Counter[str], secret: bytes) -> None:
        self._late, self._secret = late, secret
        self._copies: Counter[str] = Counter()

    def meet(self, system: str | None, message_id: str) -> None:
        """One of the topic."""
        if self._late:
            name = rows.uid(self._secret, system or SOURCE_UNSAID, message_id).hex()
            if name in self._late:
                self._copies[name] += 1

    def no_duplicates(self) -> int:
        """How many bear an id that came before and are yet no duplicates: they came after an erasure, which counts them."""
        return sum(min(self._late[name], copies - 1) for name, copies in self._copies.items())


def _interactions(facts: Facts, messages: Iterator[Message], refused: set[tuple[int, int]], late: Counter[str], erased: _Erased) -> None:
    """Count what was sent, and of what was not refused the ids that came more than once; `late`: how often what was refused as too late."""
    ids: set[int] = set()
    for message in messages:
        if any(name == TIME_HEADER for name, _ in message.headers or ()):
            continue
        facts.read += 1
        moved = rewritten.of(message.headers or ())
        place = (message.partition, message.offset) if moved is None else (moved.partition, moved.offset)
        if place in refused or message.value is None:
            continue
        if late and late[digest := sha256(message.value).hexdigest()] > 0:
            late[digest] -= 1
            continue
        named = _NAMED.decode(message.value)
        if named.message_id is None:
            continue
        system = named.source.system if named.source else None
        identity = hash((system, str(named.message_id)))
        facts.duplicates += identity in ids
        ids.add(identity)
        erased.meet(system, str(named.message_id))
    facts.duplicates -= erased.no_duplicates()


def _profiles(facts: Facts, messages: Iterator[Message], keep: Keep) -> str | None:
    """Count the newest of each customer; the identifier to look at."""
    most, example = -1, None
    ended: set[bytes | None] = set()
    newest: dict[bytes | None, bytes | None] = {}
    for message in messages:
        before = newest.get(message.key)
        if message.value is not None:
            ended.discard(message.key)
        elif before is not None and _CUSTOMER.decode(before).merged_into is not None:
            ended.add(message.key)  # Who was merged counts also when the redirect has ended.
        newest[message.key] = message.value
    facts.merged = len(ended)
    segments: Counter[str] = Counter()
    stages: list[tuple[str | None, str | None]] = []
    sums: dict[str, dict[str, Decimal]] = {name: {} for name in SUMS}
    for _, value in sorted(newest.items(), key=lambda pair: pair[0] or b""):
        if value is None:
            continue
        customer = _CUSTOMER.decode(value)
        if customer.merged_into is not None:  # Who became whose is among the changes of identity.
            facts.merged += 1
            continue
        keep("profiles", value)
        if customer.subject.kind == "person":
            facts.people += 1
            facts.known += customer.known
        names = [f"{kind}:{name}" for kind in NAMES if customer.identifiers.get(kind) for name in customer.identifiers[kind]]
        if names and len(customer.moments) > most:
            most, example = len(customer.moments), names[0]
        segments.update(customer.segments)
        stages += ((journey, position.stage) for journey, position in customer.journeys.items())
        for currency, totals in customer.totals.items():
            facts.orders += totals.orders
            facts.cancellations += totals.cancellations
            facts.refunds += totals.refunds
            for name, amounts in sums.items():
                amounts[currency] = money.add(amounts.get(currency, money.ZERO), Decimal(getattr(totals, name)))
    facts.segments = dict(sorted(segments.items()))
    facts.stages = _nested(stages)
    for name, amounts in sums.items():
        setattr(facts, name, {currency: money.text(amount) for currency, amount in sorted(amounts.items())})
    return example


def _standing(facts: Facts, messages: Iterator[Message], stem: str, keep: Keep) -> list[_Emission]:
    """Of each id the greatest revision, without those that were taken back."""
    newest: dict[str, _Emission] = {}
    for message in messages:
        assert message.value is not None
        keep(stem, message.value)
        emission = _EMISSION.decode(message.value)
        identity = emission.retracts or emission.id
        known = newest.get(identity)
        if known is None or known.revision < emission.revision:
            newest[identity] = emission
    standing = [emission for emission in newest.values() if emission.retracts is None]
    facts.retractions += len(newest) - len(standing)
    return standing


def _identity(facts: Facts, read: Read, keep: Keep) -> Counter[str]:
    """Count what became of people; of interactions that came after an erasure, how often each did."""
    kinds: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for message in read(topics.IDENTITY_CHANGES):
        assert message.value is not None
        keep("identity", message.value)
        change = _CHANGE.decode(message.value)
        kinds[change.kind] += 1
        facts.erased += change.deleted.get(RECEIPTED, 0)
        late.update(change.late)
    for message in read(topics.IDENTITY_CONFLICTS):
        assert message.value is not None
        keep("identity", message.value)
        facts.conflicts += 1
    facts.merges, facts.splits, facts.after_erasure = kinds["merge"], kinds["split"], late.total()
    return late


def _nested(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, dict[str, int]]:
    """Counts by the first name, then the second, both sorted."""
    counted: dict[str, dict[str, int]] = {}
    for (outer, inner), count in sorted(Counter((outer or "", inner or "") for outer, inner in pairs).items()):
        counted.setdefault(outer, {})[inner] = count
    return counted
