"""The profile: a customer's state as subscribers see it.

The rule this module owns: it is a function of the row and of who belongs to the person; nothing is remembered for it. Of the identifiers that
the interactions carried it shows those that are held to be this person's.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from schemas import profile as schema
from schemas.output import Cause, Subject
from schemas.profile import Profile
from streams.boundary import Clock
from streams.customer.customers import Customer, Redirect
from streams.customer.reducers import consent
from streams.customer.state import State, balances
from streams.identity.identifiers import Identifier, customer_id, normaliser
from streams.identity.policy import IdentifierType, Policy, ranked
from streams.instants import text
from streams.language import Rulebook
from streams.rows import NodeKey, id_of

EVIDENCE_MAX = 100
"""Of a batch's interactions a profile names the newest."""
EMOTION, IRRITATION = "emotion", "irritation"
"""The names of the two balances that a profile shows, where the journeys declare them."""

_NOBODY = State()

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

_PATHS = (
    ("identifiers", "identifiers"),
    ("traits", "traits"),
    ("consent", "consent"),
    ("journeys", "journeys"),
    ("segments", "segments"),
    ("moments", "moments"),
    ("channels", "channels"),
    ("cases", "openCases"),
    ("accounts", "accounts"),
    ("totals", "totals"),
    ("sources", "freshness"),
)
"""Parts of the state that are kept by name, and where the profile shows them."""
_parts: Callable[[State], tuple[dict[str, object], ...]] = attrgetter(*[field for field, _ in _PATHS])


class Reading(NamedTuple):
    """What all profiles of a policy need: how an identifier is read, the types by rank, and those that a complete profile has."""

    identifier: Callable[[str], tuple[str, str, NodeKey | None]]
    types: tuple[IdentifierType, ...]
    wanted: tuple[str, ...]


def profile(customer: Customer, name: str, changed: list[str], clock: Clock, now: str, reading: Reading, rulebook: Rulebook) -> Profile:
    """A customer's profile as of its row; `changed`: what `changed_by` says."""
    row, state = customer.after, customer.after.state
    identifiers = _identifiers(state, customer, reading)
    held = balances(state, rulebook, row.as_of)
    newest = state.newest
    return Profile(
        subject=Subject(kind="person", id=name),
        customer_id=name,
        customer_version=row.version,
        revision=row.version,
        owner="",
        replayed=clock.replayed or state.replayed,
        occurred_at=text(max(newest[0] if newest is not None else 0, state.drained)),
        received_at=text(state.received_at),
        decided_at=now,
        rule_version=row.rulebook,
        evidence=[touch.id for touch in customer.fresh[-EVIDENCE_MAX:]] or ([newest[1]] if newest is not None else []),
        version=row.version,
        updated_at=now,
        as_of=text(row.as_of),
        known=reading.types[customer.person.canonical[0]].strength == "unique",  # Without one it is a prospect.
        cause=_cause(customer),
        changed=changed,
        identifiers=identifiers,
        traits=_traits(state) if state.traits else {},
        consent=_consent(state) if state.consent else [],
        journeys={
            journey: schema.JourneyPosition(stage=at.stage, since=text(at.since), cause=_entered(id_of(at.by), at.deadline))
            for journey, at in state.journeys.items()
        },
        segments=sorted(state.segments),
        moments=_counts(state.moments.items()),
        channels=_counts(state.channels.items()),
        reach=_reach(state, identifiers),
        open_cases=_open_cases(state) if state.cases else [],
        language=state.language,
        timezone=state.timezone,
        accounts=sorted(state.accounts),
        totals=_totals(state) if state.totals else {},
        emotion=round(held.get(EMOTION, 0.0), 6),
        irritation=round(held.get(IRRITATION, 0.0), 6),
        completeness=_completeness(identifiers, reading.wanted),
        freshness={source: text(last) for source, last in state.sources.items()},
    )


