"""An identifier in its one form, and its key; what is junk never gets one.

The rule this module owns: normalising is idempotent, stateless and the same for all time (a change is a new FORM_VERSION, and new keys).
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple
from unicodedata import category, normalize

import idna
import phonenumbers

from streams.identity.policy import Form, IdentifierType, Policy, ranked
from streams.rows import NODE_KEY_BYTES, NodeKey

FORM_VERSION = 1
VALUE_CHARACTERS_MAX = 1_024
_CACHED_VALUES = 1 << 16

BlockedReason = Literal["junk", "invalid", "too_long", "blocked"]
"""junk: a placeholder; invalid: no value of its type; blocked: the policy names it."""


class Identifier(NamedTuple):
    """A normalised identifier of a type that the policy knows; equal key, equal identifier."""

    type: str
    value: str
    key: NodeKey


class Other(NamedTuple):
    """A value of a type that the policy does not know: kept in the touch, without a part in identity."""

    type: str
    value: str


class Blocked(NamedTuple):
    """A value that identifies nobody, and why."""

    type: str
    reason: BlockedReason


Normalised = Identifier | Other | Blocked

JUNK = frozenset({
    "", "-1", "null", "none", "nan", "undefined", "true", "false", "[object object]", "anonymous", "guest", "id", "email", "distinct_id",
    "not_authenticated", "invalid",
})  # fmt: skip
"""Placeholders, compared in lower case and without quotes around them."""

_QUOTES = "\"'`\u201c\u201d\u2018\u2019 \t"
_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_ASCII_DOMAIN = re.compile(r"(?=.{4,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+")
_TAG_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
_EXAMPLE = re.compile(r"test@.*|.*[@.](example\.(com|net|org)|example|test|invalid|localhost)")


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + other for one in _BASE32 for other in _BASE32]


@lru_cache(_CACHED_VALUES)
def customer_id(canonical: NodeKey) -> str:
    """The public id of the person whose canonical identifier has this key: "c" and 26 letters and digits (base32)."""
    number = int.from_bytes(canonical, "big") << 2
    return "c" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def canonical(customer: str) -> NodeKey | None:
    """The key of the canonical identifier in a customer's public id; None where it is none."""
    letters = customer[1:]
    if len(customer) != 27 or customer[0] != "c" or any(letter not in _BASE32 for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _BASE32.index(letter)
    return (number >> 2).to_bytes(NODE_KEY_BYTES, "big")


def anchor(identifiers: Iterable[Identifier]) -> Identifier:
    """The lowest-ranked identifier of an interaction, where its touch is kept; there must be one."""
    return min(identifiers, key=lambda identifier: identifier.key)


class Normaliser:
    """Reads identifiers under one policy; owns the cache of those it has read (65,536 values)."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.types: dict[str, tuple[int, IdentifierType]] = {}
        """Code and type by name or alias."""
        for code, kind in enumerate(ranked(policy.types)):
            for name in (kind.name, *kind.aliases):
                self.types[name] = (code, kind)
        self._blocking = {kind.name: _blocking(policy, kind) for kind in policy.types}
        self._other = _blocking(policy, None)
        self.trusted = {kind.name: frozenset(kind.trusted_sources) for kind in policy.types if kind.trusted_sources}
        """By type the systems that are believed when they name one; of all others every system is."""
        self.normalise: Callable[[str, str], Normalised] = lru_cache(_CACHED_VALUES)(self._normalise)
        """`normalise(type or alias, value)`: the identifier in its one form, or why it is none."""

    def _normalise(self, kind_name: str, value: str) -> Normalised:
        known = self.types.get(kind_name)
        name = kind_name if known is None else known[1].name
        written = value.strip()
        if len(written) > VALUE_CHARACTERS_MAX:
            return Blocked(name, "too_long")
        if _is_junk(written):
            return Blocked(name, "junk")
        if not written.isprintable() and any(category(character) in ("Cc", "Cs") for character in written):
            return Blocked(name, "invalid")
        if known is None:
            return Blocked(name, "blocked") if self._other(written) else Other(name, written)
        code, kind = known
        formed = FORMS[kind.form](written, self._policy)
        if formed is None:
            return Blocked(name, "invalid")
        if len(formed) > VALUE_CHARACTERS_MAX:
            return Blocked(name, "too_long")
        if (formed != written and _is_junk(formed)) or (kind.form == "email" and _EXAMPLE.fullmatch(formed)):
            return Blocked(name, "junk")
        if self._blocking[name](formed):
            return Blocked(name, "blocked")
        return Identifier(name, formed, _key(self._policy.secret, code, name, formed))


@lru_cache(maxsize=16)
def normaliser(policy: Policy) -> Normaliser:
    """The one Normaliser of a policy; look it up once a batch."""
    return Normaliser(policy)


def keys(policy: Policy, identifiers: Iterable[tuple[str, str]]) -> list[NodeKey]:
    """The keys of identifiers in their one form, as a touch names them; those of types that the policy does not know have none."""
    types = normaliser(policy).types
    return [_key(policy.secret, types[name][0], name, value) for name, value in identifiers if name in types]


def _key(secret: bytes, code: int, name: str, value: str) -> NodeKey:
    digest = _keyed(secret).copy()
    digest.update(f"{name}:{value}".encode())
    return bytes((code,)) + digest.digest()


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> blake2b:
    return blake2b(digest_size=NODE_KEY_BYTES - 1, key=secret)


def _is_junk(value: str) -> bool:
    bare = value.strip(_QUOTES).lower()
    return bare in JUNK or not bare.strip("0-")


def _blocking(policy: Policy, kind: IdentifierType | None) -> Callable[[str], bool]:
    values = frozenset(value.strip().lower() for value in (*policy.blocked_values, *(kind.blocked_values if kind else ())))
    patterns = [re.compile(pattern) for pattern in (*policy.blocked_patterns, *(kind.blocked_patterns if kind else ()))]
    if not patterns:
        return lambda value: value.lower() in values
    return lambda value: value.lower() in values or any(pattern.search(value) for pattern in patterns)


def _opaque(value: str, policy: Policy) -> str | None:
    return value


def _uuid(value: str, policy: Policy) -> str | None:
    return value.lower() if _UUID.fullmatch(value) else value


def _email(value: str, policy: Policy) -> str | None:
    folded = normalize("NFC", normalize("NFC", value).lower())
    local, at, domain = folded.rpartition("@")
    if not at or not local or "@" in local or folded.split() != [folded]:
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            return None
    if not _ASCII_DOMAIN.fullmatch(domain):
        return None
    if domain in _TAG_DOMAINS:
        # A mark behind a dot that goes composes with the letter before it.
        local = normalize("NFC", local.partition("+")[0].replace(".", ""))
    return f"{local}@{domain}" if local else None


def _phone(value: str, policy: Policy) -> str | None:
    try:
        number = phonenumbers.parse(value, policy.default_region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


FORMS: dict[Form, Callable[[str, Policy], str | None]] = {"opaque": _opaque, "email": _email, "phone": _phone, "uuid": _uuid}
"""How a trimmed value gets its one form; None where it is no value of its type."""
