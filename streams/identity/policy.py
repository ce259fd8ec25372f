"""The shape of an identity policy: which identifiers there are, how far each is trusted, and what is junk.

The rule this module owns: a policy that can be constructed is sound. What is wrong raises PolicyError, which names the field.
A new policy is a new value; keys depend on the secret and on the order of the types.
"""

import re
from base64 import b32encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec
import phonenumbers
from msgspec import Struct

from streams.instants import DAY, HOUR, Duration

Strength = Literal["unique", "strong", "weak"]
"""unique: one person's alone; strong: rarely shared; weak: belongs to a thing that people share, and never joins two known people."""
Form = Literal["opaque", "email", "phone", "uuid"]
"""How a value is brought into its one form; uuid: lower case where it is a UUID, else opaque."""
Contested = Literal["latest", "first", "none"]
"""To whom a weak identifier goes that was seen with several known people: the latest, the first, nobody."""

_STRENGTHS: tuple[Strength, ...] = ("unique", "strong", "weak")
_FORMS: tuple[Form, ...] = ("opaque", "email", "phone", "uuid")
_CONTESTED: tuple[Contested, ...] = ("latest", "first", "none")
SECRET_BYTES_MAX = 64
COMPONENT_MEMBERS_MAX = 1_000
"""So many identifiers that never expire may be linked; above that, later links are not followed (resolve.py)."""
COMPONENT_SIZE_MAX = 10_000
"""So many identifiers, links and marks may one component have; above that it takes in nobody (full.py): its row stays below 4 MiB."""
_SIZE_LIMIT = 12_000
NEIGHBOURS_MAX = 250
"""So many of a type that never expires does an identifier link, unless the policy says otherwise."""
NEIGHBOURS_LIMIT = 4_000
"""The greatest number that a policy may set: a node's row holds as many beginnings of keys."""
_TYPES_MAX = 255


class PolicyError(ValueError):
    """What is wrong with a policy: begins with the field's path."""


class IdentifierType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A type of identifier: a person has at most `limit` of those seen within `window_days`; it links for `expires_hours`; None: no end.

    `neighbours_max`: an identifier that was seen with more distinct ones of this type is linked to none of them, for good: that bounds every row.
    `nobodys_if_contested`: a weak one that several known people used belongs to none of them, whatever the policy says of the others.
    `trusted_sources`: the systems that are believed when they name one; what others say stays in the interaction, but is no identifier. None named: all are.
    """

    name: str
    strength: Strength
    priority: int
    form: Form = "opaque"
    limit: int | None = None
    window_days: int | None = None
    generic_above: int = 3
    neighbours_max: int = NEIGHBOURS_MAX
    expires_hours: int | None = None
    aliases: tuple[str, ...] = ()
    blocked_values: tuple[str, ...] = ()
    blocked_patterns: tuple[str, ...] = ()
    trusted_sources: tuple[str, ...] = ()
    nobodys_if_contested: bool = False

    @property
    def window(self) -> Duration | None:
        return None if self.window_days is None else self.window_days * DAY

    @property
    def expires(self) -> Duration | None:
        return None if self.expires_hours is None else self.expires_hours * HOUR


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How identifiers are read, keyed, linked; `blocked_*` hold for all types; `default_region` (ISO 3166) for phones without a country.

    `owner` answers for who is held to be one: profiles, redirects, identity changes and conflicts carry it.
    """

    secret: bytes
    types: tuple[IdentifierType, ...]
    owner: str = ""
    contested: Contested = "latest"
    default_region: str | None = None
    blocked_values: tuple[str, ...] = ()
    blocked_patterns: tuple[str, ...] = ()
    component_members_max: int = COMPONENT_MEMBERS_MAX
    component_size_max: int = COMPONENT_SIZE_MAX

    def __post_init__(self) -> None:
        _check_shape(self, "")
        _check(1 <= len(self.secret) <= SECRET_BYTES_MAX, "secret", f"1 to {SECRET_BYTES_MAX} bytes")
        _check(1 <= len(self.types) <= _TYPES_MAX, "types", f"1 to {_TYPES_MAX} types")
        _check(self.contested in _CONTESTED, "contested", f"one of {', '.join(_CONTESTED)}")
        region = self.default_region
        known = region is None or region in phonenumbers.SUPPORTED_REGIONS
        _check(known, "default_region", "two capital letters (ISO 3166) of a region that has telephone numbers")
        _check(self.component_members_max >= 2, "component_members_max", "at least 2")
        _check(2 <= self.component_size_max <= _SIZE_LIMIT, "component_size_max", f"2 to {_SIZE_LIMIT:,}")
        _check_blocked(self.blocked_values, self.blocked_patterns, "")
        names: set[str] = set()
        for kind in self.types:
            _check_type(kind)
            for name in (kind.name, *kind.aliases):
                _check(name not in names, f"types.{kind.name}", f"the name {name} is taken")
                names.add(name)
        strengths = [_STRENGTHS.index(kind.strength) for kind in ranked(self.types)]
        _check(strengths == sorted(strengths), "types", "by priority, unique types come before strong ones, strong ones before weak ones")


