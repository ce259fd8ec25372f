"""How well people were found, on truth: pairs and clusters of interactions, and what led to each error.

The rule this module owns: what identifiers can tell is decided by the truth alone, and by what identity takes for proof:

- An identifier is a person's *own* if nobody else ever used it; only own ones tell anything.
- Interactions of a person that share an own identifier, not a weak one, are one part of that person. Of a person with several logins (values of
  a unique type) what was seen with two of them proves nothing: who shares an address with another login may be another person.
- What own weak identifiers connect belongs to the one part that it meets; if it meets none it is a part of its own, if several it cannot be told.
- A part tells who it was if one of its identifiers lasts: a session alone, on a thing that others use as well, may be anybody's.

So the parts are the best that a resolver could do that knew of every identifier whether it is shared, and guessed nothing. Two people *cannot be told
apart* who share an identifier that is not weak and that shows nobody that it is shared: no two of its users have a login of one type. To hold
such two to be one is what the evidence says; those pairs are counted for themselves.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

ALL, OTHER, CHAIN = "none", "other", "chain"


class Seen(NamedTuple):
    """An interaction: who it was, as whom it was found, what it carried (each identifier a number), and the hard case that has touched it."""

    person: int
    found: Hashable
    identifiers: tuple[int, ...]
    case: str | None = None


class Kind(NamedTuple):
    """What an identifier can tell: whether a thing has it that people share, whether it lasts, and of which type it is where it is a login."""

    weak: bool
    lasting: bool
    login: str | None


class Score(NamedTuple):
    """Counts: of `claimed`, `right` are; of `wanted`, `reached` are."""

    right: int
    claimed: int
    reached: int
    wanted: int

    @property
    def precision(self) -> float:
        """From 0 to 1; nothing claimed is nothing wrong."""
        return self.right / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        """From 0 to 1; nothing wanted is nothing missed."""
        return self.reached / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Errors(NamedTuple):
    """What one cause led to: pairs held to be one's that are not, in so many customers; pairs that were kept apart, of so many people."""

    false_pairs: int = 0
    customers: int = 0
    missed_pairs: int = 0
    people: int = 0


class Quality(NamedTuple):
    """Pairs and clusters of all interactions, and of those that can be told; by cause the errors among the latter.

    A pair is right if both are one person's. A customer is right who holds only one person's interactions; a person (of what can be told: each part
    that a chain connects) is reached that is one customer's whole. Only clusters of two or more count.
    """

    interactions: int
    told: int
    pairs: Score
    clusters: Score
    told_pairs: Score
    told_clusters: Score
    causes: Mapping[str, Errors]
    alike: Errors
    """What nobody could have told: people who cannot be told apart, held to be one."""


def evaluate(seen: Sequence[Seen], kinds: Mapping[int, Kind], homes: Mapping[int, str], cases: Mapping[int, str]) -> Quality:
    """Compare; `kinds`: of every identifier, `homes`: people who live with others, `cases`: people of a hard case."""
    parts = tellable(seen, kinds)
    told = sorted(parts)
    everyone = _score([one.person for one in seen], [one.person for one in seen], [one.found for one in seen])
    of_told = _score([seen[place].person for place in told], [parts[place] for place in told], [seen[place].found for place in told])
    mixed = _mixed(seen, parts, _alike(seen, kinds))
    alike = Errors(sum(one.alike for one in mixed.values()), sum(one.alike > 0 for one in mixed.values()))
    excused = sum(one.alike > 0 and not one.wrong for one in mixed.values())
    pairs = of_told[0]._replace(claimed=of_told[0].claimed - alike.false_pairs)
    clusters = of_told[1]._replace(right=of_told[1].right + excused)
    causes = _causes(seen, parts, mixed, homes, cases)
    return Quality(len(seen), len(told), *everyone, pairs, clusters, causes, alike)


