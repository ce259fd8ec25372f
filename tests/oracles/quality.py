"""Pairs and clusters counted one by one: every two interactions are asked about. It shares no code with what it judges."""

from itertools import combinations


def scores(found, parts, person, excused=()):
    """`found`, `parts`, `person`: label by interaction (those without a part are not judged); `excused`: sets of two people who cannot be told apart.

    Returns (right, claimed, reached, wanted) of pairs, and the same of clusters.
    """
    judged = sorted(parts)
    pairs = [0, 0, 0, 0]
    for one, other in combinations(judged, 2):
        same = person[one] == person[other]
        if found[one] == found[other] and (same or {person[one], person[other]} not in excused):
            pairs[0] += same
            pairs[1] += 1
        if parts[one] == parts[other]:
            pairs[2] += found[one] == found[other]
            pairs[3] += 1
    clusters = [0, 0, 0, 0]
    for name in {found[one] for one in judged}:
        held = [one for one in judged if found[one] == name]
        if len(held) > 1:
            clusters[1] += 1
            clusters[0] += all(
                person[one] == person[other] or {person[one], person[other]} in excused for one, other in combinations(held, 2)
            )
    for name in {parts[one] for one in judged}:
        held = [one for one in judged if parts[one] == name]
        if len(held) > 1:
            clusters[3] += 1
            clusters[2] += len({found[one] for one in held}) == 1
    return tuple(pairs), tuple(clusters)


def alike(carried, person, kinds):
    """The sets of two people who share an identifier that is neither weak nor a login, where no two of its users have logins of one type."""
    found = []
    for identifier in {one for held in carried for one in held}:
        weak, _, login = kinds[identifier]
        users = sorted({person[place] for place, held in enumerate(carried) if identifier in held})
        theirs = {one for place, held in enumerate(carried) if person[place] in users for one in held if kinds[one][2]}
        if not weak and login is None and len({kinds[one][2] for one in theirs}) == len(theirs):
            found += [{one, other} for one, other in combinations(users, 2)]
    return found


def parts(carried, person, kinds):
    """What can be told, for people of at most one login a type: by growing each part until nothing more belongs to it."""
    own = [
        [one for one in held if all(person[place] == person[other] or one not in carried[other] for other in range(len(carried)))]
        for place, held in enumerate(carried)
    ]
    strong = [{one for one in held if not kinds[one][0]} for held in own]
    weak = [{one for one in held if kinds[one][0]} for held in own]
    label = {}
    for place in range(len(carried)):
        if strong[place]:
            label[place] = ("strong", min(_grown(strong[place], strong)))
    for place in range(len(carried)):
        if place in label or not weak[place]:
            continue
        thing = _grown(weak[place], weak)
        met = {label[other] for other in range(len(carried)) if weak[other] & thing and strong[other]}
        if len(met) == 1:
            (label[place],) = met
        elif not met and any(kinds[one][1] for one in thing):
            label[place] = ("thing", min(thing))
    return label


def _grown(seed, held):
    grown, before = set(seed), None
    while grown != before:
        before = set(grown)
        for other in held:
            if other & grown:
                grown |= other
    return grown
