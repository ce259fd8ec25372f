"""Components of a size, as they come about: one person with many cookies, or many people who share a thing."""

from __future__ import annotations

from random import Random

from streams.identity.component import Component, witness
from streams.instants import DAY, HOUR
from streams.rows import NodeKey

USER, CRM, EMAIL, LOYALTY, PHONE, DEVICE, COOKIE, CASE, SESSION = range(9)
A_PERSON = (USER, EMAIL, COOKIE, PHONE, CRM, COOKIE, DEVICE, EMAIL, SESSION, SESSION)
"""What people have, by type, the first ones first."""


def key(code: int, number: int) -> NodeKey:
    """A node key that looks like any other."""
    return bytes([code]) + Random(number << 8 | code).randbytes(15)


def one_person(identifiers: int) -> Component:
    """One who comes back with a new browser or session every few days, and logs in on it."""
    mine = [key(code, place) for place, code in enumerate((*A_PERSON, *(SESSION, COOKIE) * identifiers)[:identifiers])]
    component = Component(set())
    first = min(mine)
    for day, other in enumerate(one for one in mine if one != first):
        witness(component, tuple(sorted((first, other))), day * 3 * DAY + HOUR)
    component.members.update(mine)
    return component


def many_people(identifiers: int) -> Component:
    """People of ten identifiers each, of whom each shares a browser with the next."""
    component = Component(set())
    for start in range(0, identifiers, len(A_PERSON)):
        mine = sorted(key(code, start + place) for place, code in enumerate(A_PERSON[: identifiers - start]))
        shared = key(DEVICE, start - len(A_PERSON) + A_PERSON.index(DEVICE)) if start else None
        for day, other in enumerate([*mine[1:], *([shared] if shared is not None else [])]):
            witness(component, tuple(sorted((mine[0], other))), (start + day) * DAY + HOUR)
        component.members.update(mine)
    return component
