"""What subscribers read of a batch: stage changes, segment changes, moments with their verdicts, profiles, redirects, merges, splits, conflicts.

The rule this module owns: an output repeats what the fold said and adds who it is about, its revision and its verdict. A moment that may not be
released is published all the same, with the reason: so history can be loaded without writing to anyone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from schemas import topics
from schemas.identity_change import IdentityChange
from schemas.identity_conflict import IdentityConflict
from schemas.moment import Explanation, Moment, Status
from schemas.output import Subject
from schemas.record import cloud_event_headers, encode
from schemas.segment import SegmentChange
from schemas.stage import StageChange
from streams import instants
from streams.boundary import Clock, Outgoing
from streams.customer import changed, guards, receipts, view
from streams.customer.customers import Customer, Redirect
from streams.customer.emissions import Said
from streams.customer.erasing import Erased
from streams.customer.lapsing import Lapsed
from streams.identity import changes, messages, reply
from streams.identity.identifiers import customer_id
from streams.identity.policy import Policy, version
from streams.identity.protocol import Advanced
from streams.identity.settling import Change
from streams.instants import Instant
from streams.language import Rulebook
from streams.rows import Touch

LANGUAGE = "en"
"""The language that the rules' sentences are written in."""

SOURCE = "kairos"

UNREASONED = "none"
"""The reason of a moment that nothing held back, where moments are counted."""

Tally = Counter[tuple[str, ...]]
Envelope = tuple[Subject, str, int, int, str, bool, str, str | None, str, str, list[str]]
"""The fields of `schemas.output.Output`, in their order."""


class Batch(NamedTuple):
    """What all outputs of a batch have in common; `released` notes when what led to the released moments was received."""

    clock: Clock
    now: str
    rulebook: Rulebook
    reading: view.Reading
    rules: str
    secret: bytes
    tally: Tally
    released: list[Instant]


def outputs(
    changed: Sequence[Customer],
    gone: Sequence[Redirect],
    advanced: Advanced,
    clock: Clock,
    policy: Policy,
    rulebook: Rulebook,
    tally: Tally,
    released: list[Instant],
    erased: Sequence[Erased] = (),
    lapsed: Sequence[Lapsed] = (),
) -> list[Outgoing]:
    """All records of a batch for subscribers, in the order: who is no more, who is who, then what each customer's state led to, then its profile."""
    batch = Batch(clock, instants.text(clock.now), rulebook, view.reading(policy), version(policy), policy.secret, tally, released)
    # An empty profile comes first: who begins again begins after it.
    send: list[Outgoing] = _endings(erased, lapsed, batch) if erased or lapsed else []
    published = {redirect.gone: redirect for redirect in gone}
    for change in advanced.changes:
        if change.before is not change.after:
            send += _people(change, published, batch)
    send += [_conflict(found, batch) for found in advanced.conflicts]
    for customer in changed:
        _customer(customer, batch, send)
    refolded = sum([customer.refolded for customer in changed])
    forward = sum([bool(customer.fresh) and not customer.refolded for customer in changed])
    for name, folded in (("refold", refolded), ("incremental", forward)):
        if folded:
            tally["kairos_customers_folded", name] += folded
    causes = {change.root: change.cause[1] for change in advanced.changes if change.cause is not None} if gone else {}
    for redirect in gone:
        subject = Subject("person", customer_id(redirect.gone))
        value = view.redirect(redirect, subject, causes.get(redirect.root), clock, batch.now, batch.reading, rulebook)
        send.append(_record(topics.PROFILES, subject.id, value, f"{subject.id}-{redirect.version}", batch.now))
    return send


