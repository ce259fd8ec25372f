"""What a batch of one partition leads to, in four passes: identity, timeline, fold, publish.

The rule this module owns: a batch inserts all, then folds each customer once, then judges the moments that it led to. It knows the order of the
passes and nothing of what they do.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter

from msgspec import structs

from schemas import topics
from streams.boundary import Clock, Decision, Dials, Gauges, Outgoing, Record, Rows, Since
from streams.customer import (
    after_erasure,
    customers,
    erasing,
    growth,
    guards,
    horizon,
    lapsing,
    outcomes,
    partition_time,
    publish,
    receipts,
    room,
    timeline,
    too_late,
)
from streams.customer.census import Moves, standing
from streams.customer.customers import Customer, Redirect
from streams.customer.erasing import Erased
from streams.customer.growth import Arrived
from streams.customer.guards import Court
from streams.customer.horizon import LIMITS, Limits
from streams.customer.lapsing import Lapsed
from streams.customer.partition_time import PartitionTime
from streams.customer.state import FoldRow, empty, next_deadline, sealed
from streams.identity import afterwards, messages, people, protocol, sweep
from streams.identity.policy import Policy
from streams.identity.protocol import Advanced
from streams.identity.settling import Change
from streams.identity.workspace import Applied
from streams.instants import DAY, SECOND, Instant
from streams.language import Rulebook
from streams.rows import DUE, FOLD, PERSON_SUBJECT, TIMELINE, NodeKey, Person, Touch, decode_touch

FORGETTING = ("erase", "forget")
"""Messages after which nothing may be left in files: an erased person's rows have been in the partitions of their identifiers, which each get one."""
_received_at: Callable[[Touch], Instant] = attrgetter("received_at")
DUE_MAX = 500
"""So many deadlines fall due in a batch; the partition sends itself a message to go on with the rest."""


def decide(
    records: Sequence[Record], rows: Rows, clock: Clock, policy: Policy, rulebook: Rulebook, partitions: int, limits: Limits = LIMITS
) -> Decision:
    """Who it was, what is new, what follows, what to say: rows are put, the rest is the decision."""
    advanced = protocol.advance(records, rows, clock, policy)
    tally = Counter(advanced.tally)
    begun = partition_time.begun(rows)
    time, told = _time(rows, clock, advanced, partitions, bool(records), begun)
    had = customers.rows_of(rows, _concerned(advanced.changes))
    census = Moves(had)
    erased = _erase(rows, advanced.changes, had, policy)
    joined, late = horizon.admitted(advanced.changes, had, limits)
    arrived = _insert(rows, advanced.changes, joined, tally)
    changed, gone = _fold(rows, rulebook, advanced.changes, had, arrived, time)
    lapsed: list[Lapsed] = []
    more = False
    if time.moved or told:
        done = {customer.person.canonical for customer in changed} | {redirect.gone for redirect in gone}
        drained, lapsed, more = _drain(rows, rulebook, done, time)
        changed += drained
        tally["kairos_deadlines_drained",] += len(drained)
        if more or begun is not None:
            partition_time.begin(rows, time.before if more else None)
    released: list[Instant] = []
    changed = guards.judged(changed, Court(clock, time.before, rulebook.cool_downs, rulebook.caps))
    outcomes.count(changed, tally)
    changed = _write(rows, rulebook, changed, gone, limits, tally)
    outputs = publish.outputs(changed, gone, advanced, clock, policy, rulebook, tally, released, erased, lapsed)
    census.settle(rows, changed, gone, advanced.changes)
    send = [*advanced.send, *outputs]
    if advanced.void:
        send += after_erasure.changes(advanced.void, records, clock, policy)
    if advanced.carried:
        send += receipts.changes(advanced.carried, clock, policy, tally)
    if late:
        send += too_late.letters(late, records, tally)
    if more and records and (told or begun is None):  # After a tick the next one goes on, and one message under way is enough.
        send.append(Outgoing(topics.IDENTITY, None, messages.encode(messages.GO_ON), (), records[0].partition))
    is_told = time.moved or told or advanced.news is not None
    news = () if advanced.news is None else (advanced.news,)
    dials = Dials(_gauges(rows, time, more) if is_told else {}, _since(arrived, released, clock), news)
    return Decision(send, tally, any(tally["kairos_identity_messages", kind] for kind in FORGETTING), dials)