def tellable(seen: Sequence[Seen], kinds: Mapping[int, Kind]) -> dict[int, Hashable]:
    """Of each interaction that can be told, by its place: which part of its person it belongs to; equal parts are one."""
    users: dict[int, int] = {}
    shared: set[int] = set()
    theirs: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(seen):
        theirs[one.person].append(place)
        for identifier in one.identifiers:
            if users.setdefault(identifier, one.person) != one.person:
                shared.add(identifier)
    parts: dict[int, Hashable] = {}
    for person, places in theirs.items():
        own = {place: [identifier for identifier in seen[place].identifiers if identifier not in shared] for place in places}
        for place, part in _parts(own, kinds).items():
            parts[place] = (person, part)
    return parts


def _parts(own: Mapping[int, Sequence[int]], kinds: Mapping[int, Kind]) -> dict[int, Hashable]:
    """The parts of one person's interactions, given what is its own of each."""
    strong = {place: [one for one in carried if not kinds[one].weak] for place, carried in own.items()}
    part: dict[int, Hashable] = dict(_by_login(strong, kinds))
    weak = _connected({place: [one for one in carried if kinds[one].weak] for place, carried in own.items()})
    met: dict[int, set[Hashable]] = defaultdict(set)
    lasts = {thing for place, thing in weak.items() for one in own[place] if kinds[one].weak and kinds[one].lasting}
    for place, thing in weak.items():
        if place in part:
            met[thing].add(part[place])
    for place, thing in weak.items():
        if place not in part and (len(met[thing]) == 1 or (not met[thing] and thing in lasts)):
            part[place] = next(iter(met[thing]), ("thing", thing))
    return part


def _by_login(strong: Mapping[int, Sequence[int]], kinds: Mapping[int, Kind]) -> Mapping[int, Hashable]:
    """The parts of what carries a strong identifier: one for each that these connect, and for each login where there are several in it."""
    logins = {one for carried in strong.values() for one in carried if kinds[one].login is not None}
    if not _several(logins, kinds):
        return _connected(strong)
    met: dict[int, set[int]] = defaultdict(set)
    for carried in strong.values():
        for one in carried:
            met[one].update(logins.intersection(carried))
    over = {one for one, by in met.items() if one not in logins and _several(by, kinds)}
    connected = _connected({place: [one for one in carried if one not in over] for place, carried in strong.items()})
    inside: dict[int, set[int]] = defaultdict(set)
    for place, part in connected.items():
        inside[part].update(logins.intersection(strong[place]))
    whole = {part for part, held in inside.items() if not _several(held, kinds)}
    return {
        place: part if part in whole else tuple(sorted(logins.intersection(strong[place])))
        for place, part in connected.items()
        if part in whole or logins.intersection(strong[place])
    }


def _several(logins: Iterable[int], kinds: Mapping[int, Kind]) -> bool:
    """Whether there are two of one type among these."""
    types = [kinds[login].login for login in logins]
    return len(set(types)) < len(types)


