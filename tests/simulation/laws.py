"""The laws of identity, each as a question to a world at rest; an answer is a sentence that says what is wrong.

The rule this module owns: LAWS is all that is checked after every run, by the numbers of the design; none of them knows how a handler works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations

import msgspec
from msgspec import structs

from schemas import topics
from streams.customer.state import decode_row
from streams.identity.component import COMPONENT, NODE, PARKED, STASH, copy, join
from streams.identity.identifiers import Identifier as Normalised
from streams.identity.identifiers import customer_id, normaliser
from streams.identity.policy import version
from streams.identity.sweep import SWEPT
from streams.rows import FOLD, TIMELINE, NodeKey
from tests.laws.test_order import customers
from tests.simulation import said
from tests.simulation.history import spelled
from tests.simulation.rest import People, Rest

Answers = Iterator[str]
SHOWN_MAX = 3


def equal_to_the_oracle(rest: Rest) -> Answers:
    """Laws 1 to 5: order, duplicates, partitions, short-circuits, crashes: the people are the oracle's."""
    if rest.is_said:
        yield from differences(rest, rest.found, rest.wanted)


def differences(rest: Rest, found: People, wanted: People) -> Answers:
    """Where two answers about people are not the same; an identifier that nobody had to note is alone."""
    for key, canonical in sorted(wanted.person.items()):
        if found.person.get(key, key) != canonical:
            yield f"{rest.named(key)} belongs to {rest.named(found.person.get(key, key))}, by the oracle to {rest.named(canonical)}"
    for canonical in sorted({*found.touches, *wanted.touches} if rest.is_whole else ()):
        have, want = found.touches.get(canonical, set()), wanted.touches.get(canonical, set())
        if have != want:
            yield f"{rest.named(canonical)} holds {_list(have)}, by the oracle {_list(want)}"


def each_event_in_one_person(rest: Rest) -> Answers:
    """Law 6."""
    if not rest.is_whole:
        return
    held = Counter(name for names in rest.found.touches.values() for name in names)
    placed = Counter(_id(row) for _, _, row in rest.rows(TIMELINE.tag))
    for one in rest.kept:
        if held[one.id] != 1 or placed[one.id] != 1:
            yield f"{one.id} is in {held[one.id]} people and in {placed[one.id]} timelines"


def _id(row: bytes) -> str:
    return str(msgspec.msgpack.decode(row)[0])


def nobody_over_a_limit(rest: Rest) -> Answers:
    """Law 7: no person over a limit of its unique types, or across a pair that is kept apart."""
    ranked = sorted(rest.plain["types"].items(), key=lambda item: (item[1]["priority"], item[0]))
    for _, _, person in rest.people:
        counted = Counter(member[0] for member in person.members)
        for code, (name, row) in enumerate(ranked):
            if not rest.is_bound and row["strength"] == "unique" and counted[code] > row["limit"]:
                yield f"{rest.named(person.canonical)} has {counted[code]} of {name}"
    if rest.is_said:
        newest = {frozenset(one[:2]): one for one in sorted(rest.apart, key=lambda one: one[3])}
        for left, right, is_apart, _ in newest.values():
            if is_apart is True and rest.found.person.get(left, left) == rest.found.person.get(right, right):
                yield f"{rest.named(left)} and {rest.named(right)} are one person, and were to be kept apart"


def weak_links_have_no_say(rest: Rest) -> Answers:
    """Law 8: who is known is who would be known if nobody had ever seen a weak identifier."""
    if not rest.is_said or rest.is_bound or rest.scenario.policy.component_members_max < 1_000:
        return
    ranked = sorted(rest.plain["types"].items(), key=lambda item: (item[1]["priority"], item[0]))

    def strong(keys: Iterable[NodeKey]) -> tuple[NodeKey, ...]:
        return tuple(key for key in keys if ranked[key[0]][1]["strength"] != "weak")

    events = [(strong(keys), at, name) for keys, at, name in map(rest.event, rest.kept)]
    apart = [one for one in rest.apart if len(strong(one[:2])) == 2]
    wanted = rest.oracle([event for event in events if event[0]], apart).person
    for key in sorted(wanted):
        if rest.found.person.get(key, key) != wanted[key]:
            yield f"{rest.named(key)} is with {rest.named(rest.found.person.get(key, key))}, without weak links with {rest.named(wanted[key])}"


def generic_links_nobody(rest: Rest) -> Answers:
    """Law 9."""
    if rest.is_said and not rest.marks:
        for key in sorted(rest.shared):
            beside = [other for other, who in rest.found.person.items() if who == rest.found.person.get(key, key) and other != key]
            if beside:
                yield f"{rest.named(key)} is shared by too many, and linked with {', '.join(map(rest.named, sorted(beside)))}"


