"""What subscribers read of a batch: stage changes, segment changes, moments with their verdicts, profiles, redirects, merges, splits, conflicts.

The rule this module owns: an output repeats what the fold said and adds who it is about, its revision and its verdict. A verdict is judged once,
here: a moment that is past its expiry when it is said is published as expired, so history can be loaded without writing to anyone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from schemas import topics
from schemas.identity_change import IdentityChange
from schemas.identity_conflict import IdentityConflict
from schemas.moment import Explanation, Moment, Status
from schemas.output import Cause, Subject
from schemas.record import cloud_event_headers, encode
from schemas.segment import SegmentChange
from schemas.stage import StageChange
from streams import instants
from streams.boundary import Clock, Outgoing
from streams.customer import view
from streams.customer.customers import Customer, Redirect
from streams.customer.emissions import Said
from streams.identity import changes, messages
from streams.identity.identifiers import customer_id
from streams.identity.policy import Policy, version
from streams.identity.protocol import Advanced, Change
from streams.instants import Instant
from streams.language import Rulebook

LANGUAGE = "en"
"""The language that the rules' sentences are written in."""

Tally = Counter[tuple[str, ...]]


def outputs(
    changed: Sequence[Customer],
    gone: Sequence[Redirect],
    advanced: Advanced,
    clock: Clock,
    before: Instant,
    policy: Policy,
    rulebook: Rulebook,
    tally: Tally,
) -> list[Outgoing]:
    """All records of a batch for subscribers, in the order: who is who, then what each customer's state led to, then its profile.

    `before`: the partition's time when the batch began, by which a replay judges its moments.
    """
    now, rules, reading = instants.text(clock.now), version(policy), view.reading(policy)
    send: list[Outgoing] = []
    published = {redirect.gone: redirect for redirect in gone}
    for change in advanced.changes:
        if change.before is not change.after:
            send += _people(change, published, clock, now, rules)
    send += [_conflict(found, clock, now, rules) for found in advanced.conflicts]
    for customer in changed:
        if customer.refolded or customer.fresh:
            tally["kairos_customers_folded", "refold" if customer.refolded else "incremental"] += 1
        name = customer_id(customer.person.canonical)
        for said in customer.said:
            send.append(_WRITERS[said.emission.kind](said, customer, name, clock, before, now, tally))
        paths = view.changed_by(customer)
        if paths or customer.fresh or customer.said or customer.regrouped:  # A deadline may pass without a trace.
            profile = view.profile(customer, name, paths, clock, now, reading, rulebook)
            send.append(
                _record(topics.PROFILES, name, profile, f"{name}-{profile.version}", now, _trace(customer, profile.cause.message_id))
            )
            tally["kairos_profiles",] += 1
    for redirect in gone:
        name = customer_id(redirect.gone)
        send.append(_record(topics.PROFILES, name, view.redirect(redirect, name, clock, now, rulebook), f"{name}-{redirect.version}", now))
    return send


def _record(topic: str, key: str, value: Struct, event_id: str, now: str, trace: bytes | None = None) -> Outgoing:
    return Outgoing(topic, key.encode(), encode(value), cloud_event_headers(event_id, topic, "kairos", now, trace))


def _trace(customer: Customer, message_id: str | None) -> bytes | None:
    """The trace context that the interaction carried which led to an output, where it came in this batch."""
    for touch in customer.fresh:
        if touch.trace_parent is not None and touch.id == message_id:
            return touch.trace_parent.encode()
    return None


def _envelope(said: Said, customer: Customer, name: str, clock: Clock, now: str) -> dict[str, object]:
    emission = said.emission
    return {
        "subject": Subject(kind="person", id=name),
        "customer_id": name,
        "customer_version": customer.after.version,
        "revision": said.revision,
        "owner": emission.owner,
        "replayed": clock.replayed or emission.replayed,
        "occurred_at": instants.text(emission.occurred_at),
        "received_at": instants.text(emission.received_at),
        "decided_at": now,
        "rule_version": emission.rule_version,
        "evidence": list(emission.evidence),
        "id": emission.id,
        "retracts": emission.id if said.retracted else None,
    }


def cause(message_id: str, deadline: int | None) -> Cause:
    """An interaction, or the deadline that it had set."""
    if deadline is None:
        return Cause(kind="event", message_id=message_id)
    return Cause(kind="deadline", message_id=message_id, deadline=instants.text(deadline))


def _said(topic: str, said: Said, customer: Customer, name: str, value: Struct, now: str) -> Outgoing:
    return _record(topic, name, value, f"{said.emission.id}-{said.revision}", now, _trace(customer, said.emission.message_id))


def _stage(said: Said, customer: Customer, name: str, clock: Clock, before: Instant, now: str, tally: Tally) -> Outgoing:
    emission = said.emission
    value = StageChange(
        **_envelope(said, customer, name, clock, now),  # type: ignore[arg-type]  # The envelope's fields are checked by the golden values.
        journey=emission.rule,
        from_=emission.origin,
        to=emission.to,
        cause=cause(emission.message_id, emission.deadline),
        dwell_seconds=None if emission.dwell is None else emission.dwell / instants.SECOND,
    )
    tally["kairos_stage_changes", emission.rule, emission.to, _yes(said.retracted)] += 1
    return _said(topics.STAGES, said, customer, name, value, now)


