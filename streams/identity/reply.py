"""A token that says whose a moment is, to whoever tells what became of it and knows nobody's identifier.

The rule this module owns: a token stands for one customer and one moment, and only Kairos can make one. In it are the key of the customer's canonical
identifier, a keyed hash that is the customer's public id as well, and when the moment occurred: nothing more of anybody.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from streams.identity.policy import Policy
from streams.instants import Instant
from streams.rows import NODE_KEY_BYTES, NodeKey

_INSTANT_BYTES, _SEAL_BYTES = 8, 12
_BYTES = NODE_KEY_BYTES + _INSTANT_BYTES + _SEAL_BYTES
CHARACTERS = _BYTES * 4 // 3
"""36 bytes are 48 characters of base64, none of them padding."""


class Addressee(NamedTuple):
    """Whom a token names: the key of the identifier at which an outcome is anchored; and when the moment occurred (microseconds UTC)."""

    key: NodeKey
    at: Instant


def token(secret: bytes, canonical: NodeKey, at: Instant, moment_id: str) -> str:
    """The token of a moment: of the customer with this canonical identifier, which occurred at `at` (microseconds UTC). URL-safe, 48 characters."""
    said = canonical + at.to_bytes(_INSTANT_BYTES, "big")
    return urlsafe_b64encode(said + _seal(secret, said, moment_id)).decode()


def addressee(policy: Policy, told: str, moment_id: str) -> Addressee | None:
    """Whom a token names; None where Kairos did not make it for this moment, or made it of an identifier of a type that the policy has no more."""
    if len(told) != CHARACTERS or not told.isascii():
        return None
    try:
        read = urlsafe_b64decode(told)
    except ValueError:
        return None
    said, seal = read[:-_SEAL_BYTES], read[-_SEAL_BYTES:]
    if len(read) != _BYTES or not hmac.compare_digest(seal, _seal(policy.secret, said, moment_id)):
        return None
    key = said[:NODE_KEY_BYTES]
    return Addressee(key, int.from_bytes(said[NODE_KEY_BYTES:], "big")) if key[0] < len(policy.types) else None


def _seal(secret: bytes, said: bytes, moment_id: str) -> bytes:
    digest = _keyed(secret).copy()
    digest.update(said + moment_id.encode())
    return digest.digest()


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> blake2b:
    return blake2b(digest_size=_SEAL_BYTES, key=secret, person=b"kairos outcome")
