"""A hash over states: equal for equal states, whatever the partitions, workers and order of arrival.

The rule this module owns: what is hashed is all that a fold of the timeline remembers (also accumulators, deadlines, stages, membership), and
nothing of when it was received, decided or published.
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec.structs import replace

from streams.customer.state import State, encode_state

DIGEST_BYTES = 16


def canonical(state: State) -> bytes:
    """The bytes that stand for a state: keys sorted, without its times of reception."""
    return encode_state(replace(state, received_at=0, replayed=False))


def of_customer(customer_id: str, state: State) -> int:
    """One customer's part of the digest."""
    return int.from_bytes(blake2b(customer_id.encode() + b"\0" + canonical(state), digest_size=DIGEST_BYTES).digest(), "big")


def combined(parts: Iterable[int]) -> str:
    """The digest of all customers, from their parts in any order, or from the sums of disjoint groups."""
    return (sum(parts) % (1 << 8 * DIGEST_BYTES)).to_bytes(DIGEST_BYTES, "big").hex()
