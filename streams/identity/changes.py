"""What became of whom: merges, splits and conflicts, from the people before and after.

The rule this module owns: a change is read off two sets of people, never remembered on the way; a conflict is told once.
"""

from base64 import b32encode
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from schemas.identity_conflict import Rule
from streams.identity.identifiers import canonical, customer_id
from streams.identity.policy import IdentifierType
from streams.identity.resolve import Refused
from streams.instants import Instant
from streams.rows import NodeKey, Person

_CONFLICT_BYTES = 8


class Merge(NamedTuple):
    """Customers that are no more, and the one who has all of theirs (canonical keys, `gone` sorted)."""

    gone: tuple[NodeKey, ...]
    into: NodeKey


class Split(NamedTuple):
    """A customer who turned out to be several: `into` sorted, `parted` itself among them where it lives on (canonical keys)."""

    parted: NodeKey
    into: tuple[NodeKey, ...]


class Conflict(NamedTuple):
    """A link that was refused: its id, the rule, the customers kept apart, the identifiers as type:hash, and since when (None: no instant)."""

    id: str
    rule: Rule
    identifier_type: str
    customers: tuple[str, ...]
    evidence: tuple[str, ...]
    occurred_at: Instant | None
    command: str


REMEDIES: dict[Rule, str] = {
    "limit": "identity link {} --why ...",
    "weak_between_known": "identity link {} --why ...",
    "cannot_link": "identity allow {} --why ...",
    "generic": "identity unmark {} --why ...",
    "shared_login": "identity unmark {} --why ...",
    "crowded": "identity generic {} --why ...",
    "component_frozen": "who {}",
    "component_full": "who {}",
}
"""What a person can do about a conflict: decide otherwise; against a value that is seen with very many, see to it that it links nobody at all; where too
many identifiers hang together, see by which."""


def successors(before: Iterable[Person], after: Iterable[Person]) -> dict[NodeKey, NodeKey]:
    """For every customer of `before` that is not among `after`: the customer that its canonical identifier now belongs to.

    Where that identifier's person holds no touch, it is the customer who has the old one's least fragment.
    """
    living = {person.canonical for person in after}
    home = _home(after)
    gone: dict[NodeKey, NodeKey] = {}
    for person in before:
        if person.canonical not in living:
            into = home.get(person.canonical) or next((home[fragment] for fragment in person.fragments if fragment in home), None)
            if into is not None:
                gone[person.canonical] = into
    return gone


def merges(before: Sequence[Person], after: Sequence[Person]) -> list[Merge]:
    """Who vanished into whom: one Merge for every survivor, by canonical key."""
    if _is_one_and_the_same(before, after):
        return []
    if len(after) == 1:
        (one,) = after
        home = set(one.members)
        vanished = [
            was.canonical for was in before if was.canonical != one.canonical and not home.isdisjoint((was.canonical, *was.fragments))
        ]
        return [Merge(tuple(sorted(vanished)), one.canonical)] if vanished else []
    absorbed: dict[NodeKey, list[NodeKey]] = {}
    parted = {split.parted for split in splits(before, after)}
    for gone, into in successors(before, after).items():
        if gone not in parted:
            absorbed.setdefault(into, []).append(gone)
    return [Merge(tuple(sorted(gone)), into) for into, gone in sorted(absorbed.items())]


def _is_one_and_the_same(before: Sequence[Person], after: Sequence[Person]) -> bool:
    """Whether there is nobody before who could be gone: the quick answer for most changes."""
    return not before or (len(before) == len(after) == 1 and before[0].canonical == after[0].canonical)


def splits(before: Sequence[Person], after: Sequence[Person]) -> list[Split]:
    """Whose fragments are now several customers', by canonical key."""
    if len(after) < 2:
        return []
    home = _home(after)
    found = []
    for person in before:
        into = {home[fragment] for fragment in person.fragments if fragment in home}
        if len(into) > 1:
            found.append(Split(person.canonical, tuple(sorted(into))))
    return sorted(found)


def _home(people: Iterable[Person]) -> dict[NodeKey, NodeKey]:
    return {member: person.canonical for person in people for member in person.members}


def fingerprint(refused: Refused) -> bytes:
    """What tells a conflict from another: its rule and the two identifiers, of who is crowded also with which type (8 bytes)."""
    of_type = refused.type if refused.rule == "crowded" else ""
    return blake2b(refused.rule.encode() + refused.left + refused.right + of_type.encode(), digest_size=_CONFLICT_BYTES).digest()


def conflict(refused: Refused, people: Sequence[Person], types: Sequence[IdentifierType]) -> Conflict:
    """A refused link as it is published; of its identifiers only the hashed keys are told."""
    home = _home(people)
    keys = sorted({refused.left, refused.right})
    return Conflict(
        id=_text(fingerprint(refused)),
        rule=refused.rule,
        identifier_type=refused.type,
        customers=tuple(sorted({customer_id(home[key]) for key in keys})),
        evidence=tuple(named(key, types) for key in keys),
        occurred_at=refused.first_seen,
        command=f"kairos {REMEDIES[refused.rule].format(' '.join(handle(key, types) for key in keys))}",
    )


def named(key: NodeKey, types: Sequence[IdentifierType]) -> str:
    """An identifier as type:hash: its keyed hash, never its value."""
    return f"{types[key[0]].name}:{_text(key)}"


def handle(key: NodeKey, types: Sequence[IdentifierType]) -> str:
    """An identifier as a person may type it who knows its hash only: TYPE:#HASH."""
    return f"{types[key[0]].name}:#{_text(key)}"


def handled(kind: str, written: str, types: Sequence[IdentifierType]) -> NodeKey | None:
    """The key that `handle` wrote, of its type and what follows; None where it is a value as any other."""
    key = canonical(f"c{written[1:].lower()}") if written.startswith("#") else None
    return key if key is not None and key[0] < len(types) and types[key[0]].name == kind else None


def _text(key: bytes) -> str:
    return b32encode(key).decode().rstrip("=").lower()
