"""Commands about who is who: each record becomes messages to the identifiers that it names, or a dead letter.

The rule this module owns: commands are in one total order whichever way they come: by when they were given, to the microsecond, then by a hash of
their id. So a command that is late, doubled or replayed never undoes a later one.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgspec

from schemas import topics
from schemas.command import IDENTIFIERS, Command, Kind
from schemas.interaction import AHEAD_SECONDS_MAX
from streams.boundary import Clock, Decision, Outgoing, Record
from streams.identity import messages
from streams.identity.identifiers import Blocked, Identifier, normaliser
from streams.identity.messages import ORDERS_PER_MICROSECOND, Ask, Audit, Bind, Cannot, Erase, Generic, Message, Union
from streams.identity.policy import Policy
from streams.instants import SECOND, Instant
from streams.intake import clock as times
from streams.intake import control, envelope
from streams.intake.refusal import Refusal, dead_letter
from streams.rows import NodeKey

_AHEAD_MAX = AHEAD_SECONDS_MAX * SECOND
_LATEST: Instant = (1 << 63) // ORDERS_PER_MICROSECOND - 1
_DECODE = msgspec.json.Decoder(Command).decode

Addressed = tuple[NodeKey, Message]


def decide(records: Sequence[Record], clock: Clock, policy: Policy, group: str = "") -> Decision:
    """Make of each record the identity protocol's messages, or one dead letter; what the `group` had read before it was moved is passed over."""
    send: list[Outgoing] = []
    tally: Counter[tuple[str, ...]] = Counter()
    for record in records:
        if clock.replayed and record.headers:
            record = control.origin(record)
        first = control.first(record, group)
        if first is None:
            tally["kairos_commands_moved",] += 1
            continue
        record = first
        tally["kairos_commands_read",] += 1
        received_at = times.appended(record.timestamp_ms, clock.now)
        outcome = _command(record, received_at, policy)
        if isinstance(outcome, Refusal):
            tally["kairos_commands_dead", outcome.reason] += 1
            send.append(dead_letter(record, outcome, received_at, topics.COMMANDS))
            continue
        kind, addressed = outcome
        tally["kairos_commands_sent", kind] += 1
        send += [Outgoing(topics.IDENTITY, key, messages.encode(message)) for key, message in addressed]
    return Decision(send, tally)


def order(at: Instant, command_id: str) -> int:
    """Where a command stands among all: greater is later."""
    tie = int.from_bytes(blake2b(command_id.encode(), digest_size=2).digest(), "big") % ORDERS_PER_MICROSECOND
    return at * ORDERS_PER_MICROSECOND + tie


def _command(record: Record, received_at: Instant, policy: Policy) -> tuple[Kind, list[Addressed]] | Refusal:
    said = _read(record.value)
    if isinstance(said, Refusal):
        return said
    at = _given(said, received_at)
    if isinstance(at, Refusal):
        return at
    keys = _keys(said, policy)
    if isinstance(keys, Refusal):
        return keys
    audit = Audit(said.id, said.actor, said.reason, at)
    return said.kind, _MESSAGES[said.kind](keys, order(at, said.id), audit)


def _read(value: bytes | None) -> Command | Refusal:
    bounded = envelope.bounded(value)
    if isinstance(bounded, Refusal):
        return bounded
    try:
        return _DECODE(bounded)
    except msgspec.ValidationError as wrong:
        return Refusal("wrong_type", str(wrong))
    except msgspec.DecodeError as wrong:
        return envelope.undecodable(bounded, wrong)


def _given(said: Command, received_at: Instant) -> Instant | Refusal:
    """When it was given: it may not be so far ahead that it would hold against all that are given in the meantime."""
    at = times.instant(said.at)
    if at is None:
        return Refusal("bad_timestamp", "at cannot be read as an instant")
    if at < times.EARLIEST:
        return Refusal("too_old", "at is before the year 2000")
    if at > min(received_at + _AHEAD_MAX, _LATEST):
        return Refusal("too_far_ahead", f"at is {(at - received_at) // SECOND} seconds ahead of the reception")
    return at


def _keys(said: Command, policy: Policy) -> tuple[NodeKey, ...] | Refusal:
    wanted = IDENTIFIERS[said.kind]
    if len(said.identifiers) != wanted:
        return Refusal("bad_command", f"{said.kind} takes {wanted} identifiers, not {len(said.identifiers)}")
    keys = []
    for place, named in enumerate(said.identifiers, start=1):
        found = normaliser(policy).normalise(named.type, named.value)
        if isinstance(found, Blocked):
            return Refusal("bad_identifier", f"identifier {place}: {found.reason}")
        if not isinstance(found, Identifier):
            return Refusal("bad_identifier", f"identifier {place}: its type is not known")
        keys.append(found.key)
    if len(set(keys)) < wanted:
        return Refusal("bad_command", f"{said.kind} of an identifier and itself")
    return tuple(keys)


def _bound(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    left, right = sorted(keys)
    return [(right, Union(left, None, None)), *((key, Bind((left, right), order, (), audit, key)) for key in (left, right))]


def _asked(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    return [(keys[0], Ask(keys[0], (), audit))]


def _apart(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    left, right = sorted(keys)
    return [(key, Cannot((left, right), True, order, (), audit)) for key in (left, right)]


def _together(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    left, right = sorted(keys)
    return [(key, Cannot((left, right), False, order, (), audit)) for key in (left, right)]


def _shared(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    return [(keys[0], Generic(keys[0], True, (), audit, True, order))]


def _unshared(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    return [(keys[0], Generic(keys[0], True, (), audit, False, order))]


def _forgotten(keys: tuple[NodeKey, ...], order: int, audit: Audit) -> list[Addressed]:
    return [(keys[0], Erase(keys[0], audit.at, order, (), audit))]


_MESSAGES: dict[Kind, Callable[[tuple[NodeKey, ...], int, Audit], list[Addressed]]] = {
    "link": _bound,
    "export": _asked,
    "cannot_link": _apart,
    "allow_link": _together,
    "mark_generic": _shared,
    "unmark": _unshared,
    "erase": _forgotten,
}
"""What each kind of command says to whom: a pair's to both of its ends, wherever they lie."""
