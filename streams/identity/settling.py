"""What a batch came to: every component whose evidence changed is resolved, anew and once, and what changed is told.

The rule this module owns: people are read off the evidence as it stands at the batch's end; how it came about, message by message, is no matter here.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streams.identity import changes, past
from streams.identity.changes import Conflict
from streams.identity.component import Component
from streams.identity.messages import Cause
from streams.identity.past import Past, Receipt
from streams.identity.resolve import Refused, resolve_by
from streams.identity.workspace import Applied, Row, Story, Workspace
from streams.rows import NodeKey, Person, touch_id

NOTHING: Mapping[NodeKey, Sequence[Row]] = {}


class Change(NamedTuple):
    """One raw component that was touched, as it stands at the batch's end; its root is in this partition.

    `before`: its customers as last settled, and those of every component it absorbed; `after`: its customers now (each holds a touch).
    `applied`: touches that joined, in arrival order. `moved`: rows came from elsewhere, its customers are to be folded anew.
    `floor`: no version ever given to a customer of this component is greater. `cause`: what led to it, where that is known.
    `erased`: customers that were forgotten and so are in neither, `ended`: those before who were as well, while others have touches of theirs;
    `receipts`: by which commands; `swept`: fragments that lost touches by it. `past`: who is no more; where there is any, somebody new may have been
    somebody before. `carried`: timelines that came whole from elsewhere in this batch, as rows.
    """

    root: NodeKey
    before: tuple[Person, ...]
    after: tuple[Person, ...]
    applied: tuple[Applied, ...]
    moved: bool
    floor: int
    cause: Cause | None
    erased: tuple[Person, ...] = ()
    ended: tuple[Person, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    swept: frozenset[NodeKey] = frozenset()
    past: Past | None = None
    carried: Mapping[NodeKey, Sequence[Row]] = NOTHING


def settle(work: Workspace) -> tuple[list[Change], list[Conflict]]:
    """Resolve every component whose evidence changed, anew and once; tell what changed."""
    told: list[Change] = []
    conflicts: list[Conflict] = []
    for root, story in work.stories.items():
        before = after = story.before
        if story.unsettled or story.moved:
            component = work.own(root)
            after = _resolve(work, component, conflicts)
        elif story.applied:
            component = work.components[root]
        else:
            continue
        if story.erasing is not None:
            told.append(_forgotten(work, root, story, after))
            continue
        cause = story.cause
        if after != before and (len(after) != len(before) or set(after) != set(before)):
            component.floor += 1
            if cause is None and story.news is not None:
                cause = (story.news.occurred_at, touch_id(story.news.touch))
            if before:
                _count_people(work, before, after)
        carried = story.carried if component.past is None else NOTHING
        applied = tuple(story.applied)
        told.append(Change(root, before, after, applied, story.moved, component.floor, cause, past=component.past, carried=carried))
    return told, conflicts


def _forgotten(work: Workspace, root: NodeKey, story: Story, after: tuple[Person, ...]) -> Change:
    """A change in which somebody was erased: versions go on above theirs."""
    assert story.erasing is not None
    who = past.parted(story.before, after, story.erasing.members)
    own = work.own(root)
    own.floor += 1
    lasting = [person for person in who.remaining if person not in who.ended]
    if lasting:
        _count_people(work, lasting, after)
    work.tally["kairos_customers_erased",] += len(who.erased) + len(who.ended)
    forgotten = (who.erased, who.ended, tuple(story.erasing.receipts), frozenset(story.erasing.swept))
    return Change(root, who.remaining, after, tuple(story.applied), story.moved, own.floor, story.cause, *forgotten, own.past)


def _resolve(work: Workspace, own: Component, conflicts: list[Conflict]) -> tuple[Person, ...]:
    people, refused, own.undisputed = resolve_by(work.law, own)
    if own.full:
        least = min(own.members)
        refused = (*refused, Refused("component_full", least, least, work.types[least[0]].name, None))
    if len(people) == 1 and people[0].fragments:
        own.people, own.settled = None, people
    else:
        own.people = own.settled = tuple([person for person in people if person.fragments])
    for link in refused:
        mark = changes.fingerprint(link)
        if mark not in own.said:
            own.said.add(mark)
            conflicts.append(changes.conflict(link, people, work.types))
            work.tally["kairos_identity_conflicts", link.rule] += 1
    return own.settled


def _count_people(work: Workspace, before: Sequence[Person], after: Sequence[Person]) -> None:
    if len(before) == len(after) == 1 and before[0].canonical == after[0].canonical:
        return
    merged = sum(len(merge.gone) for merge in changes.merges(before, after))
    split = sum(len(split.into) - 1 for split in changes.splits(before, after))
    for name, count in (("kairos_customers_merged", merged), ("kairos_customers_split", split)):
        if count:
            work.tally[name,] += count
