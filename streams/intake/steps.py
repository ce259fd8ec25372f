"""Each record becomes an anchored interaction or a dead letter: STEPS in their order, each of which adds what it found, or refuses.

The rule this module owns: same records, same clock, same policy: same decision. What a record holds never raises, and a bad record takes
no other with it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from msgspec import Struct

from schemas import money, topics
from schemas import record as wire
from schemas.interaction import (
    CHANNELS,
    EVENTS,
    IDENTIFIERS_MAX,
    MESSAGE_ID_CHARACTERS_MAX,
    MONEY_MEANINGS,
    OUTCOMES,
    Amount,
    Outcome,
    derived_id,
)
from streams import rows
from streams.boundary import Clock, Decision, Headers, Outgoing, Record
from streams.identity import messages, reply
from streams.identity.identifiers import Blocked, Identifier, Normaliser, normaliser
from streams.identity.policy import Policy
from streams.instants import Instant
from streams.intake import clock as times
from streams.intake import control, envelope, fields
from streams.intake.envelope import Envelope
from streams.intake.refusal import Refusal, dead_letter, trace_parent
from streams.rows import NodeKey, Touch

EVENT_NAMES = {"identify": "Identify", "page": "Page Viewed", "screen": "Screen Viewed", "group": "Group", "alias": "Alias"}
"""What an interaction without an event's name is called, by its type; a track interaction must have a name."""
TYPE_CHANNELS = {"page": "web", "screen": "mobile"}
"""The channel that a type implies where none is said."""
SOURCE_UNSAID = "unknown"
"""The source system of interactions that name none; ids are unique within a source."""
OTHER = "other"

_KNOWN_CHANNELS = frozenset(CHANNELS)
_PAID = frozenset(name for name, meaning in EVENTS.items() if meaning in MONEY_MEANINGS)


class Draft(Struct, gc=False):
    """One record on its way through STEPS, which alone fill it in."""

    record: Record
    said: Envelope
    value: bytes
    appended_at: Instant
    event: str = ""
    message_id: str = ""
    occurred_at: Instant = 0
    received_at: Instant = 0
    amount: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    nodes: tuple[NodeKey, ...] = ()
    told_at: Instant | None = None
    """When the moment occurred that an outcome tells of, where nothing but the moment's token says whose it was."""


class Batch:
    """What the records of a batch share: the clock, the policy's reading of identifiers, and the counts."""

    __slots__ = ("came", "clock", "labels", "normalise", "policy", "secret", "sources", "trusted", "types")

    def __init__(self, clock: Clock, policy: Policy, sources: frozenset[str]) -> None:
        reader: Normaliser = normaliser(policy)
        self.clock = clock
        self.normalise = reader.normalise
        self.trusted = reader.trusted
        self.policy = policy
        self.secret = policy.secret
        self.types = frozenset(kind.name for kind in policy.types)
        self.sources = _from(sources)
        self.labels: list[tuple[str, ...]] = []
        """What is to be counted, one entry a count: added up once, at the batch's end."""
        self.came: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        """Of what is anchored, by which channel and from which source."""


def decide(
    records: Sequence[Record], clock: Clock, policy: Policy, partitions: int, sources: frozenset[str] = frozenset(), group: str = ""
) -> Decision:
    """Make of each record one message to its anchor, or one dead letter; time records go to all `partitions` of the identity topic.

    `sources`: the systems that counts tell apart. `group`: who reads; what it had read before it was moved is passed over.
    """
    batch = Batch(clock, policy, sources)
    aside_count = 0
    send: list[Outgoing] = []
    for record in records:
        headers = record.headers
        if headers and clock.replayed:
            record = control.origin(record)
            headers = record.headers
        if headers:
            first = control.first(record, group)
            if first is None:
                aside_count += 1
                batch.labels.append(_MOVED)
                continue
            record, headers = first, first.headers
        aside = control.header(record) if headers else None
        if aside is None:
            outcome = _interaction(record, headers, batch)
        else:
            told = control.read(record, *aside, clock, partitions)
            if not isinstance(told, Refusal):
                send += told
                aside_count += 1
                if not told:
                    batch.labels.append(_TIME_DROPPED)
                continue
            outcome = told
        if isinstance(outcome, Refusal):
            batch.labels.append(("kairos_interactions_dead", outcome.reason))
            outcome = dead_letter(record, outcome, times.appended(record.timestamp_ms, clock.now))
        send.append(outcome)
    tally = Counter(batch.labels)
    for labels, number in Counter(batch.came).items():
        for label in labels:
            tally[label] += number
    if len(records) > aside_count:
        tally[_READ] = len(records) - aside_count
    return Decision(send, tally)


