"""People from evidence: a constrained Kruskal over the links of a component.

The rule this module owns: people are a pure function of (evidence, policy). No arrival order, no raw component's size and no clock has a say:
all that counts is the *live* part that an identifier belongs to, which is what non-generic, non-forbidden, unexpired links connect.

- What was seen with more of a type than one links (`neighbours_max`) has no links to that type: they are not in the evidence. It is reported.
- An identifier that expires links only what it was first seen with inside its lifetime, counted from its first link: who meets a re-used
  one later is linked to nobody by it.
- What a command binds is joined before all else, and neither limits nor weakness refuse it; but nothing generic links, and another command may part.
  What it has put over a limit is refused more of that type only.
- A login that was seen on things (weak identifiers) of more others of its type than `generic_above` is nobody's: no thing is linked to it. What
  only it and one other used is that other's then. It is reported; `unmark` takes it back. A login is a unique identifier of which a person has one.
- Windows of limits count back from the newest touch of those that strong links connect (for a weak identifier: of its live part); an identifier
  last seen before counts no more. So weak links have no say in which known people there are.
- A live part with more than the policy's `component_members_max` lasting identifiers (those that never expire) is frozen: only its oldest links
  hold, by first sighting, as many as join that many. So later ones neither join nor move anybody; each identifier that they would bring is a
  person of its own. It is reported.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.identity_conflict import Rule
from streams.identity.component import Component, Pair, ends, identifiers, is_apart, is_bound, is_unmarked
from streams.identity.policy import IdentifierType, Policy, ranked
from streams.instants import Duration, Instant
from streams.rows import NODE_KEY_BYTES, NodeKey, Person


class Refused(NamedTuple):
    """A link that does not hold, the rule that refused it, the type at fault, and when it was first seen (both ends equal: no single link)."""

    rule: Rule
    left: NodeKey
    right: NodeKey
    type: str
    first_seen: Instant | None


class Resolved(NamedTuple):
    """The people of a component, by canonical key, and the links that were refused; people without a touch are among `people`.

    `undisputed`: one person, and only a new link or an earlier first sighting could make it otherwise.
    """

    people: tuple[Person, ...]
    refused: tuple[Refused, ...]
    undisputed: bool = False


class Link(NamedTuple):
    """Two identifiers that were seen together, the lesser first, and the first and the last time."""

    left: NodeKey
    right: NodeKey
    first: Instant
    last: Instant


class _Cluster:
    """Identifiers held to be one person so far; owned by one call of resolve."""

    __slots__ = ("apart", "counts", "known", "members")

    def __init__(self, member: NodeKey, known: bool, counted: bool, apart: Iterable[NodeKey]) -> None:
        self.members = [member]
        self.known = known
        self.counts = {member[0]: 1} if counted else {}
        self.apart = set(apart)


class Law(NamedTuple):
    """A policy as links are judged by it: its types by rank, and by the types' codes how many one person may have, of those seen how long ago (only
    where there is a window), how long one links, which are weak, which of these are nobody's if several known people used one, of logins on the
    things of how many others one may be seen; and the least number of neighbours of one type that is ever too many, less one."""

    policy: Policy
    types: tuple[IdentifierType, ...]
    limits: Mapping[int, int]
    lifetimes: Mapping[int, Duration]
    windows: Mapping[int, Duration]
    weak: frozenset[int]
    nobodys: frozenset[int]
    logins: Mapping[int, int]
    neighbours_min: int


@lru_cache(maxsize=16)
def law(policy: Policy) -> Law:
    """The one Law of a policy; look it up once a batch."""
    types = ranked(policy.types)
    limits = {code: kind.limit for code, kind in enumerate(types) if kind.limit is not None}
    lifetimes = {code: kind.expires for code, kind in enumerate(types) if kind.expires is not None}
    windows = {code: kind.window for code, kind in enumerate(types) if kind.window is not None}
    weak = frozenset(code for code, kind in enumerate(types) if kind.strength == "weak")
    nobodys = frozenset(code for code in weak if policy.contested == "none" or types[code].nobodys_if_contested)
    logins = {code: kind.generic_above for code, kind in enumerate(types) if kind.strength == "unique" and kind.limit == 1}
    return Law(policy, types, limits, lifetimes, windows, weak, nobodys, logins, min(kind.neighbours_max for kind in types))


def resolve(component: Component, policy: Policy) -> Resolved:
    """Who the members of a component are: every member in exactly one person."""
    return resolve_by(law(policy), component)


def resolve_by(law: Law, component: Component) -> Resolved:
    """As `resolve`, for a caller who has looked up the law."""
    policy, types = law.policy, law.types
    everybody = identifiers(component)
    if len(everybody) == 1:
        refused = _shared(component, everybody, types)
        return Resolved((_person(list(everybody), component),), tuple(refused), True)
    if _is_undisputed(component, everybody, law):
        return Resolved((_person(list(everybody), component),), (), True)
    refused = _shared(component, everybody, types)
    people: list[Person] = []
    for members, links in _parts(everybody, _live(component, law, refused)):
        if _lasting(members, types) > policy.component_members_max:
            links = _oldest(links, policy.component_members_max, types)
            least = min(members)
            refused.append(Refused("component_frozen", least, least, types[least[0]].name, None))
        people += [_person(group, component) for group in _kruskal(members, links, component, law, refused)]
    return Resolved(tuple(sorted(people, key=lambda person: person.canonical)), tuple(refused))


def standing(law: Law, component: Component) -> list[Link]:
    """The links that may join, before limits and weakness are judged: neither generic, forbidden nor expired, of a frozen part the oldest."""
    links: list[Link] = []
    for members, live in _parts(identifiers(component), _live(component, law, [])):
        is_frozen = _lasting(members, law.types) > law.policy.component_members_max
        links += _oldest(live, law.policy.component_members_max, law.types) if is_frozen else live
    return links


def _is_undisputed(component: Component, members: set[NodeKey], law: Law) -> bool:
    """Whether no rule can have a say and every identifier but the least is linked to a lesser one: then all are one person, as mostly.

    A lesser end of a strong member is strong, so strong members are connected without weak ones.
    """
    edges = component.edges
    if component.generic or component.cannot or component.bound or component.crowded:
        return False
    if len({both[NODE_KEY_BYTES:] for both in edges}) < len(members) - 1:
        return False
    limits, lifetimes = law.limits, law.lifetimes
    codes = [member[0] for member in members]
    present = set(codes)
    if len(present) < len(codes):
        for code in present:
            limit = limits.get(code)
            if limit is not None and codes.count(code) > limit:
                return False
    is_mortal = not present.isdisjoint(lifetimes)
    if len(codes) > law.policy.component_members_max and sum(code not in lifetimes for code in codes) > law.policy.component_members_max:
        return False
    return not is_mortal or len(edges) == 1 or len(_unexpired(edges, lifetimes)) == len(edges)


def _person(members: list[NodeKey], component: Component) -> Person:
    fragments = component.fragments
    if len(members) == 1:
        alone = tuple(members)
        return Person(members[0], alone, alone if members[0] in fragments else ())
    members.sort()
    return Person(members[0], tuple(members), tuple([member for member in members if member in fragments]))


def _shared(component: Component, members: set[NodeKey], types: Sequence[IdentifierType]) -> list[Refused]:
    """Those that are shared by too many, and those whose root this is that were seen with too many of a type, which is at fault then."""
    if not component.generic and not component.crowded:
        return []
    shared = [key for key in component.generic if key in members]
    refused = [Refused("generic", key, key, types[key[0]].name, None) for key in sorted(shared)]
    crowded = [seen for seen in sorted(component.crowded) if seen[:NODE_KEY_BYTES] in component.members]
    return refused + [Refused("crowded", seen[:NODE_KEY_BYTES], seen[:NODE_KEY_BYTES], types[seen[-1]].name, None) for seen in crowded]


def _live(component: Component, law: Law, refused: list[Refused]) -> list[Link]:
    """The links that may join at all; adds those that a command forbids to `refused`."""
    types, lifetimes = law.types, law.lifetimes
    generic, cannot = component.generic, component.cannot
    links = []
    unexpired = _unexpired(component.edges, lifetimes)
    for both, (first, last) in unexpired.items():
        left, right = ends(both)
        if left in generic or right in generic:
            continue
        if both in cannot and is_apart(component, both):
            refused.append(Refused("cannot_link", left, right, types[right[0]].name, first))
            continue
        links.append(Link(left, right, first, last))
    if component.bound:
        links += _bound(component, unexpired)
    return links


def _bound(component: Component, unexpired: Mapping[Pair, tuple[Instant, Instant]]) -> list[Link]:
    """The pairs that a command makes one person's, and that no interaction links, or none any more: who never met is linked since ever.
    Both have come here: a link may name who is still a root elsewhere, after whom nobody here is called before it is absorbed."""
    known = component.members - component.generic
    pairs = [
        (ends(both), component.edges.get(both, (0, 0))) for both in component.bound if both not in unexpired and is_bound(component, both)
    ]
    return [Link(left, right, first, last) for (left, right), (first, last) in pairs if left in known and right in known]


def _unexpired(edges: dict[Pair, tuple[Instant, Instant]], lifetimes: Mapping[int, Duration]) -> dict[Pair, tuple[Instant, Instant]]:
    """The links first seen within the lifetimes of their ends; a lifetime begins with the identifier's first link."""
    mortal = [(both, both[NODE_KEY_BYTES:], seen[0]) for both, seen in edges.items() if both[NODE_KEY_BYTES] in lifetimes]
    mortal += [(both, both[:NODE_KEY_BYTES], seen[0]) for both, seen in edges.items() if both[0] in lifetimes]
    if len({end for _, end, _ in mortal}) == len(mortal):
        return edges
    sighted: dict[NodeKey, Instant] = {}
    for _, end, first in mortal:
        known = sighted.get(end)
        if known is None or first < known:
            sighted[end] = first
    expired = {both for both, end, first in mortal if first - sighted[end] > lifetimes[end[0]]}
    return {both: seen for both, seen in edges.items() if both not in expired} if expired else edges