def _segment(said: Said, customer: Customer, name: str, clock: Clock, before: Instant, now: str, tally: Tally) -> Outgoing:
    emission = said.emission
    entered = emission.to == "entered"
    value = SegmentChange(
        **_envelope(said, customer, name, clock, now),  # type: ignore[arg-type]  # The envelope's fields are checked by the golden values.
        segment=emission.rule,
        entered=entered,
        purpose=emission.purpose,
        reason=emission.text,
        cause=cause(emission.message_id, emission.deadline),
    )
    tally["kairos_segment_changes", emission.rule, _yes(entered), _yes(said.retracted)] += 1
    return _said(topics.SEGMENTS, said, customer, name, value, now)


def _moment(said: Said, customer: Customer, name: str, clock: Clock, before: Instant, now: str, tally: Tally) -> Outgoing:
    emission = said.emission
    status = _verdict(said, clock, before)
    value = Moment(
        **_envelope(said, customer, name, clock, now),  # type: ignore[arg-type]  # The envelope's fields are checked by the golden values.
        moment=emission.rule,
        scope=emission.scope,
        status=status,
        reason="It expired before it was judged." if status == "expired" else None,
        expires_at=instants.text(emission.expires_at),
        significance=emission.significance,
        rarity=None,
        explanation=Explanation(key=emission.rule, values=emission.values, text=emission.text, language=LANGUAGE),
        offers=list(emission.offers),
        recommended_action=emission.action,
        recommended_channel=emission.channel,
    )
    tally["kairos_moments", emission.rule, status] += 1
    return _said(topics.MOMENTS, said, customer, name, value, now)


_WRITERS = {"stage": _stage, "segment": _segment, "moment": _moment}


def _verdict(said: Said, clock: Clock, before: Instant) -> Status:
    """Judged by the wall clock. In a replay a batch stands for the time that it moved over, so a moment is judged when it comes or, where it comes
    late, by the time at which the batch began."""
    if said.retracted:
        return "retracted"
    judged = max(before, said.emission.occurred_at) if clock.replayed else clock.now
    return "expired" if judged > said.emission.expires_at else "fired"


def _yes(holds: bool) -> str:
    return "true" if holds else "false"


def _people(change: Change, published: dict[bytes, Redirect], clock: Clock, now: str, rules: str) -> list[Outgoing]:
    """Merges and splits of one component; only of customers who had been published."""
    send = []
    for merge in changes.merges(change.before, change.after):
        known = [canonical for canonical in merge.gone if canonical in published]
        if known:
            send.append(_change("merge", known, [merge.into], published[known[0]].version, change.cause, clock, now, rules))
    for split in changes.splits(change.before, change.after):
        send.append(_change("split", [split.parted], list(split.into), change.floor + 1, change.cause, clock, now, rules))
    return send


def _change(
    kind: Literal["merge", "split"],
    came: list[bytes],
    into: list[bytes],
    of_version: int,
    cause: messages.Cause | None,
    clock: Clock,
    now: str,
    rules: str,
) -> Outgoing:
    name = customer_id(into[0] if kind == "merge" else came[0])
    occurred_at, message_id = cause if cause is not None else (clock.now, None)
    value = IdentityChange(
        **_about(name, of_version, clock, occurred_at, now, rules),  # type: ignore[arg-type]  # The envelope's fields are checked by the golden values.
        evidence=[] if message_id is None else [message_id],
        id=f"{name}-{of_version}-{kind}",
        kind=kind,
        from_=[customer_id(canonical) for canonical in came],
        into=[customer_id(canonical) for canonical in into],
        version=of_version,
        message_id=message_id,
    )
    return _record(topics.IDENTITY_CHANGES, name, value, value.id, now)


def _conflict(found: changes.Conflict, clock: Clock, now: str, rules: str) -> Outgoing:
    name = found.customers[0]
    occurred_at = clock.now if found.occurred_at is None else found.occurred_at
    value = IdentityConflict(
        **_about(name, 1, clock, occurred_at, now, rules),  # type: ignore[arg-type]  # The envelope's fields are checked by the golden values.
        evidence=list(found.evidence),
        id=found.id,
        rule=found.rule,
        identifier_type=found.identifier_type,
        customers=list(found.customers),
        version=1,
    )
    return _record(topics.IDENTITY_CONFLICTS, name, value, value.id, now)


def _about(name: str, of_version: int, clock: Clock, occurred_at: Instant, now: str, rules: str) -> dict[str, object]:
    """The envelope of what identity says of a customer: each id is said once."""
    return {
        "subject": Subject(kind="person", id=name),
        "customer_id": name,
        "customer_version": of_version,
        "revision": 1,
        "owner": "",
        "replayed": clock.replayed,
        "occurred_at": instants.text(occurred_at),
        "received_at": None,
        "decided_at": now,
        "rule_version": rules,
    }
