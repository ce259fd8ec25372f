"""The verdict on a moment: whether it may be released, and if not, why.

The rule this module owns: a verdict is a fact, judged once for an id, when the moment is first said. It follows its trigger through merges and
splits; a retraction takes none back; neither the order law nor the digest knows of it. Cool-downs and caps count releases.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.moment import Reason, Status
from streams.boundary import Clock
from streams.customer import emissions
from streams.customer.customers import Customer
from streams.customer.emissions import Emission, Kept, Release, Said, Verdict
from streams.instants import Duration, Instant
from streams.language import Cap
from streams.rows import NodeKey


class Court(NamedTuple):
    """By what verdicts are judged: the clock, the partition's time when the batch began, and the moments' cool-downs and caps by name."""

    clock: Clock
    before: Instant
    cool_downs: Mapping[str, Duration]
    caps: Mapping[str, Cap] = {}

    def time(self, emission: Emission) -> Instant:
        """When a moment is judged: now. In a replay a batch stands for the time that it moved over, so a moment is judged when it comes or,
        where it comes late, by the time at which the batch began."""
        return max(self.before, emission.occurred_at) if self.clock.replayed else self.clock.now

    def remembered(self, rule: str) -> int:
        """Of how many releases of a moment the guards have to know."""
        cap = self.caps.get(rule)
        return 1 if cap is None else cap.number


Releases = Sequence[Release]
Guard = Callable[[Emission, Instant, Releases, Court], bool]
"""Whether a moment is held back at an instant, by the newest releases of its name (the last one last) and the court's limits."""


def _expired(emission: Emission, now: Instant, releases: Releases, court: Court) -> bool:
    return now > emission.expires_at


def _cooling(emission: Emission, now: Instant, releases: Releases, court: Court) -> bool:
    cool_down = court.cool_downs.get(emission.rule)
    return cool_down is not None and bool(releases) and now - releases[-1][0] < cool_down


def _capped(emission: Emission, now: Instant, releases: Releases, court: Court) -> bool:
    cap = court.caps.get(emission.rule)
    return cap is not None and sum([now - at < cap.within for at, _ in releases]) >= cap.number


GUARDS: Mapping[Reason, Guard] = {
    "expired": _expired,
    "cool_down": _cooling,
    "cap": _capped,
}
"""In this order; the first that holds a moment back is the reason."""


def judged(changed: Sequence[Customer], court: Court) -> list[Customer]:
    """The customers with a verdict on each of their moments that were said."""
    verdicts: dict[NodeKey, dict[str, Verdict]] = {}
    customers = [_judged(customer, court, verdicts) if _has_moment(customer.said) else customer for customer in changed]
    if verdicts:  # Of people who parted, two may hold what one of them says.
        customers = [_told(customer, verdicts[customer.root]) if _heard(customer, verdicts) else customer for customer in customers]
    return customers


def passed(said: Sequence[Said], kept: Kept, court: Court, known: dict[str, Verdict]) -> tuple[list[Said], Kept]:
    """What is said of one customer, with verdicts, and what it keeps with them; a retraction has the verdict on what it takes back. `known`: verdicts of
    this batch by id; those judged here are added."""
    verdicts, released = dict(kept.verdicts), dict(kept.released)
    records: list[Said] = []
    for one in said:
        emission = one.emission
        if emission.kind == "moment" and one.retracted:
            one = replace(one, verdict=verdicts.get(emission.id, known.get(emission.id)))
        elif emission.kind == "moment":
            name = emission.id
            if name not in verdicts and name in known:
                verdicts[name] = known[name]
            elif name not in verdicts:
                now, before = court.time(emission), released.get(emission.rule, ())
                verdicts[name] = known[name] = _verdict(emission, now, before, court)
                if verdicts[name] is None:
                    released[emission.rule] = emissions.newest((*before, (now, name)), court.remembered(emission.rule))
            one = replace(one, verdict=verdicts[name])
        records.append(one)
    return records, replace(kept, verdicts=verdicts, released=released)


def status(verdict: Verdict) -> Status:
    """What a moment with this verdict is published as."""
    return "fired" if verdict is None else "expired" if verdict == "expired" else "suppressed"


def counted(kept: Kept) -> dict[str, dict[str, int]]:
    """Of a customer's moments that hold, by name: how many of each status."""
    found: dict[str, dict[str, int]] = {}
    for name, live in kept.live.items():
        if name in kept.verdicts:
            of = found.setdefault(live.emission.rule, {})
            shown = status(kept.verdicts[name])
            of[shown] = of.get(shown, 0) + 1
    return found


def _verdict(emission: Emission, now: Instant, releases: Releases, court: Court) -> Verdict:
    return next((reason for reason, holds_back in GUARDS.items() if holds_back(emission, now, releases, court)), None)


def _has_moment(said: Sequence[Said]) -> bool:
    return bool(said) and "moment" in [one.emission.kind for one in said]


def _judged(customer: Customer, court: Court, verdicts: dict[NodeKey, dict[str, Verdict]]) -> Customer:
    known = verdicts.setdefault(customer.root, {})
    said, kept = passed(customer.said, emissions.decode(customer.after.kept), court, known)
    return replace(customer, said=said, after=replace(customer.after, kept=emissions.encode(kept)))


def _heard(customer: Customer, verdicts: Mapping[NodeKey, Mapping[str, Verdict]]) -> bool:
    return customer.regrouped and customer.root in verdicts


def _told(customer: Customer, known: Mapping[str, Verdict]) -> Customer:
    kept = emissions.decode(customer.after.kept)
    new = {name: verdict for name, verdict in known.items() if name in kept.live and name not in kept.verdicts}
    if not new:
        return customer
    return replace(customer, after=replace(customer.after, kept=emissions.encode(replace(kept, verdicts={**kept.verdicts, **new}))))
