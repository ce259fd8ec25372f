"""The profile: a customer's state as subscribers see it.

The rule this module owns: it is a function of the row and of who belongs to the person; nothing is remembered for it. Of the identifiers that
the interactions carried it shows those that are held to be this person's.
"""

from collections.abc import Callable, Container
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from schemas import profile as schema
from schemas.output import Cause, Subject
from schemas.profile import Profile
from streams.boundary import Clock
from streams.customer import changed
from streams.customer.changed import EMOTION, IRRITATION, Means
from streams.customer.customers import Customer, Redirect
from streams.customer.reducers import consent
from streams.customer.state import Position, Seen, State
from streams.identity.identifiers import Identifier, customer_id, keys, normaliser
from streams.identity.policy import IdentifierType, Policy, ranked
from streams.instants import text
from streams.language import Rulebook
from streams.language.operators.crossings import decayed
from streams.rows import NodeKey, Person, Touch, id_of

EVIDENCE_MAX = 100
"""Of a batch's interactions a profile names the newest."""

FEW = 8
"""So many keys are searched one by one as fast as in a set."""

REACHED_BY = {
    "email": ("email",),
    "sms": ("phone",),
    "voice": ("phone",),
    "push": ("device_id",),
    "mobile": ("device_id",),
    "web": ("user_id", "anonymous_id"),
    "mail": ("crm_id", "loyalty_id"),
}
"""By which types of identifier a customer is reached on a channel, best first."""


_ids: Callable[[Touch], str] = attrgetter("id")


class Reading(NamedTuple):
    """What all profiles of a policy need: how an identifier is read, the types by rank, how complete a profile is with identifiers of some types,
    and who answers for it."""

    identifier: Callable[[str], tuple[str, str, NodeKey | None]]
    types: tuple[IdentifierType, ...]
    completeness: Callable[[tuple[str, ...]], float]
    owner: str


def profile(
    customer: Customer, subject: Subject, paths: list[str], clock: Clock, now: str, reading: Reading, rulebook: Rulebook
) -> Profile:
    """A customer's profile as of its row; `paths`: what `changed.of_state` says; what else changed is added."""
    row, state = customer.after, customer.after.state
    identifiers = _identifiers(state, customer.person.members, reading)
    kinds = tuple(identifiers)
    reach = _reach(state, kinds) if state.consent else _unasked(kinds)
    known = reading.types[customer.person.canonical[0]].strength == "unique"  # Without one it is a prospect.
    completeness = reading.completeness(kinds)
    emotion, irritation = balance(state, rulebook, EMOTION, row.as_of), balance(state, rulebook, IRRITATION, row.as_of)
    before = customer.before
    if before is None:
        paths += changed.of_first(kinds, tuple(reach), known, completeness > 0, emotion != 0, irritation != 0)
    else:
        paths += changed.of_balances(before, row, rulebook)
        if changed.has_other_means(before, customer):
            then = _means(before.state, customer.was or customer.person, reading)
            paths += changed.of_means(Means(identifiers, reach, completeness), then)
    newest = state.newest
    return Profile(  # By position, in the order of the schema: to name the fields would cost more than to fill them.
        subject,
        subject.id,
        row.version,
        row.version,
        reading.owner,
        clock.replayed or state.replayed,
        text(max(newest[0] if newest is not None else 0, state.drained)),
        text(state.received_at),
        now,
        row.rulebook,
        list(map(_ids, customer.fresh[-EVIDENCE_MAX:])) or ([newest[1]] if newest is not None else []),
        row.version,
        now,
        text(row.as_of),
        known,
        _cause(customer),
        paths,
        identifiers,
        _traits(state) if state.traits else {},
        _consent(state) if state.consent else [],
        _journeys(state.journeys),
        sorted(state.segments) if state.segments else [],
        _counts(state.moments) if state.moments else {},
        _counts(state.channels),
        reach,
        _open_cases(state) if state.cases else [],
        state.language,
        state.timezone,
        sorted(state.accounts) if state.accounts else [],
        _totals(state) if state.totals else {},
        emotion,
        irritation,
        completeness,
        {source: text(last) for source, last in state.sources.items()},
        None,
        state.interactions,
    )


