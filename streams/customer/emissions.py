"""What a fold says, and what of it is live: ids from causes, content hashes, revisions, retractions.

The rule this module owns: an id hashes the rule's name, the kind of output, from and to, and the cause; never the customer, the clock or what
merely supports it. So what is said again carries the same id, and of one id the greatest revision holds, be it an emission or a retraction. A
cause is an interaction by its source, its id and its anchor: two people may each have one that its source calls by the same id.
"""

import struct
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

from schemas.moment import Reason, Value
from schemas.output import RETRACTED_EVIDENCE_MAX
from streams.customer.state import State
from streams.instants import Instant
from streams.language.declare import CAP_MAX, Scope
from streams.rows import NodeKey

Kind = Literal["stage", "segment", "moment"]
Verdict = Reason | None
"""Why a moment was not released; None: it was."""


class Emission(Struct, array_like=True, frozen=True, gc=False):
    """One thing a rule says: a stage change, a segment's entry or exit, or a moment.

    It holds since `occurred_at`, by an interaction (`message_id`) or, with `deadline`, by the deadline that this interaction had set. A stage:
    `origin` (None at the start) and `to`. A segment: `to` is "entered" or "left". A moment: `scope`, `expires_at`, `significance`, `values`.
    `text` is the sentence that says why (a stage has none), `purpose` a segment's.
    """

    kind: Kind
    id: str
    rule: str
    rule_version: str
    owner: str
    occurred_at: int
    received_at: int
    message_id: str
    deadline: int | None
    evidence: tuple[str, ...]
    replayed: bool
    origin: str | None = None
    to: str = ""
    dwell: int | None = None
    purpose: str = ""
    scope: Scope = "business_moment"
    expires_at: int = 0
    significance: float = 0.0
    text: str = ""
    values: dict[str, Value] = {}
    offers: tuple[str, ...] = ()
    action: str | None = None
    channel: str | None = None


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + other for one in _BASE32 for other in _BASE32]
_TRIPLES = [one + pair for one in _BASE32 for pair in _PAIRS]
_FIRST = [triple for triple in _TRIPLES for _ in range(2)]  # By 16 bits, the three characters that the first 15 of them are.
_LAST = _TRIPLES * 2  # And those that the last 15 are.
_FORTIES = struct.Struct(">HBHHBHHBH").unpack
_ENCODE_CAUSE = msgspec.json.Encoder().encode


@lru_cache(maxsize=1024)
def _begun(kind: Kind, rule: str, origin: str | None, to: str) -> blake2b:
    return blake2b(_ENCODE_CAUSE((kind, rule, origin, to))[:-1], digest_size=15)


def identify(kind: Kind, rule: str, origin: str | None, to: str, cause: Sequence[str], at_deadline: bool) -> str:
    """The id of an output: 24 characters, base32."""
    said = _begun(kind, rule, origin, to).copy()  # The hash of all six as one JSON array.
    said.update(b",%b,%b]" % (_ENCODE_CAUSE(cause), b"true" if at_deadline else b"false"))
    first, pairs, last = _FIRST, _PAIRS, _LAST
    a, b, c, d, e, f, g, h, i = _FORTIES(said.digest())
    return (
        f"{first[a]}{pairs[(a & 1) << 9 | b << 1 | c >> 15]}{last[c]}"
        f"{first[d]}{pairs[(d & 1) << 9 | e << 1 | f >> 15]}{last[f]}"
        f"{first[g]}{pairs[(g & 1) << 9 | h << 1 | i >> 15]}{last[i]}"
    )


def content(emission: Emission) -> bytes:
    """A hash (8 bytes) of what an output says: all but the rule's version, the time of reception and whether it is replayed. Its id stands for
    what it is made of."""
    said = (
        emission.id,
        emission.owner,
        emission.occurred_at,
        emission.message_id,
        emission.deadline,
        emission.evidence,
        emission.dwell,
        emission.purpose,
        emission.scope,
        emission.expires_at,
        emission.significance,
        emission.text,
        emission.values,
        emission.offers,
        emission.action,
        emission.channel,
    )
    return blake2b(_ENCODE(said), digest_size=8).digest()


