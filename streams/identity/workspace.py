"""A batch's working copy of the forest in one partition.

The rule this module owns: a row is copied before it is changed, and written once, when the batch ends. Of what is sent, a message to this very
partition is delivered within the batch, after the handler that sent it: no handler meets rows that another is about to change.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from schemas import topics
from streams.boundary import Outgoing, Rows
from streams.identity import messages
from streams.identity.component import COMPONENT, NODE, Component, Node, alone, copy, settled
from streams.identity.messages import Ask, Audit, Bind, Cannot, Cause, Erase, Event, Generic, Message
from streams.identity.past import Erasing
from streams.identity.policy import Policy
from streams.identity.resolve import law
from streams.rows import NodeKey, Person

_UNTOUCHED = Node()


class Applied(NamedTuple):
    """A touch that joined a fragment and is not in the timeline yet."""

    fragment: NodeKey
    uid: bytes
    occurred_at: int
    touch: bytes


class Void(NamedTuple):
    """An interaction that an erasure made void and of which no receipt tells: it came after it, or stood in a timeline that was carried here.
    `floor`: no version of a customer whom it concerns is greater."""

    anchor: NodeKey
    uid: bytes
    floor: int
    stood: bool = False


class Carried(NamedTuple):
    """What came of a command, and of an erasure that came after a later one (of others their receipt tells): the identifiers that it names, whether it
    holds (False: a later command held already), the customers who held them just before it or hold them since, and their interactions, as they were and
    as they are (canonical keys, sorted), the person to whom the first of them belongs, and the version that no customer of the component is above."""

    command: Ask | Bind | Cannot | Generic | Erase
    audit: Audit
    identifiers: tuple[NodeKey, ...]
    holds: bool
    before: tuple[NodeKey, ...]
    after: tuple[NodeKey, ...]
    canonical: NodeKey
    version: int


Row = tuple[bytes, bytes]
"""Key and value, as they are stored."""


class Story:
    """What happened to one component in this batch; owned by its workspace."""

    __slots__ = ("applied", "before", "carried", "cause", "erasing", "moved", "news", "unsettled")

    def __init__(self, before: tuple[Person, ...]) -> None:
        self.before = before
        self.applied: list[Applied] = []
        self.carried: dict[NodeKey, list[Row]] = {}
        self.moved = False
        self.unsettled = False
        self.cause: Cause | None = None
        self.news: Applied | None = None
        self.erasing: Erasing | None = None

    def join(self, other: "Story") -> None:
        """The story of a component that joined this one's."""
        self.before += other.before
        self.applied += other.applied
        self.carried.update(other.carried)
        self.moved = True
        self.cause = other.cause or self.cause
        self.news = self.news or other.news
        if other.erasing is not None:
            held = self.erasing or Erasing()
            self.erasing = Erasing(
                held.receipts + other.erasing.receipts, held.members | other.erasing.members, held.swept | other.erasing.swept
            )


class _Nodes(dict[NodeKey, Node]):
    """The nodes of a batch as they stand; one that is missing is read. So to look one up that is there is no call of Python."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __missing__(self, key: NodeKey) -> Node:
        node = self[key] = self._rows.get(NODE, (key,))[0] or _UNTOUCHED
        return node


class _Components(dict[NodeKey, Component]):
    """The components of a batch by their roots, as they stand; one that is missing is read, or made if there is none: `rowless` knows of which."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.rowless: set[NodeKey] = set()

    def __missing__(self, root: NodeKey) -> Component:
        stored = None if root in self.rowless else self._rows.get(COMPONENT, (root,))[0]
        if stored is None:
            self.rowless.add(root)
            stored = alone(root)
        self[root] = stored
        return stored


class _Stories(dict[NodeKey, Story]):
    """What happened to components, by their roots; it begins with the customers as they are when it is first asked for."""

    def __init__(self, components: _Components) -> None:
        self._components = components

    def __missing__(self, root: NodeKey) -> Story:
        story = self[root] = Story(settled(self._components[root]))
        return story


