"""What a shadow says that the live application does not, and the other way round, and why.

The rule this module owns: two sides are compared by what the order law promises. Verdicts, times of reception and decision, versions and revisions stand
outside of it; a difference is told with every reason that there is for it, and where there is none, with that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from streams import instants
from streams.replay.plan import Plan, changed
from streams.replay.sides import Side, Value
from streams.rows import NODE_KEY_BYTES

Kind = Literal["person", "stage", "segment", "moment"]
KINDS: tuple[Kind, ...] = ("person", "stage", "segment", "moment")
Change = Literal["added", "removed", "changed"]
CHANGES: tuple[Change, ...] = ("added", "removed", "changed")
Reason = Literal["rule", "policy", "late_data", "unexplained"]

REASONS: Mapping[Reason, str] = {
    "rule": "The rule, or one that it looks at, means something else in the shadow.",
    "policy": "The identity policy is another, and the customer's evidence is joined otherwise under it.",
    "late_data": "Only one side has all that it rests on: it came after the frozen vector, lies outside the scope, was mended, or is compacted away.",
    "unexplained": "Rules, policy and interactions are the same. It should not be: please look at it.",
}
"""Why something differs."""

OUTSIDE_THE_LAW = frozenset(
    {
        "status",
        "reason",
        "limit",
        "decidedAt",
        "receivedAt",
        "customerVersion",
        "revision",
        "customerId",
        "subject",
        "replayed",
        "ruleVersion",
        "outcomeToken",
    }
)
OF_THE_PUBLICATION = OUTSIDE_THE_LAW | {"version", "updatedAt", "occurredAt", "asOf", "cause", "changed", "evidence"}
"""What a profile says of the batch that it was published in."""
DECAYING = frozenset({"emotion", "irritation"})
"""What a profile says as of that batch's time."""
_RULES = {"stage": "journey", "segment": "segment", "moment": "moment"}
"""By what is said, the kind of rule that says it: also the field that names it."""


class Difference(Struct, kw_only=True, rename="camel"):
    """One thing that is other: about whom (an id of the live side, where there is one), which rule (of a person: none), what each side says of it.

    `fields` names what differs where both say something; `others`: of a person whom the one side does not know, who holds the evidence there.
    """

    kind: Kind
    change: Change
    customer: str
    rule: str | None
    id: str
    fields: list[str]
    live: Value | None
    shadow: Value | None
    others: list[str]
    why: list[Reason]


class Found(Struct, kw_only=True, rename="camel"):
    """All differences, sorted; of each kind how many each side has; digests; which rules differ and whether the policy does; moments by status."""

    differences: list[Difference]
    totals: dict[str, dict[str, int]]
    digests: dict[str, str]
    rules: list[str]
    policy: bool
    statuses: dict[str, dict[str, dict[str, int]]]
    interactions: dict[str, int]
    """How many interactions only the one or the other side has."""
    not_replayed: int
    """Outputs of the shadow that do not carry `replayed`: there must be none."""

    def counts(self) -> dict[str, dict[str, int]]:
        """By kind, how many were added, removed and changed."""
        seen = Counter((one.kind, one.change) for one in self.differences)
        return {kind: {change: seen[kind, change] for change in CHANGES} for kind in KINDS}

    def reasons(self) -> dict[str, dict[str, int]]:
        """By kind, how many for each reason; one with several counts for each."""
        seen = Counter((one.kind, reason) for one in self.differences for reason in one.why)
        return {kind: {reason: seen[kind, reason] for reason in REASONS if seen[kind, reason]} for kind in KINDS}


def compare(live: Side, shadow: Side, plan: Plan) -> Found:
    """Compare what two sides knew and said, people first."""
    judge = _Judge(live, shadow, plan)
    found = [*_said(live, shadow, judge)]
    found = [*_people(live, shadow, judge, found), *found]
    return Found(
        differences=sorted(found, key=lambda one: (KINDS.index(one.kind), one.change, one.customer, one.rule or "", one.id)),
        totals={kind: {"live": _total(live, kind), "shadow": _total(shadow, kind)} for kind in KINDS},
        digests={"live": live.digest, "shadow": shadow.digest},
        rules=sorted(judge.rules),
        policy=judge.policy,
        statuses={"live": _statuses(live), "shadow": _statuses(shadow)},
        interactions={
            "live": len(judge.uids[0] - judge.uids[1]),
            "shadow": len(judge.uids[1] - judge.uids[0]),
        },
        not_replayed=shadow.not_replayed,
    )


