"""Who is who, the naive way: all evidence in one place, people by sets, quadratic and plain. It shares no code with what it judges."""

import hashlib
from collections import defaultdict
from itertools import product

HOUR = 3_600_000_000


def key_of(policy, kind, value):
    """The key of an identifier: its type's place by (priority, name), then 15 bytes of keyed BLAKE2b."""
    place = sorted((row["priority"], name) for name, row in policy["types"].items()).index((policy["types"][kind]["priority"], kind))
    return bytes([place]) + hashlib.blake2b(f"{kind}:{value}".encode(), digest_size=15, key=policy["secret"]).digest()


def people(policy, events, commands=(), forgotten=(), shared=(), unshared=()):
    """`events`: (keys, occurred_at, uid); `commands`: (key, key, apart or "bound", order). Returns key -> canonical key, and canonical key -> set of uids.

    `forgotten`: events that only say what is shared by too many; `shared`, `unshared`: keys of which a command says that
    they are, or that they are not.
    """
    rows = [row for _, row in sorted(policy["types"].items(), key=lambda item: (item[1]["priority"], item[0]))]

    def row(key):
        return rows[key[0]]

    nodes, newest, anchor_of = set(), {}, {}
    first, last, unique = {}, {}, defaultdict(set)
    for keys, occurred_at, uid in events:
        anchor = min(keys)
        nodes |= set(keys)
        anchor_of[uid] = anchor
        newest[anchor] = max(newest.get(anchor, -(10**30)), occurred_at // HOUR * HOUR)
        for other in set(keys) - {anchor}:
            edge = (anchor, other)
            first[edge] = min(first.get(edge, occurred_at), occurred_at)
            last[edge] = max(last.get(edge, -(10**30)), occurred_at // HOUR * HOUR)
            if row(anchor)["strength"] == "unique":
                unique[other].add(anchor)
    for keys, _, _ in forgotten:
        for other in set(keys) - {min(keys)}:
            if row(min(keys))["strength"] == "unique":
                unique[other].add(min(keys))
    generic = {key for key, seen in unique.items() if len(seen) > row(key)["generic_above"]} | set(shared)
    generic -= set(unshared)
    crowded = _crowded([keys for keys, _, _ in (*events, *forgotten)], row)
    first = {edge: since for edge, since in first.items() if not {(edge[0], edge[1][0]), (edge[1], edge[0][0])} & crowded}
    last = {edge: last[edge] for edge in first}
    said = {}
    for left, right, apart, _ in sorted(commands, key=lambda command: command[3]):
        nodes |= {left, right}
        said[frozenset((left, right))] = apart
    apart = {pair for pair, holds in said.items() if holds is True}
    bound = {tuple(sorted(pair)) for pair, holds in said.items() if holds == "bound" and not generic & pair}
    edges = set()
    for edge in first:
        if generic & set(edge) or frozenset(edge) in apart:
            continue
        born = {end: min(first[other] for other in first if end in other) for end in edge if row(end).get("expires")}
        if all(first[edge] - since <= row(end)["expires"] for end, since in born.items()):
            edges.add(edge)
    for edge in bound:
        edges.add(edge)
        first.setdefault(edge, 0)
        last.setdefault(edge, 0)
    who = {}
    for part in _connected(nodes, edges):
        inside = {edge for edge in edges if edge[0] in part}
        for person in _kruskal(part, inside, policy, row, first, last, newest, apart, bound, set(unshared)):
            for key in person:
                who[key] = min(person)
    timeline = defaultdict(set)
    for uid, anchor in anchor_of.items():
        timeline[who[anchor]].add(uid)
    return who, dict(timeline)


def crowded(policy, seen):
    """Of keys that were seen together (`seen`: of each event) those with more of a type than links: (key, the type's place)."""
    rows = [row for _, row in sorted(policy["types"].items(), key=lambda item: (item[1]["priority"], item[0]))]
    return _crowded(seen, lambda key: rows[key[0]])


def _crowded(seen, row):
    """Who was seen with more of a type than links: (key, the type's place)."""
    beside = defaultdict(set)
    for keys in seen:
        for other in set(keys) - {min(keys)}:
            beside[min(keys), other[0]].add(other)
            beside[other, min(keys)[0]].add(min(keys))
    return {one for one, met in beside.items() if len(met) > row(bytes([one[1]])).get("neighbours_max", len(met))}


def _connected(nodes, edges):
    beside = defaultdict(set)
    for left, right in edges:
        beside[left].add(right)
        beside[right].add(left)
    left_over = set(nodes)
    while left_over:
        part, border = set(), {left_over.pop()}
        while border:
            key = border.pop()
            part.add(key)
            border |= beside[key] - part
        left_over -= part
        yield part


def _kruskal(part, edges, policy, row, first, last, newest, apart, bound, unshared):
    if sum(not row(key).get("expires") for key in part) > policy["component_members_max"]:
        edges = _oldest(edges, first, policy["component_members_max"], row)
    counted = _counted(part, edges, row, last, newest)
    clusters = [{key} for key in part]

    def weak(key):
        return row(key)["strength"] == "weak"

    def holding(key):
        return next(cluster for cluster in clusters if key in cluster)

    def known(cluster):
        return any(not weak(key) for key in cluster)

    def link(edge, through_weak, by_hand=False):
        left, right = holding(edge[0]), holding(edge[1])
        if left is right or (through_weak and known(left) and known(right)):
            return
        if not by_hand and _over_limit(left & counted, right & counted, row):
            return
        if any(frozenset(two) in apart for two in product(left, right)):
            return
        clusters.remove(right)
        left |= right

    for edge in sorted(edges & bound):
        link(edge, False, by_hand=True)
    for edge in sorted(
        (edge for edge in edges if not any(map(weak, edge))),
        key=lambda edge: (sum(row(end)["priority"] for end in edge), first[edge], edge),
    ):
        link(edge, False)
    nobodys = _nobodys_logins({edge for edge in edges if any(map(weak, edge))}, row) - unshared
    through = [edge for edge in edges if any(map(weak, edge)) and (edge in bound or not nobodys & set(edge))]
    if policy["contested"] == "none" or any(row(key).get("nobodys_if_contested") for key in part):
        rivals = defaultdict(set)
        for edge in through:
            for thing, other in (edge, edge[::-1]):
                if not known(holding(thing)) and known(holding(other)):
                    rivals[thing].add(min(holding(other)))
        contested = {
            thing
            for thing, others in rivals.items()
            if len(others) > 1 and (policy["contested"] == "none" or row(thing).get("nobodys_if_contested"))
        }
        through = [edge for edge in through if not contested & set(edge)]
    order = (lambda edge: (first[edge], edge)) if policy["contested"] == "first" else (lambda edge: (-last[edge], edge))
    for edge in sorted(through, key=order):
        link(edge, True)
    return clusters


def _nobodys_logins(edges, row):
    """The logins that were seen on things on which too many other logins of their type were."""
    pairs = [(login, thing) for edge in edges for login, thing in (edge, edge[::-1])]
    pairs = [(login, thing) for login, thing in pairs if row(login)["strength"] == "unique" and row(login)["limit"] == 1]
    others = defaultdict(set)
    for login, thing in pairs:
        for other, same in pairs:
            if thing == same and other != login and other[0] == login[0]:
                others[login].add(other)
    return {login for login, met in others.items() if len(met) > row(login)["generic_above"]}


def _oldest(edges, first, members_max, row):
    kept, joined = set(), set()
    for edge in sorted(edges, key=lambda edge: (first[edge], edge)):
        joined |= {key for key in edge if not row(key).get("expires")}
        if len(joined) > members_max:
            break
        kept.add(edge)
    return kept


def _counted(part, edges, row, last, newest):
    """Those that count against their limit: seen within its window before the newest touch among those that strong links connect."""
    strong_edges = {edge for edge in edges if all(row(end)["strength"] != "weak" for end in edge)}
    around = {key: close for close in _connected(part, strong_edges) for key in close}
    counted = set()
    for key in part:
        if not row(key).get("limit"):
            continue
        near = part if row(key)["strength"] == "weak" else around[key]
        now = max((newest[other] for other in near if other in newest), default=0)
        seen = [last[edge] for edge in edges if key in edge] + ([newest[key]] if key in newest else [])
        if not row(key).get("window") or max(seen, default=now) >= now - row(key)["window"]:
            counted.add(key)
    return counted


def _over_limit(left, right, row):
    """Whether two together have too many of a type that both bring; what a command has put over a limit refuses only more of that type."""
    tally = defaultdict(int)
    for key in left | right:
        tally[key[0]] += 1
    both = {key[0] for key in left} & {key[0] for key in right}
    return any(tally[place] > row(bytes([place]))["limit"] for place in both)