class Workspace:
    """Nodes, components and stories of one batch; owns what it copied and the queue of messages to itself.

    `components` at the roots of this partition are not to be changed; `own` gives one that may be.
    """

    def __init__(self, rows: Rows, policy: Policy) -> None:
        self.rows = rows
        self.policy = policy
        self.law = law(policy)
        self.types = self.law.types
        self.send: list[Outgoing] = []
        self.tally: Counter[tuple[str, ...]] = Counter()
        self.void: list[Void] = []
        self.carried: list[Carried] = []
        self.nodes = _Nodes(rows)
        self.components = _Components(rows)
        self.stories = _Stories(self.components)
        self._written: dict[NodeKey, Node] = {}
        self._owned: dict[NodeKey, Component | None] = {}
        self.untotalled: set[NodeKey] = set()
        """Roots that held nothing in totals when the batch began, as far as that was asked."""
        self.sweeping = -1
        """The turn of the sweep that the partition has told itself to go on with."""
        self.queue: deque[tuple[NodeKey, Message]] = deque()
        """The messages to this partition that wait for the handler in hand to end."""

    def look_ahead(self, addressed: Sequence[tuple[NodeKey, Message]]) -> None:
        """Read what the messages of a batch address, then whom they will tell to join it in this partition."""
        self.read_ahead({key for key, _ in addressed})
        seen = [(self.nodes[key].linked, message.ids[1:]) for key, message in addressed if type(message) is Event]
        named = {other for linked, others in seen for other in others if other not in linked}
        self.read_ahead([other for other in named if self.rows.holds(other)])

    def read_ahead(self, keys: Iterable[NodeKey]) -> None:
        """Read the rows of nodes of this partition and of all above them, as many as possible in one go."""
        known, components = self.nodes, self.components
        wanted = [key for key in keys if key not in known]
        while wanted:
            above: set[NodeKey] = set()
            roots: list[NodeKey] = []
            nodes = self.rows.get(NODE, wanted)
            for key, node in zip(wanted, nodes, strict=True):
                if node is None:
                    known[key] = _UNTOUCHED
                    roots.append(key)
                else:
                    known[key] = node
                    (roots.append if node.parent is None else above.add)(node.parent or key)
            rows = self.rows.get(COMPONENT, roots)
            for key, component in zip(roots, rows, strict=True):
                if component is not None:
                    components[key] = component
                else:
                    components.rowless.add(key)
            wanted = [key for key in above if key not in known and self.rows.holds(key)]

    def stored(self, keys: Collection[NodeKey]) -> list[tuple[NodeKey, Component]]:
        """Of nodes that were read ahead, those that are roots with a row."""
        return [(key, self.components[key]) for key in keys if key in self.components]

    def node_now(self, key: NodeKey, stored: Node) -> Node:
        """A node whose row was just read, as this batch has it."""
        return self.nodes.get(key, stored)

    def component_now(self, root: NodeKey, stored: Component) -> Component | None:
        """A component whose row was just read, as this batch has it; None where it is gone, or will be resolved anyway."""
        story = self.stories.get(root)
        if (root in self._owned and self._owned[root] is None) or (story is not None and (story.unsettled or story.moved)):
            return None
        return self.components.get(root, stored)

    def write_node(self, key: NodeKey, node: Node) -> None:
        self.nodes[key] = self._written[key] = node

    def own(self, root: NodeKey) -> Component:
        """The component at a root of this partition, to be changed and written at the batch's end."""
        owned = self._owned.get(root)
        if owned is None:
            component = self.components[root]
            if root not in self.stories:  # The people before are read off the component as it was.
                self.stories[root] = Story(settled(component))
            # Where there is no row, the component was made for this batch and is nobody else's.
            owned = self._owned[root] = self.components[root] = component if root in self.components.rowless else copy(component)
        return owned

    def is_unknown(self, key: NodeKey) -> bool:
        """Whether a node is known to have no component's row, and got no component in this batch."""
        return key in self.components.rowless and key not in self.components

    def drop(self, root: NodeKey) -> None:
        """The component has joined another's: its row goes."""
        self.components.pop(root, None)
        self.stories.pop(root, None)
        self._owned.pop(root, None)
        if root not in self.components.rowless and self.rows.get(COMPONENT, (root,))[0] is not None:
            self._owned[root] = None

    def emit(self, key: NodeKey, message: Message) -> None:
        """Send a message to a node: to another partition when the batch is committed, to this one within the batch."""
        if self.rows.holds(key):
            self.queue.append((key, message))
        else:
            self.post(key, message)

    def refuse(self, anchor: NodeKey, uid: bytes, floor: int) -> None:
        """Do not keep an interaction that comes after an erasure which concerns it."""
        self.void.append(Void(anchor, uid, floor))
        self.tally["kairos_interactions_erased",] += 1

    def post(self, key: NodeKey, message: Message) -> None:
        """Send a message to a node of another partition."""
        self.send.append(Outgoing(topics.IDENTITY, key, messages.encode(message)))

    def climb(self, key: NodeKey, path: messages.Path) -> tuple[NodeKey, messages.Path, bool]:
        """From a node of this partition towards its root: where the pointers lead, the nodes passed that had something, and whether the end lies here."""
        node = self.nodes[key]
        if node.parent is None:
            return key, path, True
        passed = set(path)
        above: NodeKey | None = node.parent
        while above is not None:
            if not node.bare:
                passed.add(key)
            key = above
            if not self.rows.holds(key):
                return key, tuple(sorted(passed)), False
            node = self.nodes[key]
            above = node.parent
        return key, tuple(sorted(passed)), True

    def write(self) -> None:
        """Put every row that changed."""
        for key, node in self._written.items():
            self.rows.put(NODE, key, node)
        for root, component in self._owned.items():
            self.rows.put(COMPONENT, root, component)


def ready(component: Component, path: Sequence[NodeKey]) -> bool:
    """Whether all that a message climbed through has been absorbed here: else it has to wait."""
    return component.members.issuperset(path)