def crowds_are_counted(rest: Rest) -> Answers:
    """Every identifier knows with which types it is crowded, whatever came in which order."""
    if rest.is_full:
        return
    found = {(key, code) for _, key, row in rest.rows(NODE.tag) for code in NODE.decode(row).crowded}
    for key, code in sorted(found ^ rest.crowds):
        yield f"{rest.named(key)} {'is' if (key, code) in found else 'is not'} crowded with type {code}, by the oracle otherwise"


def joining_has_no_order(rest: Rest) -> Answers:
    """Law 10: the evidence of components joins in any order and any number of times to the same."""
    parts = [structs.replace(component, past=None) for _, _, component in rest.components[:4]]
    for left, right in combinations(parts, 2):
        one, other, again = copy(left), copy(right), copy(left)
        join(one, right)
        join(other, left)
        join(again, right)
        join(again, right)
        if not _evidence(one) == _evidence(other) == _evidence(again):
            yield "joining two components depends on their order"


def _evidence(component: object) -> bytes:
    bare = structs.replace(component, floor=0, people=(), settled=None)  # type: ignore[type-var]  # a component, which is a struct
    return COMPONENT.encode(bare)  # type: ignore[arg-type]  # as above


def versions_go_up(rest: Rest) -> Answers:
    """Law 11; without transactions a batch may be done again with fewer records, after it has moved a customer away: then both say the same version."""
    if rest.scenario.settings.guarantee == "exactly_once":
        yield from said.profiles(rest.heard).wrong


def redirects_end(rest: Rest) -> Answers:
    """Law 12: with somebody who lives, or was erased."""
    told = said.profiles(rest.heard)
    for name in sorted(told.into):
        to, steps = name, 0
        while to in told.into and steps <= len(told.into):
            to, steps = told.into[to], steps + 1
        if to not in told.living and to not in told.empty:
            yield f"{name} redirects to {to}, who is nobody"


def all_is_swept(rest: Rest) -> Answers:
    """Whatever policies were in force on the way, everything is resolved under the last."""
    policy = rest.scenario.policy
    for partition, _, row in rest.rows(SWEPT.tag):
        stands = SWEPT.decode(row)
        if stands.policy != version(policy) or stands.at is not None:
            yield f"of partition {partition} {stands.looked} rows are judged under policy {stands.policy}"


def nothing_waits(rest: Rest) -> Answers:
    """Law 13: nothing is parked, no part of a move lies about, and who has a parent has no component any more."""
    yield from (f"a message waits in partition {partition}" for partition, _, _ in rest.rows(PARKED.tag))
    yield from (f"a part of a move lies in partition {partition}" for partition, _, row in rest.rows(STASH.tag) if row)
    roots = {(partition, root) for partition, root, _ in rest.components}
    for partition, key, row in rest.rows(NODE.tag):
        if NODE.decode(row).parent is not None and (partition, key) in roots:
            yield f"{rest.named(key)} has a parent and a component"
    for _, root, component in rest.components:
        if component.parked:
            yield f"{rest.named(root)} counts {component.parked} messages that wait, and none does"


def the_erased_are_gone(rest: Rest) -> Answers:
    """Law 14: no row holds an identifier that was erased as somebody's own; nor does the newest value of any compacted key."""
    if not rest.is_known_who_was_erased:
        return
    changelogs = [{row.key: row.value for row in log} for log in rest.world.broker.changelogs]
    newest = {record.key: record.value for record in rest.heard.log[topics.PROFILES]}
    kept = {one for entry in rest.kept for one in entry.identifiers}
    for key, mark in sorted(rest.marks.items()):
        identifier = rest.names.get(key)
        if not mark.own or identifier is None or identifier in kept:
            continue
        text = identifier[1].encode()
        for place, values in (("a row", [*changelogs, *(store.rows for store in rest.world.rows)]), ("a profile", [newest])):
            if any(_holds(value, text) for rows in values for value in rows.values() if value is not None):
                yield f"{place} holds {rest.named(key)}, which was erased"


def _holds(value: bytes, text: bytes) -> bool:
    """Whether a text stands in a value, and not as the beginning of a longer one (person1 in person12)."""
    at = value.find(text)
    while at >= 0:
        if not value[at + len(text) : at + len(text) + 1].isdigit() and not value[max(0, at - 1) : at].isalnum():
            return True
        at = value.find(text, at + 1)
    return False


