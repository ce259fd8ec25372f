"""Where identifiers hide: which field of an interaction, of traits and of context holds one of which type.

The rule this module owns: an account is never an identifier of a person, and a group's traits are the group's, not the person's.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter

from schemas.interaction import NAME_CHARACTERS_MAX
from streams.intake.envelope import Envelope

FIELDS: Mapping[str, str] = {
    "user_id": "user_id",
    "anonymous_id": "anonymous_id",
    "previous_id": "anonymous_id",  # What a person was known by before an alias: a unique identifier would keep the two apart.
    "case_id": "case_id",
    "session_id": "session_id",
}
"""Fields of the interaction, and the type of what they hold."""

TRAITS: Mapping[str, str] = {
    "email": "email",
    "phone": "phone",
    "crmId": "crm_id",
    "crm_id": "crm_id",
    "loyaltyId": "loyalty_id",
    "loyalty_id": "loyalty_id",
}
"""Names in `traits` and `context.traits`."""

DEVICE: Mapping[str, str] = {"id": "device_id", "advertisingId": "device_id"}
"""Names in `context.device`."""

_VALUES = attrgetter(*FIELDS)
_TYPES = tuple(FIELDS.values())
_IN_CONTEXT = (("traits", TRAITS), ("device", DEVICE))


def identifiers(said: Envelope) -> list[tuple[str, str]]:
    """All that an interaction says of whom it is about: (type or alias, value as sent), in the order of the tables; not yet normalised."""
    said_of = zip(_TYPES, _VALUES(said))  # noqa: B905 - Of one length, and this is the hottest line here.
    found: list[tuple[str, str]] = [(kind, value if type(value) is str else str(value)) for kind, value in said_of if value is not None]
    if said.identifiers:
        for kind, values in said.identifiers.items():
            found += [(kind, value) for value in _each(values)]
    if said.traits and said.type != "group":
        _take(said.traits, TRAITS, found)
    if said.context:
        for name, table in _IN_CONTEXT:
            part = said.context.get(name)
            if part and isinstance(part, dict):
                _take(part, table, found)
    return found


def account(said: Envelope) -> str | None:
    """The account an interaction names: `account`, `groupId` or `context.groupId`."""
    named = said.account if said.account is not None else said.group_id
    if named is None:
        if not said.context:
            return None
        named = next(_each(said.context.get("groupId")), None)
    elif not isinstance(named, str | int):
        named = named.id
    return None if named is None or len(str(named)) > NAME_CHARACTERS_MAX else str(named).strip() or None


def in_context(context: Mapping[str, object], name: str) -> str | None:
    """A text in `context`; None where there is none, or one too long for a name."""
    value = context.get(name)
    return value if isinstance(value, str) and len(value) <= NAME_CHARACTERS_MAX else None


def _take(part: Mapping[str, object], table: Mapping[str, str], found: list[tuple[str, str]]) -> None:
    for name, kind in table.items():
        if name in part:
            value = part[name]
            if isinstance(value, str):
                found.append((kind, value))
            else:
                found += [(kind, each) for each in _each(value)]


def _each(value: object) -> Iterator[str]:
    """The texts and whole numbers in a value, or in a list of them; what else it holds identifies nobody."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, str):
            yield item
        elif isinstance(item, int) and not isinstance(item, bool):
            yield str(item)
