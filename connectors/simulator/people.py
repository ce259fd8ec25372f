"""Who lives in the simulated world: households, their people, and every identifier these will ever use.

The rule this module owns: a household depends on the seed and its number alone, so that people are made one household at a time.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

VISITOR, CUSTOMER = "visitor", "customer"
_VISITORS = 0.35
_FIRST_NAMES = ("ada", "ben", "cleo", "dina", "emil", "fay", "gus", "hana", "ivo", "jana", "kai", "lea", "milo", "nora", "otto", "pia")
_LAST_NAMES = ("adler", "brook", "castle", "dale", "ember", "field", "grove", "hill", "inman", "jarvis", "kerr", "lind", "marsh", "north")
_MAIL_DOMAINS = ("post.simulated-people.net", "mail.simulated-folk.org", "box.simulated-minds.net")
_COUNTRIES = ("DE", "AT", "CH", "FR", "NL", "IT")
_SPOKEN = {"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "NL": "nl", "IT": "it"}
_TIMEZONES = {
    "DE": "Europe/Berlin",
    "AT": "Europe/Vienna",
    "CH": "Europe/Zurich",
    "FR": "Europe/Paris",
    "NL": "Europe/Amsterdam",
    "IT": "Europe/Rome",
}
_ONE_SPEAKS_ENGLISH_OF = 9
_HOUSEHOLD_PHONE = 0.15
_ACCOUNT_PEOPLE = 8


class Household(NamedTuple):
    """People under one roof; those of a shared one have a tablet in common, and now and then a telephone."""

    number: int
    size: int
    cookie: str
    device: str
    phone: str | None


class Person(Struct):
    """One person: identifiers are there from the start, but an interaction carries only those that its touchpoint sees."""

    number: int
    kind: str
    household: Household
    first_name: str
    country: str
    language: str
    timezone: str
    cookies: list[str]
    device: str | None
    user_id: str | None
    crm_id: str | None
    emails: list[str]
    phone: str | None
    loyalty_id: str | None
    appliance: str | None
    account: str | None
    is_unlucky: bool
    temper: float


def households(people: int, seed: int, share: float) -> Iterator[Household]:
    """Households of so many people in all; `share` of the people live with others."""
    number, housed = 0, 0
    while housed < people:
        chance = _chance(seed, 2 * number)
        # Shared ones hold three on average, so fewer of them than `share` are drawn.
        size = 2 + int(chance.random() * 3) if chance.random() < share / (3 - 2 * share) else 1
        size = min(size, people - housed)
        phone = phone_number(seed, people + number) if size > 1 and chance.random() < _HOUSEHOLD_PHONE else None
        yield Household(number, size, _token(chance, "h"), _uuid(chance), phone)
        housed += size
        number += 1


def person(number: int, seed: int, household: Household, accounts: float) -> tuple[Person, random.Random]:
    """A person and the chance that drives the person's life."""
    chance = _chance(seed, 2 * number + 1)
    happens = chance.random
    kind = VISITOR if happens() < _VISITORS else CUSTOMER
    is_customer = kind == CUSTOMER
    first, last = _FIRST_NAMES[int(happens() * 16)], _LAST_NAMES[int(happens() * 14)]
    emails = [f"{first}.{last}{number}@{_MAIL_DOMAINS[number % 3]}"]
    if is_customer and happens() < 0.1:
        emails.append(f"{first[0]}{last}.{number}@{_MAIL_DOMAINS[(number + 1) % 3]}")
    country = _COUNTRIES[int(happens() * 6)]
    return Person(
        number=number,
        kind=kind,
        household=household,
        first_name=first.capitalize(),
        country=country,
        language="en" if number % _ONE_SPEAKS_ENGLISH_OF == 0 else _SPOKEN[country],
        timezone=_TIMEZONES[country],
        cookies=[_token(chance, "c") for _ in range(1 + (happens() < 0.7) + (happens() < 0.25))],
        device=_uuid(chance) if happens() < 0.45 else None,
        user_id=f"u{seed}-{number}" if is_customer and happens() < 0.85 else None,
        crm_id=f"{1000 + seed % 1000}{number:08d}" if is_customer and happens() < 0.6 else None,
        emails=emails,
        phone=household.phone or (phone_number(seed, number) if is_customer and happens() < 0.7 else None),
        loyalty_id=f"L{seed % 1000:03d}{number:09d}" if is_customer and happens() < 0.4 else None,
        appliance=f"appliance-{seed}-{number}" if is_customer and happens() < 0.25 else None,
        account=f"account-{seed}-{number // _ACCOUNT_PEOPLE}" if is_customer and happens() < accounts else None,
        is_unlucky=happens() < 0.15,
        temper=happens(),
    ), chance


def _chance(seed: int, stream: int) -> random.Random:
    """Every household's and every person's own: streams of one seed, and seeds, are independent, whole numbers of any size and sign."""
    return random.Random((abs(seed) << 65) | ((seed < 0) << 64) | stream)


def _token(chance: random.Random, prefix: str) -> str:
    return f"{prefix}{chance.getrandbits(80):020x}"


def _uuid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def phone_number(seed: int, number: int) -> str:
    """A British mobile number in E.164: each number of a run another one."""
    return f"+4474{(number * 7919 + seed) % 100_000_000:08d}"