def _time(rows: Rows, clock: Clock, advanced: Advanced, partitions: int, busy: bool, begun: Instant | None) -> tuple[PartitionTime, bool]:
    """The partition's time, and whether this batch was told to go on with what is due; what fell due in slices did so after one time."""
    said = [(told.source, told.time) for told in advanced.times if told != messages.GO_ON]
    if said:
        time = partition_time.replayed(rows, said, partitions)
    else:
        time = partition_time.current(rows) if busy else partition_time.ticked(rows, clock)
    before = time.before if begun is None else min(time.before, begun)
    return time._replace(before=before), len(said) < len(advanced.times)


def _insert(rows: Rows, changes: Sequence[Change], joined: Sequence[Applied], tally: Counter[tuple[str, ...]]) -> Arrived:
    """Put what joined into the timelines; what they held already is counted and left."""
    arrived = Arrived({}, {}, set(), set())
    keys = [applied.fragment + applied.uid for applied in joined]
    found = rows.get(TIMELINE, keys)
    held = dict(zip(keys, found, strict=True))
    for key, applied in zip(keys, joined, strict=True):
        how = timeline.place(rows, key, held[key], applied.touch)
        if how != "duplicate":
            held[key] = applied.touch
        if how == "fresh":
            arrived.fresh.setdefault(applied.fragment, []).append(decode_touch(applied.touch))
            arrived.uids.setdefault(applied.fragment, []).append(applied.uid)
            tally["kairos_interactions_applied",] += 1
        else:
            tally["kairos_interactions_duplicate",] += 1
            if how == "replaced":
                arrived.replaced.add(applied.fragment)
    arrived.elsewhere.update(growth.elsewhere(rows, [person for change in changes for person in change.after], arrived.uids))
    return arrived


def _gauges(rows: Rows, time: PartitionTime, more: bool) -> Gauges:
    """What stands where; while deadlines still fall due, time is at the first slice of them."""
    return {
        **standing(rows),
        **sweep.gauges(rows),
        ("kairos_partition_time_timestamp_seconds",): (time.before if more else time.instant) / SECOND,
    }


def _since(arrived: Arrived, released: Sequence[Instant], clock: Clock) -> Since:
    """When the interactions that are in their profiles now were received, and those that moments came of; what is history says nothing of today."""
    if clock.replayed:
        return {}
    received = list(map(_received_at, chain.from_iterable(arrived.fresh.values())))
    return {("kairos_profile_seconds",): _of_today(received, clock), ("kairos_moment_seconds",): _of_today(released, clock)}


def _of_today(received: Sequence[Instant], clock: Clock) -> Sequence[Instant]:
    floor = clock.now - DAY
    return received if not received or min(received) > floor else [at for at in received if at > floor]


def _concerned(changes: Sequence[Change]) -> list[bytes]:
    return list({person.canonical: None for change in changes for person in (*change.before, *change.after, *change.erased)})


def _erase(rows: Rows, changes: list[Change], had: dict[bytes, FoldRow], policy: Policy) -> list[Erased]:
    """Delete the customers who were erased: the changes (in place) and `had` go on without them; what ends by itself is noted where it came to."""
    erased: list[Erased] = []
    for place, change in enumerate(changes):
        if change.past is not None:
            if change.erased or change.receipts:
                changes[place], told = erasing.erase(rows, change, had)
                erased += told
            if change.swept:
                horizon.forget(rows, change, erasing.naming(policy, change.past))
            if change.moved:
                lapsing.moved(rows, change.root, change.past)
    return erased


def _fold(
    rows: Rows, rulebook: Rulebook, changes: Sequence[Change], had: dict[bytes, FoldRow], arrived: Arrived, time: PartitionTime
) -> tuple[list[Customer], list[Redirect]]:
    """Fold every customer that something came to, and all whom a change of people made others."""
    changed: list[Customer] = []
    gone: list[Redirect] = []
    for change in changes:
        arrived.replaced.update(change.swept)
        others = customers.others(change)
        if others.new or others.old:
            regrouped = customers.regroup(rows, rulebook, change, others, had, arrived, time.instant)
            redirects = {redirect.gone: redirect.lapses for redirect in regrouped.gone}
            afterwards.settle(rows, change.root, regrouped.floor, redirects, [person.canonical for person in change.after])
            changed += regrouped.customers
            gone += regrouped.gone
        for person in others.stayed:
            renamed = others.renamed.get(person.canonical)
            customer = _forward(rows, rulebook, person, had.get(person.canonical), arrived, time, change, renamed)
            if customer is not None:
                changed.append(customer)
    return changed, gone


