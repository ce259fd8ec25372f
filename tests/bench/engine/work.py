"""The reference work: fold an interaction into its customer's state, say something at every tenth.

The rule this module owns: every system does this and no more, with the same fields decoded and the same bytes kept; the one in Java does it word for word.
It needs msgspec only, since the peers import it in environments of their own.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

OUTPUT_EVERY = 10
RECENT_MAX = 10
_DIGESTS = 1 << 128


class Interaction(msgspec.Struct, frozen=True, gc=False):
    """What the work needs of an interaction of some 400 bytes; all else in it is passed over."""

    messageId: str  # noqa: N815 - The wire's own name.
    timestamp: str
    channel: str
    event: str


class State(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A customer: how many interactions, how many by channel, when the last and the first, and the last ten; some 400 bytes of msgpack,
    600 from the tenth on."""

    n: int
    channels: dict[str, int]
    last: str
    first: str
    recent: tuple[tuple[str, str, str], ...]


read = msgspec.json.Decoder(Interaction).decode
unpack = msgspec.msgpack.Decoder(State).decode
pack = msgspec.msgpack.Encoder().encode


def fold(state: State | None, interaction: Interaction) -> State:
    """The state after the interaction; the one before is left as it was."""
    one = (interaction.messageId, interaction.event, interaction.timestamp)
    if state is None:
        return State(1, {interaction.channel: 1}, interaction.timestamp, interaction.timestamp, (one,))
    channels = {**state.channels, interaction.channel: state.channels.get(interaction.channel, 0) + 1}
    return State(state.n + 1, channels, interaction.timestamp, state.first, (*state.recent[1 - RECENT_MAX :], one))


def output(state: State, every: int = OUTPUT_EVERY) -> bytes | None:
    """What is said of the state: at every tenth interaction its number and id, else nothing."""
    return None if state.n % every else b'{"stage":%d,"messageId":"%s"}' % (state.n, state.recent[-1][0].encode())


class Answer(msgspec.Struct, frozen=True):
    """What the work leads to: numbers, and digests that do not depend on the order of customers."""

    outputs: int
    outputs_digest: str
    customers: int
    states_digest: str


class Sum:
    """Digests of keys and values added up: equal for equal multisets."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, key: bytes, value: bytes) -> None:
        """One more."""
        self.count += 1
        self._sum = (self._sum + int.from_bytes(blake2b(key + b"\0" + value, digest_size=16).digest(), "big")) % _DIGESTS

    @property
    def digest(self) -> str:
        """In hex."""
        return f"{self._sum:032x}"


def canonical(state: State) -> bytes:
    """The state in the one encoding that is compared: channels by name."""
    return pack(State(state.n, dict(sorted(state.channels.items())), state.last, state.first, state.recent))