def read(said: Mapping[str, object], secret: bytes) -> Policy:
    """A policy that was written as data, without its secret; PolicyError where it is none."""
    if "secret" in said:
        raise PolicyError("secret: it comes from the settings, and is not to be written beside a policy")
    written = {**said, "secret": secret}
    try:
        return msgspec.convert(written, Policy)
    except msgspec.ValidationError as wrong:
        raise PolicyError(_path(str(wrong), said)) from wrong


@lru_cache(maxsize=16)
def ranked(types: tuple[IdentifierType, ...]) -> tuple[IdentifierType, ...]:
    """The types by (priority, name): a type's place is the first byte of its identifiers' keys."""
    return tuple(sorted(types, key=lambda kind: (kind.priority, kind.name)))


@lru_cache(maxsize=16)
def version(policy: Policy) -> str:
    """16 characters that stand for what the policy says, the secret aside: the rule version of what identity publishes."""
    said = msgspec.json.encode(msgspec.structs.replace(policy, secret=b"-"))
    return b32encode(blake2b(said, digest_size=10).digest()).decode().lower()


def _check_type(kind: IdentifierType) -> None:
    path = f"types.{kind.name}"
    _check(bool(kind.name) and kind.name.isascii(), "types.name", "a name in ASCII")
    _check_shape(kind, f"{path}.")
    _check(all(alias and alias.isascii() for alias in kind.aliases), f"{path}.aliases", "names in ASCII")
    _check(kind.strength in _STRENGTHS, f"{path}.strength", f"one of {', '.join(_STRENGTHS)}")
    _check(kind.form in _FORMS, f"{path}.form", f"one of {', '.join(_FORMS)}")
    _check(kind.priority >= 0, f"{path}.priority", "at least 0")
    _check(kind.limit is None or kind.limit >= 1, f"{path}.limit", "at least 1, or none")
    _check(kind.window_days is None or kind.window_days >= 1, f"{path}.window_days", "at least 1, or none")
    _check(kind.window_days is None or kind.limit is not None, f"{path}.window_days", "a window needs a limit")
    _check(kind.generic_above >= 1, f"{path}.generic_above", "at least 1")
    _check(1 <= kind.neighbours_max <= NEIGHBOURS_LIMIT, f"{path}.neighbours_max", f"1 to {NEIGHBOURS_LIMIT:,}")
    _check(kind.expires_hours is None or kind.expires_hours >= 1, f"{path}.expires_hours", "at least 1, or none")
    _check(kind.expires_hours is None or kind.strength == "weak", f"{path}.expires_hours", "only a weak identifier expires")
    _check(not kind.nobodys_if_contested or kind.strength == "weak", f"{path}.nobodys_if_contested", "only a weak identifier is contested")
    _check_blocked(kind.blocked_values, kind.blocked_patterns, f"{path}.")
    _check(all(name.strip() for name in kind.trusted_sources), f"{path}.trusted_sources", "names of systems, none of them empty")


def _check_shape(part: "IdentifierType | Policy", path: str) -> None:
    """Whether every field has its type; what was read from a file has, what Python wrote may not."""
    for field in msgspec.structs.fields(part):
        if field.name in _LATER:
            continue
        value = getattr(part, field.name)
        try:
            fits = msgspec.convert(value, field.type) == value
        except msgspec.ValidationError as wrong:
            raise PolicyError(f"{path}{field.name}: {wrong}") from wrong
        _check(fits, f"{path}{field.name}", "a tuple")


_LATER = frozenset({"types", "strength", "form", "contested"})
"""Fields whose own checks say more than their types do."""


def _check_blocked(values: tuple[str, ...], patterns: tuple[str, ...], path: str) -> None:
    _check(all(value.strip() for value in values), f"{path}blocked_values", "an empty value is blocked anyway")
    for pattern in patterns:
        try:
            found = re.compile(pattern)
        except re.error as wrong:
            raise PolicyError(f"{path}blocked_patterns: {pattern!r} is no regular expression: {wrong}") from wrong
        _check(not (found.search("") and found.search("x7")), f"{path}blocked_patterns", f"{pattern!r} blocks every value")


def _path(wrong: str, said: Mapping[str, object]) -> str:
    """msgspec's `what - at $.types[2].limit` with the field first, and the type by its name."""
    what, _, where = wrong.partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    place = re.match(r"types\[(\d+)\]", where)
    types = said.get("types")
    if place and isinstance(types, list | tuple):
        one = types[int(place[1])]
        name = one.get("name") if isinstance(one, dict) else None
        where = f"types.{name or place[1]}{where[place.end() :]}"
    field = re.fullmatch(r"Object (contains unknown|missing required) field `(\w+)`", what)
    if field:
        what = "is unknown" if field[1].endswith("unknown") else "is missing"
        where = f"{where}.{field[2]}".lstrip(".")
    return f"{where}: {what}" if where else what


def _check(holds: bool, path: str, expected: str) -> None:
    if not holds:
        raise PolicyError(f"{path}: {expected}")