Gone = tuple[int, int]
"""Of an output that was taken back: its last revision, and the instant since which it had held."""
NEVER: Gone = (0, 0)
Release = tuple[int, str]
"""When a moment was released, and which: its id, so that one whom two customers remember counts once when they are one."""


class Live(Struct, array_like=True, frozen=True, gc=False):
    """An output that holds: its content's hash, its revision, and itself without its sentence and with the newest of its evidence only (all of it, for
    each output, would be as the square of a timeline), enough to take it back, read when that is asked for. Of what is kept whole, as a stage
    change, the content can be read: no hash of it is kept.

    `customer`: under whose canonical key it was said, where that is another's, whose redirect leads to the one who keeps it.
    """

    content: bytes
    revision: int
    written: msgspec.Raw
    customer: NodeKey = b""

    @property
    def emission(self) -> Emission:
        """The output."""
        return _DECODE_EMISSION(self.written)

    @property
    def hashed(self) -> bytes:
        """Its content's hash, kept or not."""
        return self.content or content(self.emission)


class Kept(Struct, array_like=True, frozen=True, gc=False):
    """The outputs of a customer that hold, by id, and of those that were taken back the last revision and when they had occurred.

    Of moments, hold they or not, the verdicts, and of each name the newest releases, the last one last: guards.py judges, here they go where the outputs go.
    `floor`: the greatest revision of what was taken back and is not remembered any more; what is new begins above it, for it may be one of those.
    """

    live: dict[str, Live] = {}
    gone: dict[str, Gone] = {}
    verdicts: dict[str, Verdict] = {}
    released: dict[str, tuple[Release, ...]] = {}
    floor: int = 0


class Said(Struct, frozen=True, gc=False):
    """An output to publish; a retraction carries what it takes back, as Live keeps it. A moment has a verdict once it is judged."""

    emission: Emission
    revision: int
    retracted: bool
    verdict: Verdict = None


class Amended(Struct, frozen=True, gc=False):
    """What to publish, and what is kept from now on."""

    records: list[Said]
    kept: Kept


class Pool(Struct, frozen=True, gc=False):
    """People who became others: what the old ones kept, whose canonical keys those were, and those of the new.

    `parted`: not every one of the old is wholly one of the new and redirected there (or still called so): a redirect tells no more whose an
    output is.

    `stood`: of each of the old an instant; what it said at it or before it, and nobody says again, stands for good, unless it was set off by one of
    the interactions in `heard`: those that somebody new still folds.
    """

    kepts: Sequence[Kept]
    old: Sequence[NodeKey]
    new: Sequence[NodeKey]
    parted: bool
    stood: Sequence[Instant] = ()
    heard: Set[str] = frozenset()


class Pooled(Struct, frozen=True, gc=False):
    """What to publish, each with the place of the new person it is about, and what each new person keeps."""

    records: list[tuple[int, Said]]
    kept: list[Kept]


NOTHING = Kept()


def amend(kept: Kept, said: Sequence[Emission], complete: bool, base: State | None = None) -> Amended:
    """Publish what is new or says something else; with `complete` (all that a refold says, from `base` on) also take back what is no longer said."""
    records: list[Said] = []
    live, gone, unknown = dict(kept.live), kept.gone, (kept.floor, 0)
    for emission in said:
        held = live.get(emission.id)
        if held is not None and held.hashed == content(emission):
            continue
        revision = 1 + (gone.get(emission.id, unknown)[0] if held is None else held.revision)
        live[emission.id] = _live(emission, revision)
        records.append(Said(emission, revision, False))
    if complete:
        seen = {emission.id for emission in said}
        unsaid = [(held.emission, held.revision + 1) for name, held in kept.live.items() if name not in seen]
        lapsed = unsaid if base is None else [each for each in unsaid if not _said_by(each[0], base)]
        gone = {name: taken for name, taken in gone.items() if name not in live}
        for emission, revision in lapsed:
            del live[emission.id]
            gone[emission.id] = (revision, emission.occurred_at)
            records.append(Said(emission, revision, True))
    elif records and gone:
        gone = {name: taken for name, taken in gone.items() if name not in live}
    return Amended(records, Kept(live, gone, kept.verdicts, kept.released, kept.floor) if records or complete else kept)


