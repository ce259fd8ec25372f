"""Why a link holds or does not, in words and for a machine.

The rule this module owns: every verdict of streams/identity/explain.py has one sentence, which names the number in the policy that decided it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from streams import instants
from streams.cli import lines
from streams.cli.evidence import Evidence
from streams.identity.component import ends
from streams.identity.explain import Step, Verdict, Why, chains, refusals, walk
from streams.identity.identifiers import customer_id
from streams.identity.policy import IdentifierType, ranked
from streams.instants import Instant
from streams.rows import NodeKey, Person, Touch

INTERACTIONS_TOLD_MAX = 20
"""So many of a link's interactions, the oldest, does JSON name; all are counted."""

WHOSE = {"latest": "goes to whom it was seen with last", "first": "goes to whom it was seen with first", "none": "is nobody's"}


class Seen(NamedTuple):
    """When an identifier was seen: exact where the timeline holds the interactions, else as the links remember it."""

    first: Instant | None
    last: Instant | None


def reason(evidence: Evidence, step: Step) -> str:
    """Why a link holds or was refused: a sentence without its end."""
    return _SENTENCES[step.verdict](evidence, step)


def sighting(evidence: Evidence, step: Step) -> str:
    """`3 interactions: m2 (shop, store) 2026-01-02 09:00 ... m9 (web) 2026-03-01 10:00`."""
    touches = evidence.touches.get(step.left + step.right, [])
    if step.verdict == "bound" and not touches:
        return f"by command, {_when(step.first_seen)}"
    if not touches:
        return f"older interactions, in totals only: {_when(step.first_seen)} to {_when(_last(evidence, step))}"
    if len(touches) == 1:
        return told(touches[0])
    return f"{len(touches):,} interactions: {told(touches[0])} ... {told(touches[-1])}"


def told(touch: Touch) -> str:
    """`m2 (shop, store) 2026-01-02 09:00`: id, source and channel, when."""
    where = ", ".join(dict.fromkeys(lines.clean(part) for part in (touch.source, touch.channel) if part))
    return f"{lines.clean(touch.id)} ({where}) {_when(touch.occurred_at)}"


def seen(evidence: Evidence, key: NodeKey) -> Seen:
    """The first and the last time that an identifier was seen."""
    touches = evidence.named.get(key, [])
    links = [step for step in evidence.judged.steps if key in (step.left, step.right)]
    firsts = [touch.occurred_at for touch in touches] + [step.first_seen for step in links]
    lasts = [touch.occurred_at for touch in touches] + [_last(evidence, step) for step in links]
    return Seen(min(firsts, default=None), max(lasts, default=None))


def identity(evidence: Evidence, person: Person, history: list[dict[str, Any]]) -> dict[str, Any]:
    """A person for a machine: of every identifier the chain from the canonical one, what was refused, and what became of whom."""
    found = chains(evidence.judged, person)
    members = []
    for member in person.members:
        first, last = seen(evidence, member)
        members.append(
            {
                "identifier": evidence.name(member),
                "firstSeen": None if first is None else instants.text(first),
                "lastSeen": None if last is None else instants.text(last),
                "chain": chain(evidence, person.canonical, found.get(member, ())),
            }
        )
    return {
        "canonical": evidence.name(person.canonical),
        "identifiers": members,
        "refused": [link(evidence, *ends_of(step, person), step) for step in refusals(evidence.judged, person)],
        "changes": history,
    }


def ends_of(step: Step, person: Person) -> tuple[NodeKey, NodeKey]:
    """A link's ends, the person's own first."""
    return (step.left, step.right) if step.left in person.members else (step.right, step.left)


def answer(evidence: Evidence, left: NodeKey, right: NodeKey, why: Why) -> dict[str, Any]:
    """Why two identifiers are one person or not, for a machine."""
    return {
        "same": why.same,
        "a": {"identifier": evidence.name(left), "customerId": _customer(evidence, left)},
        "b": {"identifier": evidence.name(right), "customerId": _customer(evidence, right)},
        "keptApartBy": rule(why),
        "chain": chain(evidence, left, why.steps),
        "others": [link(evidence, step.left, step.right, step) for step in why.others],
        "apart": [[evidence.name(end) for end in ends(both)] for both in why.apart],
    }


def rule(why: Why) -> str | None:
    """The rule that keeps two apart: the first on the way that does not let a link hold, `never_seen_together` without a way; None for the same."""
    if why.same:
        return None
    return next((step.verdict for step in why.steps if not step.holds), "cannot_link" if why.apart else "never_seen_together")