def cause(message_id: str | None, deadline: int | None) -> Cause:
    """An interaction, or the deadline that it had set."""
    return Cause("event", message_id) if deadline is None else Cause("deadline", message_id, text(deadline))


def redirect(
    gone: Redirect, subject: Subject, message_id: str | None, clock: Clock, now: str, reading: Reading, rulebook: Rulebook
) -> Profile:
    """What is left of a customer that is another's now; `message_id`: the interaction that merged the two, where it is known."""
    return Profile(
        subject=subject,
        customer_id=subject.id,
        customer_version=gone.version,
        revision=gone.version,
        owner=reading.owner,
        replayed=clock.replayed,
        occurred_at=now,
        received_at=None,
        decided_at=now,
        rule_version=rulebook.version,
        evidence=[],
        version=gone.version,
        updated_at=now,
        as_of=now,
        known=False,
        cause=Cause("event", message_id),
        changed=["mergedInto"],
        identifiers={},
        traits={},
        consent=[],
        journeys={},
        segments=[],
        moments={},
        channels={},
        reach={},
        open_cases=[],
        language=None,
        timezone=None,
        accounts=[],
        totals={},
        emotion=0.0,
        irritation=0.0,
        completeness=0.0,
        freshness={},
        merged_into=customer_id(gone.into),
    )


def _means(state: State, person: Person, reading: Reading) -> Means:
    """By what a customer was known and reached."""
    identifiers = _identifiers(state, person.members, reading)
    kinds = tuple(identifiers)
    return Means(identifiers, _reach(state, kinds), reading.completeness(kinds))


def _identifiers(state: State, members: tuple[NodeKey, ...], reading: Reading) -> dict[str, list[str]]:
    """By type, sorted; of those that were seen only the person's own."""
    own_keys: Container[NodeKey] = members if len(members) <= FEW else frozenset(members)
    read = reading.identifier
    own: dict[str, list[str]] = {}
    several = False
    for seen in state.identifiers:
        kind, value, key = read(seen)
        if key is None or key in own_keys:
            if kind in own:
                own[kind].append(value)
                several = True
            else:
                own[kind] = [value]
    if several:
        for values in own.values():
            values.sort()
    return own


@lru_cache(maxsize=16)
def reading(policy: Policy) -> Reading:
    """The one Reading of a policy; look it up once a batch."""
    reader = normaliser(policy)
    slow = frozenset(name for name, (_, kind) in reader.types.items() if kind.form == "phone")

    @lru_cache(maxsize=1 << 16)
    def read(seen: str) -> tuple[str, str, NodeKey | None]:
        """Of an identifier as the state has it, in its one form: its type, its value, its key (None for a type that has no part in identity). A phone
        number, which takes 60 us, is not read again."""
        kind, _, value = seen.partition(":")
        if kind in slow:
            return kind, value, keys(policy, [(kind, value)])[0]
        found = reader.normalise(kind, value)
        return kind, value, found.key if isinstance(found, Identifier) else None

    wanted = [kind.name for kind in policy.types if kind.strength != "weak"]

    @lru_cache(maxsize=1 << 12)
    def completeness(kinds: tuple[str, ...]) -> float:
        """The share of the policy's unique and strong types of identifier that are known of the customer."""
        return round(sum(name in kinds for name in wanted) / len(wanted), 2) if wanted else 1.0

    return Reading(read, ranked(policy.types), completeness, policy.owner)


def _traits(state: State) -> dict[str, schema.Trait]:
    return {name: schema.Trait(held.value, held.source, held.party, text(held.occurred_at)) for name, held in state.traits.items()}