def redirect(gone: Redirect, name: str, clock: Clock, now: str, rulebook: Rulebook) -> Profile:
    """What is left of a customer that is another's now."""
    return Profile(
        subject=Subject(kind="person", id=name),
        customer_id=name,
        customer_version=gone.version,
        revision=gone.version,
        owner="",
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
        cause=Cause(kind="event"),
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


def _identifiers(state: State, customer: Customer, reading: Reading) -> dict[str, list[str]]:
    """By type, sorted; of those that were seen only the person's own."""
    members = customer.person.members
    read = reading.identifier
    own: dict[str, list[str]] = {}
    for seen in state.identifiers:
        kind, value, key = read(seen)
        if key is None or key in members:
            own.setdefault(kind, []).append(value)
    for values in own.values():
        if len(values) > 1:
            values.sort()
    return own


@lru_cache(maxsize=16)
def reading(policy: Policy) -> Reading:
    """The one Reading of a policy; look it up once a batch."""
    normalise = normaliser(policy).normalise

    @lru_cache(maxsize=1 << 16)
    def read(seen: str) -> tuple[str, str, NodeKey | None]:
        """Of an identifier as the state has it: its type, its value, its key (None for a type that has no part in identity)."""
        kind, _, value = seen.partition(":")
        found = normalise(kind, value)
        return kind, value, found.key if isinstance(found, Identifier) else None

    return Reading(read, ranked(policy.types), tuple(kind.name for kind in policy.types if kind.strength != "weak"))


def _traits(state: State) -> dict[str, schema.Trait]:
    return {
        name: schema.Trait(value=held.value, source=held.source, party=held.party, occurred_at=text(held.occurred_at))
        for name, held in state.traits.items()
    }


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
        currency: schema.Totals(
            orders=totals.orders,
            revenue=totals.revenue,
            cancellations=totals.cancellations,
            cancelled=totals.cancelled,
            refunds=totals.refunds,
            refunded=totals.refunded,
        )
        for currency, totals in state.totals.items()
    }


def _completeness(identifiers: dict[str, list[str]], wanted: tuple[str, ...]) -> float:
    """The share of the policy's unique and strong types of identifier that are known of the customer."""
    return round(sum([name in identifiers for name in wanted]) / len(wanted), 2) if wanted else 1.0


def _cause(customer: Customer) -> Cause:
    state = customer.after.state
    if customer.fresh or state.newest is None or state.drained < state.newest[0]:
        newest = customer.fresh[-1].id if customer.fresh else state.newest[1] if state.newest is not None else None
        return Cause(kind="event", message_id=newest)
    return Cause(kind="deadline", deadline=text(state.drained))


def _entered(message_id: str, deadline: int | None) -> Cause:
    return Cause(
        kind="event" if deadline is None else "deadline", message_id=message_id, deadline=None if deadline is None else text(deadline)
    )


def _counts(seen: Iterable[tuple[str, tuple[int, int]]]) -> dict[str, schema.Count]:
    return {name: schema.Count(count=count, last=text(last)) for name, (count, last) in seen}


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


def _reach(state: State, identifiers: dict[str, list[str]]) -> dict[str, schema.Reach]:
    """Denied where any purpose is denied there or everywhere, reachable where one is granted and an identifier leads there, else unknown."""
    if not state.consent:
        return _unasked(tuple(identifiers))
    decided: dict[str, set[str]] = {}
    for name, given in state.consent.items():
        decided.setdefault(name.rpartition("\n")[2], set()).add(consent.in_force(given).state)
    everywhere = decided.get(consent.EVERY_CHANNEL, set())
    reach = {}
    for channel, by in _ways(tuple(identifiers)):
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
    return {channel: schema.Reach(state="unknown", identifier_type=by) for channel, by in _ways(kinds) if by is not None}


def changed_by(customer: Customer) -> list[str]:
    """The paths of the profile that this version changed, by part, sorted; all that it has where it is the first."""
    after = customer.after.state
    before = _NOBODY if customer.before is None else customer.before.state
    changed: list[str] = []
    if before is after:
        return changed
    for now, then, (field, path) in zip(_parts(after), _parts(before), _PATHS, strict=True):
        if now == then:
            continue
        names = [name for name, value in now.items() if then.get(name) != value]
        if len(then) > len(now) - len(names):
            names += [name for name in then if name not in now]
        if len(names) == 1:
            changed.append(f"{path}.{_shown(field, names[0])}")
        else:
            changed += sorted({f"{path}.{_shown(field, name)}" for name in names})
    if after.language != before.language:
        changed.append("language")
    if after.timezone != before.timezone:
        changed.append("timezone")
    return changed


def _shown(field: str, name: str) -> str:
    """The name within a path: an identifier's type, never its value; a consent's purpose."""
    return name.partition(":")[0] if field == "identifiers" else name.rpartition("\n")[0] if field == "consent" else name