def _parts(members: Iterable[NodeKey], links: list[Link]) -> list[tuple[list[NodeKey], list[Link]]]:
    """What links connect, with those links."""
    parent = {member: member for member in members}

    def find(key: NodeKey) -> NodeKey:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for link in links:
        left, right = find(link.left), find(link.right)
        if left != right:
            parent[max(left, right)] = min(left, right)
    parts: dict[NodeKey, tuple[list[NodeKey], list[Link]]] = {}
    for member in parent:
        root = find(member)
        if root in parts:
            parts[root][0].append(member)
        else:
            parts[root] = ([member], [])
    if len(parts) == 1:
        next(iter(parts.values()))[1].extend(links)
    else:
        for link in links:
            parts[find(link.left)][1].append(link)
    return list(parts.values())


def _lasting(members: Iterable[NodeKey], types: Sequence[IdentifierType]) -> int:
    return sum(types[member[0]].expires_hours is None for member in members)


def _oldest(links: list[Link], members_max: int, types: Sequence[IdentifierType]) -> list[Link]:
    """The links by first sighting, until the next would bring in one lasting identifier too many."""
    joined: set[NodeKey] = set()
    kept = []
    for link in sorted(links, key=lambda link: (link.first, link.left, link.right)):
        joined.update([end for end in link[:2] if types[end[0]].expires_hours is None])
        if len(joined) > members_max:
            break
        kept.append(link)
    return kept


