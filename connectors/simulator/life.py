"""What a person has done so far, as interactions. The rule this module owns: the truth lists every identifier that an interaction carried."""

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from connectors.simulator import systems
from connectors.simulator.people import Person

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_WIRE_NAMES = {"user_id": "userId", "anonymous_id": "anonymousId", "case_id": "caseId", "session_id": "sessionId"}
"""Identifiers that have a field of their own; the others travel in `identifiers`."""

_KINDS = {name: kind for kind, name in _WIRE_NAMES.items()}
_SPELLINGS: dict[str, Callable[[str], str]] = {"email": str.lower, "phone": lambda number: number.replace(" ", "")}

Who = dict[str, object]
"""The part of an interaction that says who it was."""


def identifiers_of(told: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The identifiers that an interaction carries, by type, each as it reads when all its spellings are one."""
    for name, kind in _KINDS.items():
        if name in told:
            yield kind, str(told[name])
    listed = told.get("identifiers")
    if isinstance(listed, dict):
        for kind, values in listed.items():
            yield from ((kind, _SPELLINGS.get(kind, str)(value)) for value in values)


class Calendar:
    """Instants of the simulated time as text: milliseconds since its start."""

    def __init__(self, start: datetime, days: int) -> None:
        self.start = start.astimezone(UTC)
        self.days = days
        self._days = [(self.start + timedelta(days=day)).strftime("%Y-%m-%dT") for day in range(days + 1)]
        self._minutes = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]

    def text(self, at_ms: int) -> str:
        """RFC 3339 in UTC; the start is midnight."""
        day, in_day = divmod(at_ms, DAY_MS)
        minute, in_minute = divmod(in_day, MINUTE_MS)
        return f"{self._days[day]}{self._minutes[minute]}{in_minute // 1000:02d}.{in_minute % 1000:03d}Z"


class Life:
    """One person's interactions in the making: `now_ms` moves on as they are told, and `told` holds them."""

    def __init__(self, person: Person, chance: random.Random, calendar: Calendar, prefix: str, now_ms: int, budget: int) -> None:
        self.person = person
        self.random = chance.random
        self.now_ms = now_ms
        self.end_ms = calendar.days * DAY_MS - 1
        self.budget = budget
        self.told: list[tuple[int, dict[str, object]]] = []
        self.orders = 0
        self.cases = 0
        self.sessions = 0
        self._text = calendar.text
        self._prefix = prefix
        self._carried: dict[int, Who] = {}

    def who(self, **identifiers: str | None) -> Who:
        """Name the person by these identifiers; those that the person does not have are left out."""
        who: Who = {}
        listed: dict[str, list[str]] = {}
        for kind, value in identifiers.items():
            if value is None:
                continue
            if kind in _WIRE_NAMES:
                who[_WIRE_NAMES[kind]] = value
            else:
                listed[kind] = [self._as_typed(kind, value)]
        if listed:
            who["identifiers"] = listed
        return who

    def tell(
        self, event: str, channel: str, touchpoint: str, who: Who, properties: dict[str, object] | None = None, **fields: object
    ) -> None:
        """Something happens now, and the system that sees it reports it. What would happen after the end of the simulated time does not."""
        if self.now_ms > self.end_ms:
            return
        self._carried[id(who)] = who
        told: dict[str, object] = {
            "messageId": f"{self._prefix}{len(self.told)}",
            "type": "track",
            "event": event,
            "timestamp": self._text(self.now_ms),
            "channel": channel,
            "touchpoint": touchpoint,
            **who,
            **systems.seen(event, channel, self.person.language, self.person.timezone),
            **fields,
        }
        if properties is not None:
            told["properties"] = properties
        self.told.append((self.now_ms, told))

    def identifiers(self) -> dict[str, list[str]]:
        """Every identifier that an interaction carried, as it reads when all its spellings are one; by type, in the order of their first use."""
        found: dict[str, dict[str, None]] = {}
        for who in self._carried.values():
            for kind, value in identifiers_of(who):
                found.setdefault(kind, {})[value] = None
        return {kind: list(values) for kind, values in sorted(found.items())}

    def retell(self) -> None:
        """What was told has been changed: the identifiers are those that it carries now."""
        self._carried = {number: told for number, (_, told) in enumerate(self.told)}

    def wait(self, least_ms: int, most_ms: int) -> None:
        """Time passes, evenly between the two."""
        self.now_ms += least_ms + int(self.random() * (most_ms - least_ms))

    def pick(self, count: int) -> int:
        """One of 0 .. count - 1."""
        return int(self.random() * count)

    def _as_typed(self, kind: str, value: str) -> str:
        """People write one address in several ways."""
        if kind == "email" and self.random() < 0.05:
            return value.title()
        if kind == "phone" and self.random() < 0.2:
            return f"{value[:3]} {value[3:7]} {value[7:]}"
        return value
