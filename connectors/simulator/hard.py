"""What makes it hard to say who is who: CASES, each of which rewrites what some people's interactions say of them.

The rule this module owns: a case only changes identifiers, after the life was lived, and owns every chance that it takes; so who is in no case is
the same to the byte, and each interaction that a case has touched is known. A person is in one case at most: the first that draws and fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, cast

from connectors.simulator import people
from connectors.simulator.life import DAY_MS, Life
from connectors.simulator.people import Person

TABLETS = 10
"""So many tablets lie about in the stores, each in the hands of many."""
CONTACTS = 60
"""So many people in a row may act for one large account."""
SESSIONS, TICKETS = 500, 300
"""After so many a source begins to count anew."""
JUNK_EMAILS = (
    "none@none.com",
    "noemail@noemail.com",
    "kunde@kunde.de",
    "asdf@asdf.com",
    "na@na.de",
    "test@shop.de",
    "bitte.nachtragen@shop.de",
)
JUNK_USER_IDS = ("undefined", "n/a", "unknown", "guest", "not set", "[object Object]", "0", "web form")
"""What broken forms and tags send where nobody said anything."""

_PHONE_OF_CALL_CENTRE = 50_000_000
_PHONES_AFTERWARDS = 60_000_000
_PHONES_OF_ACCOUNTS = 70_000_000
"""Where in the row of numbers these begin: beyond what people and homes have."""

_PART_BYTES = 7

Told = dict[str, Any]


class Case(NamedTuple):
    """Whom a draw takes together (None: each alone), who may be in it, and what it does to a life."""

    group: Callable[[Person], int] | None
    fits: Callable[[Person], bool]
    play: Callable[[Scene], None]


class Scene:
    """A life that a case rewrites: `messages` are the ids of the interactions that it has touched."""

    def __init__(self, life: Life, seed: int, group: int) -> None:
        self.person = life.person
        self.told = cast(list[tuple[int, Told]], life.told)
        self.seed = seed
        self.group = group
        self.turn_ms = int((0.35 + 0.3 * draw(seed, "turn", group)) * (life.end_ms + 1) / DAY_MS) * DAY_MS
        """When things change, for the whole group."""
        self.messages: list[str] = []

    def draw(self, *what: object) -> float:
        """From 0 up to 1, for this person and this matter."""
        return draw(self.seed, self.person.number, *what)

    def phone(self, place: int) -> str:
        """A number of this run."""
        return people.phone_number(self.seed, place)

    def give(self, told: Told, kind: str, value: str) -> None:
        """Let an interaction carry this identifier in place of the ones of its type that it carried."""
        field = _FIELDS.get(kind)
        if field is not None:
            told[field] = value
        else:
            told["identifiers"] = {**told.get("identifiers", {}), kind: [value]}
        if kind in told.get("traits", {}):
            told["traits"] = {**told["traits"], kind: value}
        if not self.messages or self.messages[-1] != told["messageId"]:
            self.messages.append(told["messageId"])


@lru_cache(maxsize=256)
def draw(seed: int, *what: object) -> float:
    """From 0 up to 1, decided by what is asked alone."""
    return _part(blake2b(repr((seed, *what)).encode(), digest_size=_PART_BYTES).digest(), 0)


def shares(said: Mapping[str, float]) -> dict[str, float]:
    """The share of every case out of those that were said; what is said of `""` is divided among all that have none of their own."""
    unknown = sorted(set(said) - set(CASES) - {""})
    if unknown:
        raise ValueError(f"there is no hard case {unknown[0]!r}; there are {', '.join(CASES)}")
    evenly = said.get("", 0.0) / len(CASES)
    found = {name: said.get(name, evenly) for name in CASES}
    return found if any(found.values()) else {}


def rewrite(life: Life, seed: int, wanted: Mapping[str, float]) -> tuple[str, list[str]] | None:
    """Let a person be a hard case, as chance will: the case, and the ids of the interactions that it has touched."""
    person = life.person
    own = blake2b(b"%d/%d" % (seed, person.number), digest_size=_PART_BYTES * len(CASES)).digest()
    for place, (name, case) in enumerate(CASES.items()):
        group = person.number if case.group is None else case.group(person)
        drawn = _part(own, place) if case.group is None else draw(seed, name, group)
        if drawn < wanted[name] and case.fits(person):
            scene = Scene(life, seed, group)
            case.play(scene)
            life.retell()
            return name, scene.messages
    return None


def _part(digest: bytes, place: int) -> float:
    begin = place * _PART_BYTES
    return int.from_bytes(digest[begin : begin + _PART_BYTES], "big") / (1 << 8 * _PART_BYTES)


def _carries(told: Told, kind: str) -> bool:
    field = _FIELDS.get(kind)
    return field in told if field is not None else kind in told.get("identifiers", {})


def _family_email(scene: Scene) -> None:
    """A home reads one mailbox, and its people register with that."""
    for _, told in scene.told:
        if _carries(told, "email"):
            scene.give(told, "email", f"family{scene.group}@home.simulated-people.net")


def _call_centre(scene: Scene) -> None:
    """Calls come through a call centre that sends its own number along."""
    for _, told in scene.told:
        if told["channel"] == "voice" and _carries(told, "phone"):
            scene.give(told, "phone", scene.phone(_PHONE_OF_CALL_CENTRE))


def _recycled_phone(scene: Scene) -> None:
    """A number is given up, and given to somebody else: the first of two has another from then on, the second has the first one's."""
    gives_up = scene.person.number % 2 == 0
    afterwards = _PHONES_AFTERWARDS + scene.person.number if gives_up else scene.person.number - 1
    for at_ms, told in scene.told:
        if _carries(told, "phone"):
            if at_ms >= scene.turn_ms:
                scene.give(told, "phone", scene.phone(afterwards))
            elif gives_up:
                scene.messages.append(told["messageId"])