def stands_alone(kepts: Sequence[Kept], place: int) -> bool:
    """Whether nobody else keeps, or took back, an id that the one at `place` keeps."""
    live = kepts[place].live.keys()
    return all(live.isdisjoint(kept.live) and live.isdisjoint(kept.gone) for other, kept in enumerate(kepts) if other != place)


def renamed(kept: Kept, old: NodeKey, new: NodeKey) -> Kept:
    """What somebody keeps who was called otherwise, under whose name it was said; a redirect leads from there."""
    live = {name: _under(held, old, new) for name, held in kept.live.items()}
    return Kept(live, kept.gone, kept.verdicts, kept.released, kept.floor)


def amend_pool(pool: Pool, said: Sequence[Sequence[Emission]], standing: Sequence[Kept | None] = ()) -> Pooled:
    """Amend for people who became others: what any of the old kept, against all that each of the new says when folded again.

    Who was folded on from an old one's row says what came since; with it stands what that one kept (`standing`, by its new name; it
    `stands_alone`, and nobody is parted).

    What is said again with the same content publishes nothing, whoever says it, as long as redirects lead from the name under which it was said;
    where people part, what was said under another name is said again. What nobody says any more is taken back in the name of the new person who
    is called so, else of the first. Of an id that several kept, the greatest revision counts. What was taken back is remembered by every new
    person, and so are verdicts and releases.
    """
    held_before, gone = _pooled(pool)
    floor = max([kept.floor for kept in pool.kepts], default=0)
    unknown = (floor, 0)
    records: list[tuple[int, Said]] = []
    people: list[Kept] = []
    spoken: dict[str, Live] = {}
    for person, emissions in enumerate(said):
        base, own = standing[person] if standing else None, pool.new[person]
        live: dict[str, Live] = {} if base is None else dict(base.live)
        spoken.update(live)
        for emission in emissions:
            held = spoken.get(emission.id) or held_before.get(emission.id)
            if held is None or (pool.parted and held.customer != own) or held.hashed != content(emission):
                held = _live(emission, 1 + (gone.get(emission.id, unknown)[0] if held is None else held.revision), own)
                records.append((person, Said(emission, held.revision, False)))
            spoken[emission.id] = held
            live[emission.id] = _under(held, b"", own)
        people.append(Kept(live))
    places = {own: place for place, own in enumerate(pool.new)}
    stands = _stands(pool)
    for name, held in held_before.items():
        if name not in spoken and name not in stands:
            emission, revision = held.emission, held.revision + 1
            gone[name] = (revision, emission.occurred_at)
            records.append((places.get(held.customer, 0), Said(emission, revision, True)))
    remembered = {name: taken for name, taken in gone.items() if name not in spoken}
    verdicts, released = _judged(pool.kepts)
    return Pooled(records, [Kept(kept.live, remembered, verdicts, released, floor) for kept in people])


def _stands(pool: Pool) -> set[str]:
    """The ids of what stands although nobody says it: whose it was has no timeline any more that reaches there."""
    if not any(pool.stood):
        return set()
    kept = [(name, live.emission, until) for kept, until in zip(pool.kepts, pool.stood, strict=True) for name, live in kept.live.items()]
    return {name for name, emission, until in kept if emission.occurred_at <= until and emission.message_id not in pool.heard}