def chain(evidence: Evidence, start: NodeKey, steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """A chain of links for a machine, in the direction in which it is walked."""
    keys = walk(start, steps)
    return [link(evidence, came, to, step) for came, to, step in zip(keys, keys[1:], steps, strict=False)]


def link(evidence: Evidence, came: NodeKey, to: NodeKey, step: Step) -> dict[str, Any]:
    """A link for a machine, its oldest interactions among it."""
    touches = evidence.touches.get(step.left + step.right, [])
    return {
        "from": evidence.name(came),
        "to": evidence.name(to),
        "toCustomerId": _customer(evidence, to),
        "verdict": step.verdict,
        "type": step.type,
        "because": reason(evidence, step),
        "firstSeen": instants.text(step.first_seen),
        "lastSeen": instants.text(_last(evidence, step)),
        "interactionsHeld": len(touches),
        "interactions": [
            {"messageId": one.id, "source": one.source, "channel": one.channel, "occurredAt": instants.text(one.occurred_at)}
            for one in touches[:INTERACTIONS_TOLD_MAX]
        ],
    }


def _customer(evidence: Evidence, key: NodeKey) -> str:
    return customer_id(evidence.person(key).canonical)


def _last(evidence: Evidence, step: Step) -> Instant:
    """When a link was seen last: exact where the timeline holds the interactions; a row remembers no more than the hour."""
    return max(step.first_seen, step.last_seen, *(touch.occurred_at for touch in evidence.touches.get(step.left + step.right, ())))


def _when(instant: Instant) -> str:
    return lines.when(instants.text(instant))


def _kind(evidence: Evidence, name: str | None) -> IdentifierType:
    return next(kind for kind in evidence.policy.types if kind.name == name)


def _limit(evidence: Evidence, step: Step) -> str:
    kind = _kind(evidence, step.type)
    members = {member for end in (step.left, step.right) for member in evidence.person(end).members}
    types = ranked(evidence.policy.types)
    both = sorted(lines.clean(evidence.name(member)) for member in members if types[member[0]].name == kind.name)
    window = f" within {kind.window_days} days" if kind.window_days is not None else ""
    return f"limit: a person has at most {kind.limit} {kind.name}{window}; these two would have {', '.join(both)}"


def _forbidden(evidence: Evidence, step: Step) -> str:
    one, other = (set(evidence.person(end).members) for end in (step.left, step.right))
    for both in evidence.judged.apart:
        left, right = ends(both)
        if (left in one and right in other) or (left in other and right in one):
            return f"cannot-link: a command keeps {lines.clean(evidence.name(left))} and {lines.clean(evidence.name(right))} apart"
    return "cannot-link: a command keeps them apart"


def _weak(evidence: Evidence, step: Step) -> str:
    types = ranked(evidence.policy.types)
    thing = next(end for end in (step.right, step.left) if types[end[0]].strength == "weak")
    whose = WHOSE["none" if types[thing[0]].nobodys_if_contested else evidence.policy.contested]
    return f"weak between known: {lines.clean(evidence.name(thing))} was seen with several known people and never joins them; it {whose}"


def _generic(evidence: Evidence, step: Step) -> str:
    kind = _kind(evidence, step.type)
    shared = step.left if step.left in evidence.judged.generic else step.right
    if shared in evidence.marked:
        return f"generic: a command marked {lines.clean(evidence.name(shared))} as shared by many, so it links nobody"
    return f"generic: {lines.clean(evidence.name(shared))} was seen with more than {kind.generic_above} logins or customer numbers, so it links nobody"


def _crowded(evidence: Evidence, step: Step) -> str:
    kind, types = _kind(evidence, step.type), ranked(evidence.policy.types)
    shared = step.left if types[step.right[0]] == kind else step.right
    return f"crowded: {lines.clean(evidence.name(shared))} was seen with more than {kind.neighbours_max} {kind.name}, so it is linked to none of them"


def _shared_login(evidence: Evidence, step: Step) -> str:
    kind = _kind(evidence, step.type)
    return f"shared login: {lines.clean(evidence.name(step.left))} was seen on things of more than {kind.generic_above} others, so none is linked to it"


def _expired(evidence: Evidence, step: Step) -> str:
    kind = _kind(evidence, step.type)
    return f"expired: a {kind.name} links for {kind.expires_hours} hours from its first link, and this was later"


_SENTENCES: dict[Verdict, Callable[[Evidence, Step], str]] = {
    "holds": lambda _evidence, _step: "seen together",
    "bound": lambda _evidence, _step: "a command says that they are one customer's",
    "limit": _limit,
    "cannot_link": _forbidden,
    "weak_between_known": _weak,
    "generic": _generic,
    "expired": _expired,
    "component_frozen": lambda evidence, _: (
        f"frozen: more than {evidence.policy.component_members_max:,} identifiers are linked here, so only the oldest links hold"
    ),
    "crowded": _crowded,
    "shared_login": _shared_login,
    "component_full": lambda evidence, _: (
        f"full: more than {evidence.policy.component_size_max:,} identifiers and links came together here, so nobody else is taken in"
    ),
}