class _Judge:
    """What explains a difference: the rules that changed, the customers whom the policy or other interactions made others."""

    def __init__(self, live: Side, shadow: Side, plan: Plan) -> None:
        self.rules = changed(plan.live, plan.shadow)
        self.policy = plan.live.policy != plan.shadow.policy
        self._until = plan.until
        self.uids = (_uids(live), _uids(shadow))
        only = self.uids[0] ^ self.uids[1]
        self._ids: set[str] = set()
        self._touched = live.lost | shadow.lost
        for side in (live, shadow):
            for key, name in side.timeline.items():
                if key[NODE_KEY_BYTES:] in only:
                    self._ids.add(name)
                    owner = side.owner(key)
                    if owner is not None:
                        self._touched.add(owner)
        self._regrouped = _regrouped(live, shadow)
        if only and not self.policy:  # People are a function of evidence and policy: where these are others, so is the evidence.
            self._touched |= self._regrouped

    def why(self, rule: str | None, customers: Collection[str], values: Iterable[Value | None]) -> list[Reason]:
        """Every reason that there is for a difference about these customers, by a rule (`moment big_order`), between these values."""
        said = [value for value in values if value is not None]
        names = {name for value in said for name in value.get("evidence", ())}
        versions = {value["ruleVersion"] for value in said} if rule is not None else set()
        late = not self._ids.isdisjoint(names) or not self._touched.isdisjoint(customers) or any(map(self._is_after, said))
        holds: dict[Reason, bool] = {
            "rule": rule in self.rules or len(versions) > 1,
            "policy": self.policy and not self._regrouped.isdisjoint(customers),
            "late_data": late,
        }
        return [reason for reason, does in holds.items() if does]

    def told(self, reasons: Collection[Reason]) -> list[Reason]:
        """The reasons in their order; where there is none, that a policy may also tell what is junk and whom to believe, else that there is none."""
        known: Collection[Reason] = reasons or (["policy"] if self.policy else ["unexplained"])
        return [reason for reason in REASONS if reason in known]

    def _is_after(self, value: Value) -> bool:
        """Whether it fell due after the instant at which the shadow's time ends."""
        return self._until is not None and (instants.parse(value["occurredAt"]) or 0) > self._until


def _uids(side: Side) -> set[bytes]:
    return {key[NODE_KEY_BYTES:] for key in side.timeline}


def _holdings(side: Side) -> dict[str, set[bytes]]:
    """By customer, the fragments that are theirs."""
    held: dict[str, set[bytes]] = defaultdict(set)
    for fragment, customer in side.people.items():
        held[customer].add(fragment)
    return held


def _regrouped(live: Side, shadow: Side) -> set[str]:
    """The customers of either side who do not hold the same on the other."""
    one, other = _holdings(live), _holdings(shadow)
    return {customer for customer in one.keys() | other.keys() if one.get(customer) != other.get(customer)}


def _content(value: Value, outside: Collection[str]) -> Value:
    return {field: part for field, part in value.items() if field not in outside}


def _fields(one: Value, other: Value) -> list[str]:
    return sorted(field for field in one.keys() | other.keys() if one.get(field) != other.get(field))


def _said(live: Side, shadow: Side, judge: _Judge) -> Iterable[Difference]:
    """Stages, segments and moments that stand on one side only, or are said otherwise, or of another customer."""
    for name in live.said.keys() | shadow.said.keys():
        kind, identity = name
        before, after = live.said.get(name), shadow.said.get(name)
        value = before if before is not None else after
        assert value is not None
        whose = [side.whose(said["customerId"]) for side, said in ((live, before), (shadow, after)) if said is not None]
        fields: list[str] = []
        if before is not None and after is not None:
            fields = _fields(_content(before, OUTSIDE_THE_LAW), _content(after, OUTSIDE_THE_LAW))
            fields += ["customerId"] if len(set(whose)) > 1 else []
            if not fields:
                continue
        rule = value[_RULES[kind]]
        yield Difference(
            kind=kind,  # type: ignore[arg-type]  # the names of SAID are the kinds but for people
            change="added" if before is None else "removed" if after is None else "changed",
            customer=whose[0],
            rule=rule,
            id=identity,
            fields=fields,
            live=before,
            shadow=after,
            others=[],
            why=judge.told(judge.why(f"{_RULES[kind]} {rule}", whose, (before, after))),
        )


def _people(live: Side, shadow: Side, judge: _Judge, said: Collection[Difference]) -> Iterable[Difference]:
    """Customers whom one side does not know, and those of whom it says something else; what was said of them explains what their profiles say."""
    held = {"live": _holdings(live), "shadow": _holdings(shadow)}
    reasons: dict[str, list[Reason]] = defaultdict(list)
    for one in said:
        reasons[one.customer] += one.why
    for customer in live.profiles.keys() | shadow.profiles.keys():
        before, after = live.profiles.get(customer), shadow.profiles.get(customer)
        fields: list[str] = []
        others: list[str] = []
        if before is not None and after is not None:
            outside = OF_THE_PUBLICATION | DECAYING
            fields = _fields(_content(before, outside), _content(after, outside))
            if not fields:
                continue
        else:
            there, here = (shadow, held["live"]) if after is None else (live, held["shadow"])
            others = sorted({there.people[one] for one in here.get(customer, ()) if one in there.people})
        why = {*reasons[customer], *judge.why(None, [customer, *others], ())}
        yield Difference(
            kind="person",
            change="added" if before is None else "removed" if after is None else "changed",
            customer=customer,
            rule=None,
            id=customer,
            fields=fields,
            live=before,
            shadow=after,
            others=others,
            why=judge.told(why),
        )


def _total(side: Side, kind: str) -> int:
    return len(side.profiles) if kind == "person" else sum(1 for of, _ in side.said if of == kind)


def _statuses(side: Side) -> dict[str, dict[str, int]]:
    """Of the moments that stand, by name, how many of each status: verdicts are outside of the comparison, their numbers are shown."""
    found: dict[str, dict[str, int]] = {}
    for (kind, _), value in side.said.items():
        if kind == "moment":
            of = found.setdefault(value["moment"], {})
            of[value["status"]] = of.get(value["status"], 0) + 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}