_READ = ("kairos_interactions_read",)
_FROM_OTHER = ("kairos_interactions_from", OTHER)
_TIME_DROPPED = ("kairos_times_dropped",)
_MOVED = ("kairos_interactions_moved",)


def _interaction(record: Record, headers: Headers, batch: Batch) -> Outgoing | Refusal:
    value = envelope.bounded(record.value)
    if type(value) is Refusal:
        return value
    said = envelope.read(value)
    if type(said) is Refusal:
        return said
    draft = Draft(record, said, value, times.appended(record.timestamp_ms, batch.clock.now))
    for step in STEPS:
        refusal = step(draft, batch)
        if refusal is not None:
            return refusal
    return _anchored(draft, trace_parent(headers) if headers else None, batch)


def named(draft: Draft, batch: Batch) -> Refusal | None:
    """Its message id, derived from where it lies if it has none, and its event's name."""
    said = draft.said
    if said.message_id is not None:
        message_id = str(said.message_id)
        if not 0 < len(message_id) <= MESSAGE_ID_CHARACTERS_MAX or "\0" in message_id:
            return Refusal("bad_message_id", f"messageId has {len(message_id)} characters")
        draft.message_id = message_id
    else:
        draft.message_id = derived_id(draft.record.partition, draft.record.offset)
    event = said.event or EVENT_NAMES.get(said.type, "")
    if not event or event.isspace():
        return Refusal("no_event", f"a {said.type} interaction without an event")
    draft.event = event
    return None


def dated(draft: Draft, batch: Batch) -> Refusal | None:
    """When it occurred, by a clock put right, and when it was received."""
    replayed = batch.clock.replayed and not control.was_live(draft.record)
    found = times.times(draft.said, draft.appended_at, replayed)
    if isinstance(found, Refusal):
        return found
    draft.occurred_at, draft.received_at = found
    for given in draft.said.consent or ():
        if given.at is not None and times.instant(given.at) is None:
            return Refusal("bad_timestamp", "consent.at cannot be read as an instant")
    return None


def counted(draft: Draft, batch: Batch) -> Refusal | None:
    """Its amounts of money, exact."""
    said = draft.said
    if said.value is not None:
        if not _is_exact(said.value):
            return Refusal("bad_amount", "value.amount is no finite decimal of at most 30 digits")
        draft.amount = money.text(said.value.amount)
    if said.cost is not None and not _is_exact(said.cost):
        return Refusal("bad_amount", "cost.amount is no finite decimal of at most 30 digits")
    if draft.event in _PAID:
        revenue = (said.properties or {}).get("revenue")
        if revenue is not None and (revenue == envelope.NO_AMOUNT if type(revenue) is float else money.parse(revenue) is None):
            return Refusal("bad_amount", "properties.revenue is no finite decimal of at most 30 digits")
        currency = (said.properties or {}).get("currency")
        if currency is not None and not (isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha()):
            return Refusal("bad_amount", "properties.currency is no code of three letters")
    return None


def identified(draft: Draft, batch: Batch) -> Refusal | None:
    """The identifiers that are left after normalising, the anchor first."""
    found = fields.identifiers(draft.said)
    normalise = batch.normalise
    if len(found) == 1:
        only = normalise(*found[0])
        if type(only) is Identifier and not batch.trusted:
            draft.identifiers, draft.nodes = (only[:2],), (only.key,)
            return None
    if len(found) > IDENTIFIERS_MAX:
        return Refusal("too_many_identifiers", f"{len(found)} identifiers")
    kept: list[tuple[str, str]] = []
    nodes: set[NodeKey] = set()
    for kind, value in found:
        read = normalise(kind, value)
        if isinstance(read, Identifier):
            if batch.trusted and not _is_trusted(read.type, draft, batch):
                batch.labels.append(("kairos_identifiers_untrusted", read.type))
                continue
            nodes.add(read.key)
        elif isinstance(read, Blocked):
            batch.labels.append(("kairos_identifiers_blocked", read.type if read.type in batch.types else OTHER))
            continue
        kept.append(read[:2])
    if not nodes:
        if draft.said.outcome is not None and draft.said.outcome.token is not None:
            return _addressed(draft, draft.said.outcome, batch)
        return Refusal(
            "no_identifier",
            f"{len(found)} given, none of them of a known type, from a trusted source and fit to tell one person from another",
        )
    draft.identifiers = tuple(dict.fromkeys(kept))
    draft.nodes = tuple(sorted(nodes))
    return None


