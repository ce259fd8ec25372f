"""The messages of the identity protocol, keyed by the identifier they address (topic journey.identity.v1).

The rule this module owns: a message says all that its receiver needs; nobody is ever asked. `path` names the nodes that forwarded it.
They are internal and no contract: a new shape gets a new tag.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from streams.rows import NodeKey

Path = tuple[NodeKey, ...]
Cause = tuple[int, str]
"""When the interaction occurred that set something off, and its message id."""


class Audit(Struct, array_like=True, frozen=True, gc=False):
    """Of a command on journey.commands.v1: its id, who gave it, why and when; with it a message asks for a receipt."""

    id: str
    actor: str
    reason: str
    at: int


class Event(Struct, array_like=True, frozen=True, gc=False, tag=1):
    """At the anchor: an interaction with its valid identifiers (the anchor first, each once); `touch` as rows.encode_touch wrote it. An outcome that only
    its moment's token brings to somebody has `occurred_at` of that moment: who was erased since is not who it speaks of."""

    anchor: NodeKey
    ids: tuple[NodeKey, ...]
    uid: bytes
    occurred_at: int
    touch: bytes


class Apply(Struct, array_like=True, frozen=True, gc=False, tag=2):
    """At a root: the interaction joins the fragment of its anchor, and its links the evidence."""

    anchor: NodeKey
    ids: tuple[NodeKey, ...]
    uid: bytes
    occurred_at: int
    touch: bytes
    path: Path


class Union(Struct, array_like=True, frozen=True, gc=False, tag=3):
    """At the greater of two: hook under `low`. `via`: the anchor that saw both, at their first meeting only. `passing`: that one was seen with too many
    like this, so they have met and nothing links them."""

    low: NodeKey
    via: NodeKey | None
    cause: Cause | None
    passing: bool = False


class Absorb(Struct, array_like=True, frozen=True, gc=False, tag=4):
    """At the new root: the component of `child`, encoded and cut into `parts` slices, of which this is the one at `part`. `turn` tells one move of
    that component from another."""

    child: NodeKey
    part: int
    parts: int
    body: bytes
    path: Path
    turn: int = 0


class Return(Struct, array_like=True, frozen=True, gc=False, tag=14):
    """At a node that hooked under a component that was full, whose root is `child`: be a root again. The body is the one that came with its ABSORB,
    in slices as there; empty for one that had nothing."""

    child: NodeKey
    part: int
    parts: int
    body: bytes
    turn: int = 0


class Closed(Struct, array_like=True, frozen=True, gc=False, tag=15):
    """At an identifier of a component that is full: nothing new links it. `erased`: until when it was as somebody's own, and the order, if it was: the
    FORGET that says so may come later."""

    erased: tuple[int, int] | None = None


class Gone(Struct, array_like=True, frozen=True, gc=False, tag=16):
    """At a root above one that was sent back: what waits here for it goes on to it, for it will not come. `turn`: of the move that was undone."""

    identifier: NodeKey
    path: Path
    turn: int = 0


class Refused(Struct, array_like=True, frozen=True, gc=False, tag=18):
    """At one that a component which is full is not linked with, then at its root: whom its interactions name may have been on the way here through that
    one, and is told, so that an erasure of theirs is heard of."""

    path: Path


class SetHome(Struct, array_like=True, frozen=True, gc=False, tag=5):
    """At an absorbed member: a shorter way up."""

    home: NodeKey


class Generic(Struct, array_like=True, frozen=True, gc=False, tag=6):
    """At a root: this identifier is shared by too many and links nobody, or (not `marked`) it links. `own`: the root is its own, not of one that was
    seen with it. With an audit somebody says so, at the identifier first. The greatest `order` holds; below COMMANDED_MIN: it was counted, nobody said it."""

    identifier: NodeKey
    own: bool
    path: Path
    audit: Audit | None = None
    marked: bool = True
    order: int = 0


class Crowded(Struct, array_like=True, frozen=True, gc=False, tag=13):
    """At a root: this identifier was seen with more of a type (by its code) than one links, so nothing links them. `own`: as for GENERIC."""

    identifier: NodeKey
    code: int
    own: bool
    path: Path


class Cannot(Struct, array_like=True, frozen=True, gc=False, tag=7):
    """At a root, sent to both ends of a pair: keep them apart, or no longer. The greatest `order` holds; of two that are equal, the one that
    keeps apart."""

    pair: tuple[NodeKey, NodeKey]
    apart: bool
    order: int
    path: Path
    audit: Audit | None = None


class Bind(Struct, array_like=True, frozen=True, gc=False, tag=11):
    """At a root, sent to both ends of a pair: they are one person's, until a later CANNOT about them. The greatest `order` holds. `end`: the one of them
    that it was sent to, which belongs from then on, whether anybody has seen it or not."""

    pair: tuple[NodeKey, NodeKey]
    order: int
    path: Path
    audit: Audit | None = None
    end: NodeKey | None = None


class Ask(Struct, array_like=True, frozen=True, gc=False, tag=12):
    """At a root: who holds the identifier is told in a receipt, and nothing changes."""

    identifier: NodeKey
    path: Path
    audit: Audit


class Erase(Struct, array_like=True, frozen=True, gc=False, tag=9):
    """At a root: forget the person who holds the identifier, up to the instant `at`. `order`: the command's; of what was erased by it or by
    a later one nothing more is."""

    identifier: NodeKey
    at: int
    order: int
    path: Path
    audit: Audit | None = None


class Forget(Struct, array_like=True, frozen=True, gc=False, tag=10):
    """At an identifier that was erased, then at its root: what occurred up to `until` is void where it is anchored there, or (`own`) names it. `met`: to
    somebody who named it and is not linked to it."""

    identifier: NodeKey
    until: int
    order: int
    own: bool
    path: Path
    met: bool = False


class Time(Struct, array_like=True, frozen=True, gc=False, tag=8):
    """To every partition: under the replay clock, the least timestamp still to come on intake partition `source` (microseconds)."""

    source: int
    time: int


class Sweep(Struct, array_like=True, frozen=True, gc=False, tag=17):
    """To a partition by itself, at any node of it: go on judging anew what it holds (sweep.py); of a `turn` that is over it says nothing."""

    turn: int


ORDERS_PER_MICROSECOND = 1 << 11
"""The order of a command: the instant at which it was given times this, and below it what tells commands of one microsecond apart."""

COMMANDED_MIN = 1 << 32
"""The least order of a command; lesser ones say how often a new policy has let what was counted as shared link again (counts.py)."""

GO_ON = Time(0xFFFFFFFF, 0)
"""What a partition tells itself to go on with the deadlines that are due; it says no time."""

Message = (
    Event
    | Apply
    | Union
    | Absorb
    | Return
    | Closed
    | Gone
    | Refused
    | SetHome
    | Generic
    | Crowded
    | Cannot
    | Bind
    | Ask
    | Erase
    | Forget
    | Time
    | Sweep
)

encode: Callable[[Message], bytes] = msgspec.msgpack.Encoder().encode
decode: Callable[[bytes], Message] = msgspec.msgpack.Decoder(Message).decode
"""Read a message; msgspec.DecodeError or ValidationError where it is none."""