def _kruskal(members: list[NodeKey], links: list[Link], component: Component, law: Law, refused: list[Refused]) -> list[list[NodeKey]]:
    """Join the members of one live part link by link, skipping every link that the policy refuses; adds those to `refused`."""
    if len(members) == 1:
        return [members]
    policy, types, weak_codes = law.policy, law.types, law.weak
    by_hand = [link for link in links if is_bound(component, link.left + link.right)] if component.bound else []
    strong = [link for link in links if link.left[0] not in weak_codes and link.right[0] not in weak_codes]
    weak = [link for link in links if link.left[0] in weak_codes or link.right[0] in weak_codes]
    counted = _counted(members, strong, weak, component, law)
    apart = _apart(component)
    clusters = {member: _Cluster(member, member[0] not in weak_codes, member in counted, apart.get(member, ())) for member in members}
    strong.sort(key=lambda link: (types[link.left[0]].priority + types[link.right[0]].priority, link.first, link.left, link.right))
    for link in sorted(by_hand, key=lambda link: (link.left, link.right)):
        _join(link, clusters, types, refused, weak=False, by_hand=True)
    for link in strong:
        _join(link, clusters, types, refused, weak=False)
    weak = _of_somebody(weak, members, component, law, refused)
    if law.nobodys:
        weak = _uncontested(weak, clusters, law, refused)
    if policy.contested == "first":
        weak.sort(key=lambda link: (link.first, link.left, link.right))
    else:
        weak.sort(key=lambda link: (-link.last, link.left, link.right))
    for link in weak:
        _join(link, clusters, types, refused, weak=True)
    return [cluster.members for cluster in {id(cluster): cluster for cluster in clusters.values()}.values()]