def _addressed(draft: Draft, outcome: Outcome, batch: Batch) -> Refusal | None:
    """An outcome that names its customer by the moment's token alone. It is no evidence of who is who, and as old as the moment to an erasure."""
    if OUTCOMES.get(outcome.kind) != draft.event:
        return Refusal("bad_outcome", "the event is none of an outcome of this kind")
    found = reply.addressee(batch.policy, outcome.token or "", outcome.moment_id)
    if found is None:
        return Refusal("bad_outcome", "the token is none that came with this moment")
    draft.nodes, draft.told_at = (found.key,), found.at
    return None


def _is_trusted(kind: str, draft: Draft, batch: Batch) -> bool:
    """Whether the system that reports an interaction is believed when it names an identifier of this type."""
    source = draft.said.source
    return kind not in batch.trusted or ((source and source.system) or SOURCE_UNSAID) in batch.trusted[kind]


Step = Callable[[Draft, Batch], Refusal | None]

STEPS: tuple[Step, ...] = (named, dated, counted, identified)
"""In this order, for what is read as an interaction; of several faults the first is the reason."""


def _anchored(draft: Draft, trace: bytes | None, batch: Batch) -> Outgoing:
    """The message to the least of its identifiers."""
    said, anchor = draft.said, draft.nodes[0]
    source = said.source
    system = (source and source.system) or SOURCE_UNSAID
    channel, label = _channel(said.channel or TYPE_CHANNELS.get(said.type, ""))
    context = said.context
    touch = Touch(  # By position: to name the fields would cost as much again as all that is said here.
        draft.message_id,
        system,
        draft.occurred_at,
        draft.received_at,
        said.type,
        draft.event,
        channel,
        said.touchpoint or "",
        draft.identifiers,
        draft.value,
        (source and source.party) or "first",
        (source and source.owner) or "",
        said.message_id is None,
        batch.clock.replayed,
        fields.account(said),
        _text(said.case_id),
        _text(said.conversation_id),
        said.topic,
        said.language or (context and fields.in_context(context, "locale")) or None,
        said.timezone or (context and fields.in_context(context, "timezone")) or None,
        said.direction,
        said.department,
        said.duration_seconds,
        draft.amount,
        None if said.value is None else said.value.currency.upper(),
        None if trace is None else trace.decode(),
        1,
        rows.mark(anchor),
    )
    uid = rows.uid(batch.secret, system, draft.message_id)
    told_at = draft.occurred_at if draft.told_at is None else draft.told_at
    message = messages.Event(anchor, draft.nodes, uid, told_at, rows.encode_touch(touch))
    batch.came.append((label, batch.sources.get(system, _FROM_OTHER)))
    return Outgoing(topics.IDENTITY, anchor, messages.encode(message), () if trace is None else ((wire.TRACE_PARENT, trace),))


@lru_cache(maxsize=16)
def _from(sources: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """What counts an interaction, by its source."""
    return {source: ("kairos_interactions_from", source) for source in sources}


@lru_cache(maxsize=1024)
def _channel(said: str) -> tuple[str, tuple[str, ...]]:
    """A channel in its one form, and what counts it."""
    channel = said.strip().lower().replace(" ", "_").replace("-", "_")
    return channel, ("kairos_interactions_anchored", channel if channel in _KNOWN_CHANNELS else OTHER)


def _is_exact(amount: Amount) -> bool:
    return money.parse(amount.amount) is not None


def _text(said: str | int | None) -> str | None:
    """An id in the one form that identity gives it too."""
    return None if said is None else str(said).strip() or None
