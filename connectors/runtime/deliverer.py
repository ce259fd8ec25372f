"""The runner of one sink's endpoint: records in, attempts out, each outcome led to what follows from it.

The rule this module owns: whatever happens, a record is done with only when the endpoint has its request, or will never take it and a dead letter says
so, or it is not to go out any more. Everything here runs in the loop; Kafka's side is connectors/runtime/feed.py, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from connectors.runtime import letters
from connectors.runtime.counts import Counts
from connectors.runtime.fetched import Fetched, output
from connectors.runtime.instants import SECOND, rfc3339
from connectors.runtime.ledger import Ledger, Tried
from connectors.runtime.notices import Notices, Unwritten
from connectors.runtime.patience import Breaker, Patience
from connectors.runtime.sinks import Outcome, Sink
from connectors.runtime.waiting import Entry, Place, Waiting
from schemas import rewritten
from schemas.delivery import EndpointSwitch, Reason
from schemas.values import VALUES

Event = Literal["disabled", "enabled", "broken", "mended", "dead", "lost"]


class Limits(Struct, frozen=True, kw_only=True):
    """What one endpoint may take up."""

    under_way_max: int = 8
    """Attempts at once."""
    waiting_max: int = 500
    """Requests in hand; beyond, Kafka keeps them."""
    waiting_bytes_max: int = 16 << 20


class Position(NamedTuple):
    """What to commit of a partition: the first record that is not done, and what is to be known beside it."""

    offset: int
    note: str


class Deliverer:
    """One endpoint in one process."""

    def __init__(
        self,
        endpoint: str,
        sink: Sink,
        notices: Notices,
        counts: Counts,
        tell: Callable[[str, Event, str], None],
        patience: Patience,
        limits: Limits,
        group: str = "",
        since: int | None = None,
    ) -> None:
        """`group`: the consumer group that the records are read as; `since`: what the broker took before (microseconds UTC) is not for it."""
        self._group, self._since_ms = group, (since or 0) // 1000
        self.endpoint, self.sink = endpoint, sink
        self._notices, self._counts, self._tell = notices, counts, tell
        self._patience, self._limits = patience, limits
        self._ledgers: dict[Place, Ledger] = {}
        self._waiting = Waiting()
        self._breaker = Breaker()
        self._held_until = 0.0
        self._under_way: dict[asyncio.Task[None], Sequence[Entry]] = {}
        self._woken = asyncio.Event()
        self._stopping = self._pausing = self.is_disabled = False
        self._switched_at: datetime | None = None
        self._broke: BaseException | None = None
        counts.shows("delivery_waiting", endpoint, lambda: self._waiting.requests)
        counts.shows("endpoint_disabled", endpoint, lambda: self.is_disabled)
        counts.shows("endpoint_broken", endpoint, lambda: self._breaker.is_open)

    @property
    def room(self) -> int:
        """So many records more may be read."""
        if self.is_disabled or self._stopping or self._pausing or self._waiting.bytes >= self._limits.waiting_bytes_max:
            return 0
        return max(0, self._limits.waiting_max - self._waiting.requests)

    @property
    def is_idle(self) -> bool:
        """Nothing is in hand."""
        return not self._waiting.requests and not self._under_way

    def assigned(self, positions: Mapping[Place, Position]) -> None:
        """These partitions are this process's now."""
        self._ledgers |= {place: Ledger(position.offset, position.note) for place, position in positions.items()}

    async def revoked(self, places: Collection[Place], seconds_max: float) -> dict[Place, Position]:
        """These partitions go: what is under way comes to its end, or `seconds_max` have passed; where each stands then. None begins meanwhile."""
        self._pausing = True
        going = [task for task, entries in self._under_way.items() if any(entry.place in places for entry in entries)]
        if going:
            await asyncio.wait(going, timeout=seconds_max)
        left = self.positions(places)
        self.lost(places)
        self._pausing = False
        self._woken.set()
        return left

    def lost(self, places: Collection[Place]) -> None:
        """These partitions are another's already."""
        self._waiting.drop(places)
        for place in places:
            self._ledgers.pop(place, None)

    async def take(self, records: Sequence[Fetched]) -> None:
        """Records, each partition's in its order."""
        unreadable = [self._read(record) for record in records]
        for record in filter(None, unreadable):
            await self._bury_unreadable(record)
        self._woken.set()

    def positions(self, places: Collection[Place] | None = None) -> dict[Place, Position]:
        """What may be committed of these partitions, or of all."""
        tried: dict[Place, dict[int, Tried]] = {}
        for entry in self._waiting.tried():
            tried.setdefault(entry.place, {})[entry.offset] = Tried(entry.attempts, entry.since)
        chosen = self._ledgers if places is None else [place for place in places if place in self._ledgers]
        return {place: Position(self._ledgers[place].offset, self._ledgers[place].note(tried.get(place, {}))) for place in chosen}

    def switch(self, state: EndpointSwitch) -> None:
        """The endpoint was switched off, or on again; of what was said the newest holds."""
        since = datetime.fromisoformat(state.since)
        if self._switched_at is not None and since <= self._switched_at:
            return
        self._switched_at, was_disabled = since, self.is_disabled
        self.is_disabled = state.state == "disabled"
        if self.is_disabled != was_disabled:
            self._tell(self.endpoint, state.state, state.why)
            self._woken.set()

    async def run(self) -> None:
        """Until `stop`, and until what is under way then has come to its end."""
        while not self._stopping or self._under_way:
            self._woken.clear()
            seconds = None if self._stopping or self._pausing or self.is_disabled else self._send()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
            if self._broke is not None:
                raise self._broke

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        self._woken.set()

    def _read(self, record: Fetched) -> Fetched | None:
        """Put a record in hand if it is for the endpoint; given back if its value is none of its topic's."""
        place = (record.topic, record.partition)
        ledger = self._ledgers.get(place)
        if ledger is None or not ledger.read(record.offset):
            return None
        moved = rewritten.of(record.headers)
        if moved is not None and (
            self._group in moved.groups or moved.timestamp_ms < self._since_ms
        ):  # It was done with where it lay first.
            ledger.done(record.offset)
            return None
        try:
            said = None if record.value is None else msgspec.json.decode(record.value, type=VALUES[record.topic])
        except msgspec.DecodeError:
            return record
        request = self.sink.map(output(record, said))
        if request is None:
            ledger.done(record.offset)
        else:
            self._waiting.add(Entry(request, place, record.offset, ledger.tried(record.offset), time.time()))
        return None

    def _send(self) -> float | None:
        """Begin what is due and may go out; seconds until more may be, None if that takes an event."""
        now = time.time()
        free = self._limits.under_way_max - len(self._under_way)
        if free <= 0:
            return None
        if now < self._held_until:
            return self._held_until - now
        passes = self._breaker.passes(now)
        if passes == "one":
            entry = self._waiting.freshest()
            if entry is not None:
                self._breaker.probe()
                self._begin([entry], is_probe=True)
            return None
        if passes == "none":
            return max(0.0, self._breaker.until() - now) or None
        while free > 0 and (entries := self._waiting.due(now, self.sink.batch_max)):
            self._begin(entries)
            free -= 1
        due = self._waiting.next_due()
        return None if due is None or free <= 0 else max(0.0, due - now)

    def _begin(self, entries: Sequence[Entry], is_probe: bool = False) -> None:
        task = asyncio.create_task(self._attempt(entries, is_probe))
        self._under_way[task] = entries
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._broke = self._broke or (None if task.cancelled() else task.exception())
        self._woken.set()

    async def _attempt(self, entries: Sequence[Entry], is_probe: bool) -> None:
        sent = [entry for entry in entries if not self._is_over(entry)]
        if is_probe and not sent:
            self._breaker.abandon()
        if not sent:
            return
        start = time.monotonic()
        outcomes = await self.sink.deliver([entry.request for entry in sent])
        self._counts.attempted(self.endpoint, time.monotonic() - start)
        for entry, outcome in zip(sent, outcomes, strict=True):
            await _FOLLOWS[outcome.kind](self, entry, outcome, is_probe)

    def _is_over(self, entry: Entry) -> bool:
        """Whether a request may not go out any more: its time has passed. It is done with then."""
        expires_at = entry.request.expires_at
        if expires_at is None or time.time_ns() // 1000 <= expires_at:
            return False
        self._counts.came(self.endpoint, "expired")
        self._done(entry)
        return True

    async def _delivered(self, entry: Entry, _: Outcome, __: bool) -> None:
        decided_at = entry.request.decided_at
        self._counts.delivered(self.endpoint, None if decided_at is None else time.time() - decided_at / SECOND)
        self._answers()
        self._done(entry)

    async def _refused(self, entry: Entry, outcome: Outcome, _: bool) -> None:
        self._answers()
        self._note_attempt(entry)
        await self._bury(entry, "refused", outcome)

    async def _failed(self, entry: Entry, outcome: Outcome, is_probe: bool) -> None:
        self._counts.came(self.endpoint, "failed")
        self._note_attempt(entry)
        now = time.time()
        if self._breaker.failed(now, entry.attempts == 1, is_probe):
            self._tell(self.endpoint, "broken", outcome.detail)
        if now - entry.since >= self._patience.give_up_seconds:
            await self._bury(entry, "given_up", outcome)
        else:
            self._again(entry)

    async def _throttled(self, entry: Entry, outcome: Outcome, _: bool) -> None:
        """What it asks for holds for all its requests: they wait together."""
        self._counts.came(self.endpoint, "throttled")
        self._answers()
        self._note_attempt(entry)
        now = time.time()
        asked = outcome.retry_after_seconds or self._patience.pause(entry.attempts, random.random())
        self._held_until = max(self._held_until, now + min(self._patience.retry_after_seconds_max, asked))
        if now - entry.since >= self._patience.give_up_seconds:
            await self._bury(entry, "given_up", outcome)
        else:
            self._waiting.again(entry, now)

    async def _gone(self, entry: Entry, outcome: Outcome, _: bool) -> None:
        self._counts.came(self.endpoint, "gone")
        self._breaker.abandon()
        said = EndpointSwitch(endpoint=self.endpoint, state="disabled", since=_now(), by="endpoint", why=outcome.detail)
        self.switch(said)
        self._waiting.again(entry, time.time())
        try:
            await self._notices.switch(said)
        except Unwritten as unwritten:  # It holds in this process; after a restart the endpoint is asked again, and answers again.
            self._tell(self.endpoint, "disabled", f"not noted: {unwritten}")

    async def _bury(self, entry: Entry, reason: Reason, outcome: Outcome) -> None:
        """A dead letter, and then it is done with; where Kafka does not take that, it is tried again."""
        letter = letters.of_request(self.endpoint, entry, reason, outcome.detail)
        try:
            await self._notices.bury(letter)
        except Unwritten:
            self._again(entry)
            return
        self._counts.came(self.endpoint, reason)
        self._tell(self.endpoint, "dead", f"{entry.request.id}: {reason}, {outcome.detail}")
        self._done(entry)

    async def _bury_unreadable(self, record: Fetched) -> None:
        letter = letters.of_record(self.endpoint, record)
        while True:
            try:
                await self._notices.bury(letter)
                break
            except Unwritten:
                if self._stopping:
                    return
                await asyncio.sleep(self._patience.first_seconds)
        self._counts.came(self.endpoint, "unreadable")
        ledger = self._ledgers.get((record.topic, record.partition))
        if ledger is not None:
            ledger.done(record.offset)

    def _answers(self) -> None:
        """The endpoint is there: what waits for it to be need wait no longer, but does not come all at once."""
        if self._breaker.succeeded():
            self._tell(self.endpoint, "mended", "")
            self._waiting.hurry(time.time() + self._patience.first_seconds * random.random())

    def _note_attempt(self, entry: Entry) -> None:
        entry.since = entry.since or time.time()
        entry.attempts += 1

    def _again(self, entry: Entry) -> None:
        if not entry.is_dropped:
            self._waiting.again(entry, time.time() + self._patience.pause(entry.attempts, random.random()))

    def _done(self, entry: Entry) -> None:
        if entry.is_dropped:
            return
        self._waiting.done(entry)
        self._ledgers[entry.place].done(entry.offset)
        self._woken.set()


_FOLLOWS = {
    "delivered": Deliverer._delivered,
    "refused": Deliverer._refused,
    "failed": Deliverer._failed,
    "throttled": Deliverer._throttled,
    "gone": Deliverer._gone,
}
"""What follows from each outcome of an attempt."""


def _now() -> str:
    return rfc3339(time.time_ns() // 1000)