def _join(
    link: Link,
    clusters: dict[NodeKey, _Cluster],
    types: Sequence[IdentifierType],
    refused: list[Refused],
    weak: bool,
    by_hand: bool = False,
) -> None:
    left, right = clusters[link.left], clusters[link.right]
    if left is right:
        return
    if weak and left.known and right.known:
        refused.append(Refused("weak_between_known", link.left, link.right, types[link.right[0]].name, link.first))
        return
    for code, count in right.counts.items() if not by_hand else ():
        limit, others = types[code].limit, left.counts.get(code, 0)
        if limit is not None and others and count + others > limit:
            refused.append(Refused("limit", link.left, link.right, types[code].name, link.first))
            return
    if left.apart and not left.apart.isdisjoint(right.members):
        refused.append(Refused("cannot_link", link.left, link.right, types[link.right[0]].name, link.first))
        return
    if len(left.members) < len(right.members):
        left, right = right, left
    for member in right.members:
        clusters[member] = left
    left.members += right.members
    left.known = left.known or right.known
    left.apart |= right.apart
    for code, count in right.counts.items():
        left.counts[code] = left.counts.get(code, 0) + count


def _of_somebody(weak: list[Link], members: list[NodeKey], component: Component, law: Law, refused: list[Refused]) -> list[Link]:
    """Without the links between things and logins that were seen on things of too many other logins; adds those logins to `refused`."""
    counts = Counter([member[0] for member in members if member[0] in law.logins])
    if all(count - 1 <= law.logins[code] for code, count in counts.items()):
        return weak
    on: dict[tuple[NodeKey, int], set[NodeKey]] = defaultdict(set)
    for link in weak:
        if link.left[0] in law.logins:
            on[link.right, link.left[0]].add(link.left)
    beside: dict[NodeKey, set[NodeKey]] = defaultdict(set)
    for seen in on.values():
        for login in seen:
            beside[login] |= seen
    over = {login for login, others in beside.items() if len(others) - 1 > law.logins[login[0]] and not is_unmarked(component, login)}
    refused += [Refused("shared_login", login, login, law.types[login[0]].name, None) for login in sorted(over)]
    return [link for link in weak if link.left not in over or is_bound(component, link.left + link.right)]


def _uncontested(weak: list[Link], clusters: dict[NodeKey, _Cluster], law: Law, refused: list[Refused]) -> list[Link]:
    """Without the links of weak identifiers that meet more than one known person and are nobody's then."""
    types = law.types
    met: dict[NodeKey, set[int]] = defaultdict(set)
    for link in weak:
        for thing, other in ((link.left, link.right), (link.right, link.left)):
            if not clusters[thing].known and clusters[other].known:
                met[thing].add(id(clusters[other]))
    contested = {thing for thing, people in met.items() if len(people) > 1 and thing[0] in law.nobodys}
    kept = []
    for link in weak:
        if link.left in contested or link.right in contested:
            refused.append(Refused("weak_between_known", link.left, link.right, types[link.right[0]].name, link.first))
        else:
            kept.append(link)
    return kept


def _counted(members: list[NodeKey], strong: list[Link], weak: list[Link], component: Component, law: Law) -> set[NodeKey]:
    """The members that count against their type's limit: seen within its window before the newest touch of their part."""
    limits, windows, fragments = law.limits, law.windows, component.fragments
    counted = {member for member in members if member[0] in limits and member[0] not in windows}
    windowed = {member for member in members if member[0] in windows}
    if not windowed:
        return counted
    seen = {member: fragments[member] for member in windowed if member in fragments}
    for link in (*strong, *weak):
        for end in (link.left, link.right):
            if end[0] in windows and (end not in seen or link.last > seen[end]):
                seen[end] = link.last
    judged_together = [(members, [member for member in windowed if member[0] in law.weak])]
    if len(judged_together[0][1]) < len(windowed):
        lasting = windowed.difference(judged_together[0][1])
        judged_together += [(part, [member for member in part if member in lasting]) for part, _ in _parts(members, strong)]
    for part, judged in judged_together:
        if judged:
            newest = max([fragments[member] for member in part if member in fragments], default=0)
            counted.update([member for member in judged if seen.get(member, newest) >= newest - windows[member[0]]])
    return counted


def _apart(component: Component) -> dict[NodeKey, list[NodeKey]]:
    apart: dict[NodeKey, list[NodeKey]] = defaultdict(list)
    for left, right in [ends(both) for both in component.cannot if is_apart(component, both)]:
        apart[left].append(right)
        apart[right].append(left)
    return apart