def _customer(customer: Customer, batch: Batch, send: list[Outgoing]) -> None:
    """What the fold said of a customer, then its profile, unless nothing about it is new."""
    name, now = customer_id(customer.person.canonical), batch.now
    subject, key, traces = Subject("person", name), name.encode(), _traces(customer.fresh)
    for said in customer.said:
        emission = said.emission
        topic, value = _WRITERS[emission.kind](said, customer, _envelope(said, customer, subject, batch), batch)
        headers = cloud_event_headers(f"{emission.id}-{said.revision}", topic, SOURCE, now, traces.get(emission.message_id))
        send.append(Outgoing(topic, key, encode(value), headers))
    paths = changed.of_state(customer)
    if paths or customer.fresh or customer.said or customer.regrouped:  # A deadline may pass without a trace.
        profile = view.profile(customer, subject, paths, batch.clock, now, batch.reading, batch.rulebook)
        headers = cloud_event_headers(f"{name}-{profile.version}", topics.PROFILES, SOURCE, now, traces.get(profile.cause.message_id))
        send.append(Outgoing(topics.PROFILES, key, encode(profile), headers))
        batch.tally["kairos_profiles",] += 1


def _endings(erased: Sequence[Erased], lapsed: Sequence[Lapsed], batch: Batch) -> list[Outgoing]:
    """Of customers who were erased a receipt and an empty profile; an empty profile of those whose redirect has ended."""
    send = []
    for one in erased:
        name = customer_id(one.canonical)
        value = IdentityChange(
            *_about(name, one.version, batch.clock.now if one.until is None else one.until, [], batch),
            id=f"{name}-{one.version}-erasure" if one.order is None else f"{name}-{one.version}-erasure-{one.order}",
            kind="erasure",
            from_=[customer_id(canonical) for canonical in one.gone],
            into=[],
            version=one.version,
            message_id=None,
            deleted=one.deleted,
            clean_by=instants.text(batch.clock.now + topics.CLEAN_AFTER_MS * 1000),
            command=None if one.audit is None else receipts.ordered(one.audit),
        )
        send.append(_record(topics.IDENTITY_CHANGES, name, value, value.id, batch.now))
        send += [_empty(canonical, one.version, batch) for canonical in one.emptied]
    return [*send, *[_empty(ended.gone, ended.at, batch) for ended in lapsed]]


def _empty(canonical: bytes, which: int, batch: Batch) -> Outgoing:
    name = customer_id(canonical)
    headers = cloud_event_headers(f"{name}-{which}-empty", topics.PROFILES, SOURCE, batch.now, None)
    return Outgoing(topics.PROFILES, name.encode(), None, headers)


def _record(topic: str, name: str, value: Struct, event_id: str, now: str) -> Outgoing:
    return Outgoing(topic, name.encode(), encode(value), cloud_event_headers(event_id, topic, SOURCE, now))


def _traces(fresh: Sequence[Touch]) -> Mapping[str | None, bytes]:
    """The trace contexts that interactions of this batch carried, by their ids; of two with one id the first counts."""
    traces: dict[str | None, bytes] = {}
    for touch in fresh:
        if touch.trace_parent is not None:
            traces.setdefault(touch.id, touch.trace_parent.encode())
    return traces


def _envelope(said: Said, customer: Customer, subject: Subject, batch: Batch) -> Envelope:
    emission = said.emission
    return (
        subject,
        subject.id,
        customer.after.version,
        said.revision,
        emission.owner,
        batch.clock.replayed or emission.replayed,
        instants.text(emission.occurred_at),
        instants.text(emission.received_at),
        batch.now,
        emission.rule_version,
        list(emission.evidence),
    )


def _stage(said: Said, customer: Customer, envelope: Envelope, batch: Batch) -> tuple[str, Struct]:
    emission = said.emission
    batch.tally["kairos_stage_changes", emission.rule, emission.to, _yes(said.retracted)] += 1
    return topics.STAGES, StageChange(
        *envelope,
        emission.id,
        emission.rule,
        emission.origin,
        emission.to,
        view.cause(emission.message_id, emission.deadline),
        None if emission.dwell is None else emission.dwell / instants.SECOND,
        _retracts(said),
    )


def _segment(said: Said, customer: Customer, envelope: Envelope, batch: Batch) -> tuple[str, Struct]:
    emission = said.emission
    entered = emission.to == "entered"
    batch.tally["kairos_segment_changes", emission.rule, _yes(entered), _yes(said.retracted)] += 1
    return topics.SEGMENTS, SegmentChange(
        *envelope,
        emission.id,
        emission.rule,
        entered,
        emission.purpose,
        emission.text,
        view.cause(emission.message_id, emission.deadline),
        _retracts(said),
    )