def _forward(
    rows: Rows,
    rulebook: Rulebook,
    person: Person,
    before: FoldRow | None,
    arrived: Arrived,
    time: PartitionTime,
    change: Change,
    renamed: Person | None,
) -> Customer | None:
    """Fold a customer who is the same as before; None where nothing came to it."""
    fragments = person.fragments
    again = not (arrived.replaced.isdisjoint(fragments) and arrived.elsewhere.isdisjoint(fragments))
    fresh = [touch for fragment in fragments for touch in arrived.fresh.get(fragment, ())]
    if not fresh and not again and renamed is None:
        deadline = before.next_deadline if before is not None else None
        if not change.moved or deadline is None:
            return None
        if deadline > time.instant:  # It came from where time may have been behind: here its deadline waits, or is past already.
            rows.put(DUE, partition_time.due_key(deadline, customers.subject(person.canonical)), change.root)
            return None
    if len(fresh) > 1:
        fresh.sort(key=growth.in_order)
    customer = customers.forward(rows, rulebook, change.root, person, before, fresh, time.instant, again)
    return customer if renamed is None else structs.replace(customer, regrouped=True, was=renamed)


def _drain(rows: Rows, rulebook: Rulebook, done: set[bytes], time: PartitionTime) -> tuple[list[Customer], list[Lapsed], bool]:
    """Let deadlines fall due, earliest first, a slice at a time; entries that their customers no longer stand by are deleted."""
    due = partition_time.due(rows, time.instant, DUE_MAX)
    roots: dict[bytes, NodeKey] = {}
    for entry, _ in due.entries:
        rows.put(DUE, entry, None)
    of_people = [(entry, root) for entry, root in due.entries if partition_time.subject_of(entry)[:1] == PERSON_SUBJECT]
    lapsed = lapsing.lapsed(rows, due.entries) if len(of_people) < len(due.entries) else []
    had = customers.rows_of(rows, list({partition_time.subject_of(entry)[1:]: None for entry, _ in of_people}))
    for entry, root in of_people:  # An entry that its customer does not stand by is stale, and so may its root be.
        canonical = partition_time.subject_of(entry)[1:]
        if canonical in had and canonical not in done and partition_time.deadline_of(entry) == had[canonical].next_deadline:
            roots[canonical] = root
    found = people.find(rows, roots)
    drained = [customers.forward(rows, rulebook, root, found[c], had[c], [], time.instant, False) for c, root in roots.items()]
    return drained, lapsed, due.more


def _write(
    rows: Rows, rulebook: Rulebook, changed: list[Customer], gone: Sequence[Redirect], limits: Limits, tally: Counter[tuple[str, ...]]
) -> list[Customer]:
    """Put the rows of customers and of their next deadlines; the customers, with the rows as they were put where they had to give way."""
    lapsing.expect(rows, gone)
    for redirect in gone:
        rows.put(FOLD, customers.subject(redirect.gone), None)
        if redirect.deadline is not None:
            rows.put(DUE, partition_time.due_key(redirect.deadline, customers.subject(redirect.gone)), None)
    for place, customer in enumerate(changed):
        subject = customers.subject(customer.person.canonical)
        before, after = customer.before, customer.after
        if horizon.is_due(after, limits):
            after = horizon.clear(rows, rulebook, subject, customer.person.fragments, after, limits)
        row = sealed(after)
        if len(row) > room.LOOK_BYTES:
            after = _fitted(rows, rulebook, customer.person, after, limits, tally)
            row, changed[place] = sealed(after), structs.replace(customer, after=after)
        rows.put(FOLD, subject, row)
        deadline = after.next_deadline
        if before is not None and before.next_deadline is not None and before.next_deadline != deadline:
            rows.put(DUE, partition_time.due_key(before.next_deadline, subject), None)
        if deadline is not None:
            rows.put(DUE, partition_time.due_key(deadline, subject), customer.root)
    return changed


def _fitted(rows: Rows, rulebook: Rulebook, person: Person, row: FoldRow, limits: Limits, tally: Counter[tuple[str, ...]]) -> FoldRow:
    """A row that has grown large, with as much as there is room for; what gave way is counted."""
    state, gave_way = room.fitted(row.state, empty(rulebook))
    if len(row.kept) > room.KEPT_BYTES_MAX:
        row = horizon.lighten(rows, rulebook, customers.subject(person.canonical), person.fragments, row, limits)
        gave_way.append("said")
    for part in gave_way:
        tally["kairos_customers_lightened", part] += 1
    return structs.replace(row, state=state, next_deadline=next_deadline(state)) if gave_way else row
