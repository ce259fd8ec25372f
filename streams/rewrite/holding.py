"""Whether a record holds somebody who was erased.

The rule this module owns: of interactions those go that the erasure made void where the workers hold them, by the same function on the same keys: what
others keep in their timelines stays on the topic. What is nobody's state goes if it names an erased identifier, whoever else it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from schemas import topics
from schemas.command import Command
from schemas.dead_letter import DeadLetter
from streams import instants
from streams.boundary import Record
from streams.identity import messages
from streams.identity.identifiers import Identifier, normaliser
from streams.identity.messages import Event
from streams.identity.past import is_void
from streams.identity.policy import Policy
from streams.instants import Instant
from streams.intake import steps
from streams.rewrite import naming
from streams.rewrite.marks import Marks
from streams.rows import NodeKey


class _Clock(NamedTuple):
    now: Instant
    replayed: bool


class _Output(Struct, rename="camel"):
    customer_id: str
    decided_at: str


class _Undelivered(Struct, rename="camel"):
    customer_id: str
    last_attempt_at: str | None


_OUTPUT = msgspec.json.Decoder(_Output).decode
_UNDELIVERED = msgspec.json.Decoder(_Undelivered).decode
_LETTER = msgspec.json.Decoder(DeadLetter).decode
_COMMAND = msgspec.json.Decoder(Command).decode


class Judge:
    """Tells of each record. `replayed`: the workers read under the replay clock."""

    def __init__(self, policy: Policy, marks: Marks, now: Instant, replayed: bool) -> None:
        self._policy, self._marks = policy, marks
        self._reader = normaliser(policy)
        self._clock = _Clock(now, replayed)

    def holds(self, topic: str, record: Record) -> bool:
        """Whether a record of one of TOPICS holds somebody who was erased; one that cannot be read is found by its key, a customer's id."""
        if record.value is None:
            return False
        try:
            return _HOLDS[topic](self, record, record.value)
        except msgspec.DecodeError:
            return (record.key or b"").decode(errors="replace") in self._marks.customers

    def _interaction(self, record: Record, value: bytes) -> bool:
        for sent in steps.decide([record], self._clock, self._policy, 1).send:
            if sent.topic == topics.DEAD_LETTERS:
                return self._letter(record, sent.value or b"")
            message = messages.decode(sent.value or b"")
            if isinstance(message, Event):
                return is_void(self._marks.past, message.ids, message.occurred_at)
        return False

    def _letter(self, record: Record, value: bytes) -> bool:
        letter = _LETTER(value)
        found = naming.keys_in(letter.original, self._reader)
        if letter.original_key is not None:
            found |= naming.keys_in(letter.original_key, self._reader)
        return self._are_erased(found, instants.parse(letter.received_at) or 0)

    def _command(self, record: Record, value: bytes) -> bool:
        try:
            said = _COMMAND(value)
        except msgspec.DecodeError:
            return self._are_erased(naming.keys_in(value, self._reader), record.timestamp_ms * 1000)
        found = [self._reader.normalise(named.type, named.value) for named in said.identifiers]
        keys = [each.key for each in found if isinstance(each, Identifier)]
        return self._are_erased([*keys, *naming.keys_in_text(said.reason, self._reader)], instants.parse(said.at) or 0)

    def _output(self, record: Record, value: bytes) -> bool:
        said = _OUTPUT(value)
        return self._is_gone(said.customer_id, said.decided_at)

    def _undelivered(self, record: Record, value: bytes) -> bool:
        said = _UNDELIVERED(value)
        return self._is_gone(said.customer_id, said.last_attempt_at)

    def _is_gone(self, customer: str, decided_at: str | None) -> bool:
        until = self._marks.customers.get(customer)
        return until is not None and (decided_at is None or (instants.parse(decided_at) or 0) <= until)

    def _are_erased(self, keys: Iterable[NodeKey], at: Instant) -> bool:
        marks = [self._marks.past.erased.get(key) for key in keys]
        return any(mark is not None and at <= mark.until for mark in marks)


_HOLDS: dict[str, Callable[[Judge, Record, bytes], bool]] = {
    topics.DEAD_LETTERS: Judge._letter,
    topics.COMMANDS: Judge._command,
    topics.STAGES: Judge._output,
    topics.SEGMENTS: Judge._output,
    topics.MOMENTS: Judge._output,
    topics.DEAD_DELIVERIES: Judge._undelivered,
    topics.INTERACTIONS: Judge._interaction,
}
TOPICS = tuple(_HOLDS)
"""The topics that others read, too, and that keep what identifies somebody for a time; the source of all comes last."""