def _shop_tablet(scene: Scene) -> None:
    """What happens in a store is seen by the store's tablet, and some log in on it."""
    tablet = int(scene.draw("tablet") * TABLETS)
    for _, told in scene.told:
        if told["channel"] == "store":
            scene.give(told, "device_id", f"tablet-{scene.seed}-{tablet}")
        elif _carries(told, "session_id") and scene.draw(told["sessionId"]) < 0.3:
            scene.give(told, "anonymous_id", f"tablet-{scene.seed}-{tablet}")


def _junk(scene: Scene) -> None:
    """Forms send a placeholder for an address, tags one for a user."""
    for _, told in scene.told:
        chance = scene.draw(told["messageId"])
        if told["event"] in ("Lead Captured", "Case Opened", "Survey Answered") and _carries(told, "email"):
            scene.give(told, "email", JUNK_EMAILS[int(chance * len(JUNK_EMAILS))])
        elif told["event"] in ("Page Viewed", "Product Viewed") and not _carries(told, "user_id") and chance < 0.3:
            scene.give(told, "user_id", JUNK_USER_IDS[int(chance / 0.3 * len(JUNK_USER_IDS))])


def _two_accounts(scene: Scene) -> None:
    """The login was forgotten, so there is a second one."""
    for at_ms, told in scene.told:
        if _carries(told, "user_id"):
            if at_ms >= scene.turn_ms:
                scene.give(told, "user_id", f"{told['userId']}-again")
            else:
                scene.messages.append(told["messageId"])


def _typo_email(scene: Scene) -> None:
    """An address is mistyped now and then: mostly into one that nobody has, of every tenth person into the neighbour's."""
    person = scene.person
    local, _, domain = person.emails[0].partition("@")
    wrong = f"{local[0]}{local[2]}{local[1]}{local[3:]}@{domain}"
    if person.number % 10 == 9:
        wrong = people.person(person.number - 1, scene.seed, person.household, 0.0)[0].emails[0]
    for _, told in scene.told:
        if _carries(told, "email") and scene.draw(told["messageId"]) < 0.3:
            scene.give(told, "email", wrong)


def _reused_ids(scene: Scene) -> None:
    """A source counts its sessions and its tickets, and begins anew before long."""
    for _, told in scene.told:
        if _carries(told, "session_id"):
            scene.give(told, "session_id", f"s-{int(scene.draw(told['sessionId']) * SESSIONS)}")
        if _carries(told, "case_id"):
            scene.give(told, "case_id", f"case-{int(scene.draw(told['caseId']) * TICKETS)}")


def _account(scene: Scene) -> None:
    """Many act for one company: calls come through its switchboard, much of the mail goes to its office."""
    name = f"account-{scene.seed}-large-{scene.group}"
    scene.person.account = name
    for _, told in scene.told:
        if _carries(told, "user_id"):
            told["account"] = {"id": name}
        if _carries(told, "phone"):
            scene.give(told, "phone", scene.phone(_PHONES_OF_ACCOUNTS + scene.group))
        if _carries(told, "email") and told["event"] != "Identify" and scene.draw(told["messageId"]) < 0.5:
            scene.give(told, "email", f"office@company{scene.group}.simulated-trade.net")


_FIELDS = {"user_id": "userId", "anonymous_id": "anonymousId", "case_id": "caseId", "session_id": "sessionId"}


CASES: dict[str, Case] = {
    "account": Case(lambda person: person.number // CONTACTS, lambda person: person.kind == people.CUSTOMER, _account),
    "family_email": Case(lambda person: person.household.number, lambda person: person.household.size > 1, _family_email),
    "recycled_phone": Case(
        lambda person: person.number // 2, lambda person: person.phone is not None and person.household.phone is None, _recycled_phone
    ),
    "call_centre": Case(None, lambda person: person.phone is not None, _call_centre),
    "shop_tablet": Case(None, lambda person: person.kind == people.CUSTOMER, _shop_tablet),
    "junk": Case(None, lambda person: True, _junk),
    "two_accounts": Case(None, lambda person: person.user_id is not None, _two_accounts),
    "typo_email": Case(None, lambda person: person.kind == people.CUSTOMER, _typo_email),
    "reused_ids": Case(None, lambda person: True, _reused_ids),
}
"""Each case by its name; people who are drawn together come first."""