def _moment(said: Said, customer: Customer, envelope: Envelope, batch: Batch) -> tuple[str, Struct]:
    emission = said.emission
    status: Status = "retracted" if said.retracted else guards.status(said.verdict)
    batch.tally["kairos_moments", emission.rule, status, UNREASONED if said.retracted else said.verdict or UNREASONED] += 1
    if status == "fired" and emission.deadline is None and not (batch.clock.replayed or emission.replayed):
        batch.released.append(emission.received_at)
    return topics.MOMENTS, Moment(
        *envelope,
        emission.id,
        emission.rule,
        emission.scope,
        status,
        said.verdict,
        instants.text(emission.expires_at),
        emission.significance,
        None,
        Explanation(emission.rule, emission.values, emission.text, LANGUAGE),
        list(emission.offers),
        emission.action,
        emission.channel,
        None if said.retracted or said.verdict is None else batch.rulebook.limits.get(emission.rule, {}).get(said.verdict),
        _retracts(said),
        reply.token(batch.secret, customer.person.canonical, emission.occurred_at, emission.id) if status == "fired" else None,
    )


_WRITERS: dict[str, Callable[[Said, Customer, Envelope, Batch], tuple[str, Struct]]] = {
    "stage": _stage,
    "segment": _segment,
    "moment": _moment,
}


def _retracts(said: Said) -> str | None:
    return said.emission.id if said.retracted else None


def _yes(holds: bool) -> str:
    return "true" if holds else "false"


def _people(change: Change, published: dict[bytes, Redirect], batch: Batch) -> list[Outgoing]:
    """Merges and splits of one component; only of customers who had been published."""
    send = []
    lasting = [person for person in change.before if person not in change.ended] if change.ended else change.before
    for merge in changes.merges(lasting, change.after):
        known = [canonical for canonical in merge.gone if canonical in published]
        if known:
            send.append(_change("merge", known, [merge.into], published[known[0]].version, change.cause, batch))
    for split in changes.splits(lasting, change.after):
        send.append(_change("split", [split.parted], list(split.into), change.floor + 1, change.cause, batch))
    return send


def _change(
    kind: Literal["merge", "split"], came: list[bytes], into: list[bytes], of_version: int, cause: messages.Cause | None, batch: Batch
) -> Outgoing:
    name = customer_id(into[0] if kind == "merge" else came[0])
    occurred_at, message_id = cause if cause is not None else (batch.clock.now, None)
    value = IdentityChange(
        *_about(name, of_version, occurred_at, [] if message_id is None else [message_id], batch),
        id=f"{name}-{of_version}-{kind}",
        kind=kind,
        from_=[customer_id(canonical) for canonical in came],
        into=[customer_id(canonical) for canonical in into],
        version=of_version,
        message_id=message_id,
    )
    return _record(topics.IDENTITY_CHANGES, name, value, value.id, batch.now)


def _conflict(found: changes.Conflict, batch: Batch) -> Outgoing:
    name = found.customers[0]
    occurred_at = batch.clock.now if found.occurred_at is None else found.occurred_at
    value = IdentityConflict(
        *_about(name, 1, occurred_at, list(found.evidence), batch),
        id=found.id,
        rule=found.rule,
        identifier_type=found.identifier_type,
        customers=list(found.customers),
        version=1,
        command=found.command,
    )
    return _record(topics.IDENTITY_CONFLICTS, name, value, value.id, batch.now)


def _about(name: str, of_version: int, occurred_at: Instant, evidence: list[str], batch: Batch) -> Envelope:
    """The envelope of what identity says of a customer: each id is said once."""
    replayed, occurred = batch.clock.replayed, instants.text(occurred_at)
    return Subject("person", name), name, of_version, 1, batch.reading.owner, replayed, occurred, None, batch.now, batch.rules, evidence