def _said_by(emission: Emission, base: State) -> bool:
    """Whether a fold up to `base` has said it already: by an interaction up to its newest, or by a deadline that had fallen due."""
    if base.newest is None:
        return False
    if emission.deadline is not None:
        return emission.deadline <= base.drained
    return (emission.occurred_at, emission.message_id) <= base.newest[:2]


def _under(held: Live, old: NodeKey, new: NodeKey) -> Live:
    """What one called `old` kept, as one called `new` keeps it."""
    customer = held.customer or old
    if customer == new:
        customer = b""
    return held if customer == held.customer else Live(held.content, held.revision, held.written, customer)


def _outdoes(one: Live, other: Live) -> bool:
    """Of one id that two keep, whether what the one keeps is the later: by its revision, of equal ones by its content's hash."""
    return one.revision > other.revision or (one.revision == other.revision and one.hashed > other.hashed)


def _pooled(pool: Pool) -> tuple[dict[str, Live], dict[str, Gone]]:
    """What any of the old keeps, each with the name under which it was said; an id that one took back later than another said it is gone."""
    live: dict[str, Live] = {}
    gone: dict[str, Gone] = {}
    for kept, own in zip(pool.kepts, pool.old, strict=True):
        for name, held in kept.live.items():
            other = live.get(name)
            if other is None or _outdoes(held, other):
                live[name] = held if held.customer else Live(held.content, held.revision, held.written, own)
        for name, taken in kept.gone.items():
            gone[name] = max(gone.get(name, taken), taken)
    return {name: held for name, held in live.items() if held.revision > gone.get(name, NEVER)[0]}, gone


def newest(releases: Iterable[Release], most: int) -> tuple[Release, ...]:
    """The newest of some releases; of one id the last counts."""
    last = {name: at for at, name in sorted(releases)}
    return tuple(sorted([(at, name) for name, at in last.items()])[-most:])


def _judged(kepts: Sequence[Kept]) -> tuple[dict[str, Verdict], dict[str, tuple[Release, ...]]]:
    """All verdicts (of one id that several judged, a release counts), and of each moment's name the newest releases to any of them."""
    verdicts: dict[str, Verdict] = {}
    released: dict[str, tuple[Release, ...]] = {}
    for kept in kepts:
        for name, verdict in kept.verdicts.items():
            verdicts[name] = verdict if name not in verdicts else verdict and verdicts[name]
        for rule, releases in kept.released.items():
            released[rule] = newest((*released.get(rule, ()), *releases), CAP_MAX)
    return verdicts, released


def _live(emission: Emission, revision: int, customer: NodeKey = b"") -> Live:
    is_whole = not (emission.text or emission.values or len(emission.evidence) > RETRACTED_EVIDENCE_MAX)
    return Live(b"" if is_whole else content(emission), revision, _written(emission), customer)


def _written(emission: Emission) -> msgspec.Raw:
    """An output without its sentence and older evidence; a stage change, which has only the first fields, by those."""
    evidence = emission.evidence[-RETRACTED_EVIDENCE_MAX:]
    if emission.kind != "stage":
        return msgspec.Raw(_ENCODE(msgspec.structs.replace(emission, evidence=evidence, text="", values={})))
    said = (
        emission.kind,
        emission.id,
        emission.rule,
        emission.rule_version,
        emission.owner,
        emission.occurred_at,
        emission.received_at,
        emission.message_id,
        emission.deadline,
        evidence,
        emission.replayed,
        emission.origin,
        emission.to,
        emission.dwell,
    )
    return msgspec.Raw(_ENCODE(said))


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Kept).decode
_DECODE_EMISSION = msgspec.msgpack.Decoder(Emission).decode


def encode(kept: Kept) -> bytes:
    """Write what is kept: equal, equal bytes; nothing for nothing."""
    return _ENCODE(kept) if kept.live or kept.gone or kept.released or kept.floor else b""


def decode(written: bytes) -> Kept:
    """Read what is kept."""
    return _DECODE(written) if written else NOTHING