def normalising_is_idempotent(rest: Rest) -> Answers:
    """Law 15: whichever way an identifier is written, its form is the same, and its form's form is that form."""
    normalise = normaliser(rest.scenario.policy).normalise
    for key, (kind, value) in rest.names.items():
        for spelling in range(3):
            found = normalise(kind, spelled(kind, value, spelling))
            if not isinstance(found, Normalised) or found.value != value or found.key != key or normalise(kind, found.value) != found:
                yield f"{kind}:{spelled(kind, value, spelling)} becomes {found}"


def outputs_are_those_of_a_calm_world(rest: Rest) -> Answers:
    """Emitted less retracted, states and profiles: what a world says that had it all in order, on one partition, without a fault."""
    if not rest.is_said or not rest.is_whole or not rest.is_calm:
        return
    if customers(rest.world) != customers(rest.calm):
        yield f"the states of {_list(_different(customers(rest.world), customers(rest.calm)))} are other than in a calm world"
    yield from _standing(rest)
    living, wanted = said.profiles(rest.heard).living, said.profiles(rest.calm).living
    if living - rest.doubtful != wanted - rest.doubtful:
        yield f"the profiles {_list(living ^ wanted)} live in one of two worlds alone"


def _standing(rest: Rest) -> Answers:
    have, want = said.standing(rest.heard), said.standing(rest.calm)
    void = {one.id for one in rest.void}
    for name in sorted(want.keys() - rest.doubtful):
        if have.get(name) != want[name]:
            yield f"the output {name} ({want[name].get('rule') or want[name].get('journey')}) is {have.get(name)}, in a calm world {want[name]}"
    for name in sorted(have.keys() - want.keys() - rest.doubtful):
        if void.isdisjoint(have[name]["evidence"]):  # The outputs of who was erased are not taken back.
            yield f"the output {name} stands, and in a calm world does not: {have[name]}"
    if rest.scenario.settings.guarantee == "exactly_once":
        yield from (f"{which} was said twice" for which in said.said_twice(rest.heard))


def _different(left: dict[bytes, bytes], right: dict[bytes, bytes]) -> set[str]:
    return {customer_id(key[-16:]) for key in left.keys() | right.keys() if left.get(key) != right.get(key)}


def the_published_are_the_people(rest: Rest) -> Answers:
    """Of every person who holds an interaction there is one row of a state and one living profile, and of nobody else."""
    people = {person.canonical for _, _, person in rest.people if person.fragments}
    folded = [key[1:] for _, key, _ in rest.rows(FOLD.tag)]
    living = said.profiles(rest.heard).living
    if sorted(folded) != sorted(people):
        yield f"people {_list(map(rest.named, people))}, states {_list(map(rest.named, folded))}"
    if living - rest.doubtful != {customer_id(key) for key in people} - rest.doubtful:
        yield f"{len(people)} people, and profiles of {len(living)}: {_list(living ^ {customer_id(key) for key in people})}"


def memories_are_bounded(rest: Rest) -> Answers:
    """What a node remembers of its links, of the unique identifiers that it met, has a bound; a timeline holds no more than it may, and totals all else."""
    most = rest.scenario.settings.linked_max
    for _, key, row in rest.rows(NODE.tag):
        node = NODE.decode(row)
        if len(node.linked) >= most + 4:
            yield f"{rest.named(key)} remembers {len(node.linked)} links, {most} are enough"
        if len(node.unique) > 6:
            yield f"{rest.named(key)} remembers {len(node.unique)} unique identifiers"
    for _, root, one in rest.components:
        size = sum(map(len, (one.members, one.edges, one.crowded, one.generic)))
        if size > rest.scenario.policy.component_size_max and not one.full:
            yield f"the component of {rest.named(root)} is {size} large, and not full"
    if not rest.is_whole:
        yield from _totals_are_whole(rest)


def _totals_are_whole(rest: Rest) -> Answers:
    """With short timelines: nothing that was taken in is lost, and nothing counts twice, whoever merged or parted."""
    most = rest.scenario.settings.interactions_max
    for canonical, names in sorted(rest.found.touches.items()):
        if len(names) > 2 * most:
            yield f"the timeline of {rest.named(canonical)} holds {len(names)}, {most} are enough"
    counted = sum(decode_row(row).state.interactions for _, _, row in rest.rows(FOLD.tag))
    applied = rest.world.tally["kairos_interactions_applied",]
    if rest.scenario.settings.guarantee == "exactly_once" and counted != applied:
        yield f"the states hold {counted} interactions, {applied} were applied"