def _connected(own: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Each place that carries anything, and the identifier that stands for all that it is connected with."""
    parent: dict[int, int] = {}

    def root(identifier: int) -> int:
        while parent.setdefault(identifier, identifier) != identifier:
            parent[identifier] = parent[parent[identifier]]
            identifier = parent[identifier]
        return identifier

    for carried in own.values():
        for identifier in carried[1:]:
            low, high = sorted((root(carried[0]), root(identifier)))
            parent[high] = low
    return {place: root(carried[0]) for place, carried in own.items() if carried}


def _score(people: Sequence[int], parts: Sequence[Hashable], found: Sequence[Hashable]) -> tuple[Score, Score]:
    """Of pairs and of clusters: `people` decide what is right, `parts` what is to be reached."""
    customers, wanted = Counter(found), Counter(parts)
    right = Counter(zip(people, found, strict=True))
    reached = Counter(zip(parts, found, strict=True))
    pairs = Score(*(sum(map(_pairs, counts.values())) for counts in (right, customers, reached, wanted)))
    pure = Counter(customer for _, customer in right)
    whole = Counter(part for part, _ in reached)
    claimed = [customer for customer, size in customers.items() if size > 1]
    asked = [part for part, size in wanted.items() if size > 1]
    clusters = Score(sum(pure[customer] == 1 for customer in claimed), len(claimed), sum(whole[part] == 1 for part in asked), len(asked))
    return pairs, clusters


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


class _Mixed(NamedTuple):
    """A customer of several people: pairs that the identifiers could have kept apart, and pairs that nobody could."""

    wrong: int
    alike: int


def _alike(seen: Sequence[Seen], kinds: Mapping[int, Kind]) -> set[tuple[int, int]]:
    """The people, two by two, who cannot be told apart."""
    users: dict[int, set[int]] = defaultdict(set)
    logins: dict[int, set[int]] = defaultdict(set)
    for one in seen:
        for identifier in one.identifiers:
            users[identifier].add(one.person)
            if kinds[identifier].login is not None:
                logins[one.person].add(identifier)
    found: set[tuple[int, int]] = set()
    for identifier, people in users.items():
        kind = kinds[identifier]
        if len(people) > 1 and not kind.weak and kind.login is None and not _several(set().union(*(logins[one] for one in people)), kinds):
            found.update(combinations(sorted(people), 2))
    return found


def _mixed(seen: Sequence[Seen], parts: Iterable[int], alike: set[tuple[int, int]]) -> dict[Hashable, _Mixed]:
    """The customers who hold what can be told of several people."""
    held: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for place in parts:
        held[seen[place].found][seen[place].person] += 1
    found = {}
    for customer, people in held.items():
        if len(people) > 1:
            false = _pairs(people.total()) - sum(map(_pairs, people.values()))
            excused = sum(people[one] * people[other] for one, other in combinations(sorted(people), 2) if (one, other) in alike)
            found[customer] = _Mixed(false - excused, excused)
    return found


def _causes(
    seen: Sequence[Seen],
    parts: Mapping[int, Hashable],
    mixed: Mapping[Hashable, _Mixed],
    homes: Mapping[int, str],
    cases: Mapping[int, str],
) -> dict[str, Errors]:
    """The errors among what can be told, by what led to them; most pairs first."""
    found: dict[str, Errors] = defaultdict(Errors)
    wanted: dict[Hashable, list[int]] = defaultdict(list)
    for place in parts:
        wanted[parts[place]].append(place)
    whole: dict[Hashable, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.found in mixed and mixed[one.found].wrong:
            whole[one.found].append(one)
    for customer, held in whole.items():
        cause = _of_customer(held, homes)
        known = found[cause]
        found[cause] = known._replace(false_pairs=known.false_pairs + mixed[customer].wrong, customers=known.customers + 1)
    torn: dict[int, int] = Counter()
    for places in wanted.values():
        missed = _pairs(len(places)) - sum(map(_pairs, Counter(seen[place].found for place in places).values()))
        if missed:
            torn[seen[places[0]].person] += missed
    for person, missed in torn.items():
        cause = cases.get(person) or ("household" if person in homes else ALL)
        known = found[cause]
        found[cause] = known._replace(missed_pairs=known.missed_pairs + missed, people=known.people + 1)
    return dict(sorted(found.items(), key=lambda one: (-one[1].false_pairs - one[1].missed_pairs, one[0])))


def _of_customer(held: Sequence[Seen], homes: Mapping[int, str]) -> str:
    """What made several people one customer: the hard case, or the home, of the identifier that most of them have in common."""
    users: dict[int, set[int]] = defaultdict(set)
    for one in held:
        for identifier in one.identifiers:
            users[identifier].add(one.person)
    widest = min(users, key=lambda identifier: (-len(users[identifier]), identifier))
    if len(users[widest]) < 2:
        return CHAIN
    met = Counter(one.case for one in held if widest in one.identifiers and one.case is not None)
    if met:
        return min(met, key=lambda case: (-met[case], case))
    under = {homes.get(person) for person in users[widest]}
    return "household" if len(under) == 1 and None not in under else OTHER
