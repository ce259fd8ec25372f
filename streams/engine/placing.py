"""Who has which partition, and who keeps copies of it: every worker its share, what is lost goes to who has a copy of it.

The rule: a pure function of who is there and of what each had. What runs stays where it is as far as shares allow; the copies of one worker's partitions are
spread over the others, so that its share is divided among them when it dies, and warm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from faust.assignor.client_assignment import ClientAssignment
from faust.assignor.partition_assignor import PartitionAssignor


class Held(NamedTuple):
    """What one worker has: partitions, and copies of others'."""

    actives: set[int]
    copies: set[int]


class Placing:
    """One assignment in the making."""

    def __init__(self, before: Mapping[str, Held], partitions: int, copies: int) -> None:
        """`before`: what each worker that is there had, empty for one that has just come."""
        self.held = {member: Held(set(), set()) for member in sorted(before)}
        self._before = before
        self._partitions = range(partitions)
        self._copies = min(copies, len(before) - 1)
        self._owners: dict[int, str] = {}

    def place(self) -> Mapping[str, Held]:
        """Each partition once, shares that differ by one at most, and so many copies of each as there are others to keep them."""
        self._keep()
        self._give()
        self._level()
        self._copy()
        return self.held

    def _load(self, member: str) -> tuple[int, str]:
        return len(self.held[member].actives), member

    def _own(self, partition: int, member: str) -> None:
        if partition in self._owners:
            self.held[self._owners[partition]].actives.discard(partition)
        self._owners[partition] = member
        self.held[member].actives.add(partition)

    def _warm(self, partition: int) -> list[str]:
        return [member for member in self.held if partition in self._before[member].copies]

    def _keep(self) -> None:
        for member in self.held:
            for partition in self._before[member].actives:
                if partition in self._partitions and partition not in self._owners:
                    self._own(partition, member)

    def _give(self) -> None:
        for partition in sorted(set(self._partitions) - self._owners.keys(), key=lambda each: len(self._warm(each)) or len(self.held)):
            self._own(partition, min(self._warm(partition) or self.held, key=self._load))

    def _level(self) -> None:
        while True:
            least, most = min(self.held, key=self._load), max(self.held, key=self._load)
            if self._load(most)[0] - self._load(least)[0] <= 1:
                return
            full = [member for member in self.held if self._load(member)[0] == self._load(most)[0]]
            movable = sorted(partition for member in full for partition in self.held[member].actives)
            self._own(min(movable, key=lambda each: least not in self._warm(each)), least)

    def _copy(self) -> None:
        others = len(self.held) - 1
        if not self._copies:
            return
        share_then = -(-len(self._partitions) // others)
        in_all = -(-len(self._partitions) * self._copies // (others + 1))
        beside: dict[tuple[str, str], int] = dict.fromkeys(((owner, other) for owner in self.held for other in self.held), 0)
        missing = dict.fromkeys(self._partitions, self._copies)

        def copy(partition: int, member: str) -> None:
            self.held[member].copies.add(partition)
            beside[self._owners[partition], member] += 1
            missing[partition] -= 1

        for partition in self._partitions:
            owner = self._owners[partition]
            for member in self.held:
                had = partition in self._before[member].copies or partition in self._before[member].actives
                room = len(self.held[member].actives) + beside[owner, member] < share_then and len(self.held[member].copies) < in_all
                if had and room and member != owner and missing[partition]:
                    copy(partition, member)
        for partition in self._partitions:
            owner = self._owners[partition]
            while missing[partition]:
                free = [member for member in self.held if member != owner and partition not in self.held[member].copies]
                copy(
                    partition,
                    min(
                        free,
                        key=lambda each: (beside[owner, each] + len(self.held[each].actives), len(self.held[each].copies), each),
                    ),
                )


def placed(before: Mapping[str, Held], partitions: int, copies: int) -> Mapping[str, Held]:
    """Who has what from now on."""
    return Placing(before, partitions, copies).place()


class Assignor(PartitionAssignor):
    """Faust's; with standbys it is placed as above, the same partitions of all topics, which are co-partitioned."""

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        self._were = {member: self._get_client_metadata(metadata).assignment for member, metadata in member_metadata.items()}
        return super()._perform_assignment(cluster, member_metadata)

    def _protocol_assignments(self, assignments: Any, *distribution: Any) -> Any:
        return super()._protocol_assignments(self._with_copies(assignments), *distribution)

    def _with_copies(self, assignments: Mapping[str, ClientAssignment]) -> Mapping[str, ClientAssignment]:
        copies = self.app.tables.shared.settings.standbys
        topics = {frozenset(assignment.actives) for assignment in assignments.values()}
        counts = {
            sum(len(assignment.actives.get(topic, ())) for assignment in assignments.values()) for topic in frozenset().union(*topics)
        }
        if (
            not copies or len(topics) != 1 or len(counts) != 1
        ):  # Without, or while workers of two versions read different topics: as Faust has it.
            return assignments
        (names,), (partitions,) = topics, counts
        first = min(names)
        before = {
            member: Held(set(self._were[member].actives.get(first, ())), set(self._were[member].standbys.get(first, ())))
            for member in assignments
        }
        return {member: _everywhere(held, names) for member, held in placed(before, partitions, copies).items()}


def _everywhere(held: Held, topics: Collection[str]) -> ClientAssignment:
    actives, copies = sorted(held.actives), sorted(held.copies)
    return ClientAssignment(actives={topic: list(actives) for topic in topics}, standbys={topic: list(copies) for topic in topics})