def _open_cases(state: State) -> list[schema.Case]:
    return [
        schema.Case(
            id=case_id,
            topic=case.topic,
            opened_at=text(case.opened_at),
            updated_at=text(case.updated_at),
            channels=list(case.channels),
            owner=case.owner,
        )
        for case_id, case in sorted(state.cases.items())
        if case.solved_at is None
    ]


def _totals(state: State) -> dict[str, schema.Totals]:
    return {
        currency: schema.Totals(of.orders, of.revenue, of.cancellations, of.cancelled, of.refunds, of.refunded)
        for currency, of in state.totals.items()
    }


def _cause(customer: Customer) -> Cause:
    state = customer.after.state
    if customer.fresh or state.newest is None or state.drained < state.newest[0]:
        newest = customer.fresh[-1].id if customer.fresh else state.newest[1] if state.newest is not None else None
        return Cause("event", newest)
    return Cause("deadline", _setter(customer), text(state.drained))


def _setter(customer: Customer) -> str | None:
    """The interaction that set the last deadline, by what was said at it, else by where it led; None where it led to neither."""
    state = customer.after.state
    for said in customer.said:
        if said.emission.deadline == state.drained and not said.retracted:
            return said.emission.message_id
    for position in state.journeys.values():
        if position.deadline == state.drained:
            return id_of(position.by)
    return None


def _journeys(positions: dict[str, Position]) -> dict[str, schema.JourneyPosition]:
    shown = {}
    for name, at in positions.items():
        shown[name] = schema.JourneyPosition(at.stage, text(at.since), cause(id_of(at.by), at.deadline))
    return shown


def _counts(seen: dict[str, Seen]) -> dict[str, schema.Count]:
    shown = {}
    for name, (count, last) in seen.items():
        shown[name] = schema.Count(count, text(last))
    return shown


def balance(state: State, rulebook: Rulebook, name: str, at: int) -> float:
    """What an account that decays holds at an instant, to six decimals."""
    held = rulebook.balances.get(name)
    left = decayed(state.memory[held[0]], held[1], at) if held is not None else 0.0
    return round(left, 6) if left else 0.0


def _consent(state: State) -> list[schema.Consent]:
    shown = []
    for name, given in sorted(state.consent.items()):
        purpose, _, channel = name.rpartition("\n")
        counts = consent.in_force(given)
        shown.append(
            schema.Consent(
                purpose=purpose,
                channel=channel,
                state="denied" if counts.state == "denied" else "granted",
                basis=counts.basis,
                since=text(counts.since),
            )
        )
    return shown


def _reach(state: State, kinds: tuple[str, ...]) -> dict[str, schema.Reach]:
    """Denied where any purpose is denied there or everywhere, reachable where one is granted and an identifier leads there, else unknown."""
    if not state.consent:
        return _unasked(kinds)
    decided: dict[str, set[str]] = {}
    for name, given in state.consent.items():
        decided.setdefault(name.rpartition("\n")[2], set()).add(consent.in_force(given).state)
    everywhere = decided.get(consent.EVERY_CHANNEL, set())
    reach = {}
    for channel, by in _ways(kinds):
        said = decided.get(channel, set()) | everywhere
        if by is None and not said:
            continue
        if "denied" in said:
            reach[channel] = schema.Reach(state="denied", identifier_type=by)
        elif "granted" in said and by is not None:
            reach[channel] = schema.Reach(state="reachable", identifier_type=by)
        else:
            reach[channel] = schema.Reach(state="unknown", identifier_type=by)
    return reach


@lru_cache(maxsize=4096)
def _ways(kinds: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    """Of each channel the best type of identifier that leads there, if any does."""
    return tuple((channel, next((kind for kind in best if kind in kinds), None)) for channel, best in REACHED_BY.items())


@lru_cache(maxsize=4096)
def _unasked(kinds: tuple[str, ...]) -> dict[str, schema.Reach]:
    """The reach of who was never asked for consent; shared, not to be changed."""
    return {channel: schema.Reach("unknown", by) for channel, by in _ways(kinds) if by is not None}