def no_personal_data_in_a_key(rest: Rest) -> Answers:
    """The keys of rows, of changelogs and of every topic that Kairos writes hold no identifier in the clear."""
    texts = [value.encode() for _, value in rest.names.values()]
    keys = {key for log in rest.world.broker.changelogs for key, _ in ((row.key, row) for row in log)}
    keys |= {record.key or b"" for log in rest.world.log.values() for record in log}
    keys |= {record.key or b"" for place, log in rest.world.inputs.items() if place[0] == topics.IDENTITY for record in log}
    for key in sorted(keys):
        if any(text in key for text in texts):
            yield f"the key {key!r} holds an identifier"


def rows_lie_where_they_belong(rest: Rest) -> Answers:
    """A component lies in the partition of its root, its timelines and states beside it; the store and its cache hold what the changelog says."""
    homes = {fragment: partition for partition, _, component in rest.components for fragment in component.fragments}
    for partition, root, _ in rest.components:
        if rest.world.partition_of(root) != partition:
            yield f"the component of {rest.named(root)} lies in partition {partition}"
    for partition, key, _ in rest.rows(TIMELINE.tag):
        if homes.get(key[:16]) != partition:
            yield f"a timeline of {rest.named(key[:16])} lies in partition {partition}, without its component"
    yield from rest.world.unlike()


def all_are_counted(rest: Rest) -> Answers:
    """What was read is applied, a duplicate, dead (also where it is too late) or void: nothing else, exactly."""
    if rest.scenario.settings.guarantee != "exactly_once" or rest.scenario.settings.doubles:
        return
    tally = rest.world.tally
    read, applied = tally["kairos_interactions_read",], tally["kairos_interactions_applied",]
    others = {name: tally[f"kairos_interactions_{name}",] for name in ("duplicate", "erased")}
    dead = sum(count for name, count in tally.items() if name[0] == "kairos_interactions_dead")
    if read != applied + dead + sum(others.values()):
        yield f"{read} were read, {applied} applied, {dead} dead, {others}"


def restored_by_taking_back(rest: Rest) -> Answers:
    """Law 16: once every pair may be together again, all is as if nobody had ever been kept apart. It changes the world, so it comes last."""
    pairs = sorted({frozenset((left, right)) for left, right, is_apart, _ in rest.apart if is_apart is True}, key=sorted)
    if not pairs or rest.marks:
        return
    after = rest.after_allowing([tuple(sorted(both)) for both in pairs])
    if not after.is_said:
        return
    yield from differences(after, after.found, after.wanted)
    if after.is_whole and after.is_calm and customers(after.world) != customers(after.calm):
        yield f"the states of {_list(_different(customers(after.world), customers(after.calm)))} are other than if nobody had been kept apart"


def _list(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "") if shown else "nothing"


LAWS: dict[str, Callable[[Rest], Answers]] = {
    "3 equal to the oracle (1 order, 2 duplicates, 4 partitions, 5 crashes)": equal_to_the_oracle,
    "6 each event in exactly one person": each_event_in_one_person,
    "7 nobody over a unique limit or across a cannot-link": nobody_over_a_limit,
    "8 weak links never reduce the known people": weak_links_have_no_say,
    "9 a generic identifier links nobody": generic_links_nobody,
    "crowds are those of the oracle": crowds_are_counted,
    "10 joining is commutative and idempotent": joining_has_no_order,
    "11 versions never go back": versions_go_up,
    "12 redirects end at the living or the erased": redirects_end,
    "13 at rest nothing waits": nothing_waits,
    "all is resolved under the policy in force": all_is_swept,
    "14 the erased are gone": the_erased_are_gone,
    "15 normalising is idempotent": normalising_is_idempotent,
    "emitted less retracted": outputs_are_those_of_a_calm_world,
    "profiles are the people": the_published_are_the_people,
    "bounded memories": memories_are_bounded,
    "no personal data in a key": no_personal_data_in_a_key,
    "rows lie where they belong": rows_lie_where_they_belong,
    "read = applied + duplicate + dead + void": all_are_counted,
    "16 a cannot-link taken back restores": restored_by_taking_back,
}


def broken(rest: Rest) -> dict[str, list[str]]:
    """The laws that do not hold, each with its first answers."""
    found: dict[str, list[str]] = {}
    for name, law in LAWS.items():
        answers = []
        try:
            for answer in law(rest):
                answers.append(answer)
                if len(answers) == SHOWN_MAX:
                    break
        except (AssertionError, KeyError, ValueError) as wrong:
            answers.append(f"cannot be asked: {wrong!r}")
        if answers:
            found[name] = answers
    return found
