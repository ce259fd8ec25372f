"""What a tree compiles to: closures over facts, the slots they remember things in, the deadlines they set.

The rule this module owns: a remembered value is made of None, bool, int, float, str, list and dict, and is never changed in place: a step
returns another. So a state can be copied by its top, written as msgpack, and what stood before an interaction can still be read.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from streams.rows import Touch, payload, worth

Exact = Decimal | int
Ratio = tuple[Exact, Exact]
"""A number as numerator and denominator (above zero): means are compared without division."""
Holds = Callable[["Facts"], bool]
Measure = Callable[["Facts"], "Ratio | None"]
"""The number as of the facts; None where there is none (no such property, nothing to average)."""
Remembered = Any
"""What a slot holds; only its own operator knows the shape."""
Step = Callable[[Remembered, "Facts"], object]
Might = Callable[[str], bool]
"""Whether an interaction with this event's name may be meant."""
Change = tuple[int, str]
"""An instant at which time alone may change a level, and the id of the interaction that set it."""
Level = Callable[["Facts"], "tuple[bool, Change | None]"]
"""Whether a level holds, and when time alone may next change that: at the true instant or before it, never after it; None: never."""
Leaving = tuple[int, str, Exact]
"""When something leaves a window, the id of the interaction, and by how much the number falls with it."""
Leavings = Callable[["Facts"], list[Leaving]]
"""What leaves windows next, ascending: so much of it as LEAVINGS_MAX of each window."""
LEAVINGS_MAX = 8
"""How many leavings are looked through for the one that turns a comparison; where none does, the last of them is awaited all the same."""


_NOTHING: tuple[None, str] = (None, "")
"""What a deadline is worth."""


class Placed(Protocol):
    """A position in a journey, as far as rules see it."""

    @property
    def stage(self) -> str: ...


class Firing(Struct, frozen=True, gc=False):
    """One time that a rule holds: the interactions that identify it, and those that show it."""

    cause: tuple[str, ...]
    evidence: tuple[str, ...]


class Facts:
    """What a rule may look at while it is judged: the interaction or the deadline, what is remembered, where the customer stands.

    `event` is the name of the interaction's event, None at a deadline; `name` tells the interaction from all others; `before` holds what the
    slots that this interaction changed held before it. Owned and changed by customer/fold.py alone.
    """

    __slots__ = (
        "_properties",
        "_worth",
        "before",
        "deadline",
        "due",
        "entered",
        "event",
        "fired",
        "journeys",
        "memory",
        "name",
        "now",
        "segments",
        "touch",
    )

    def __init__(
        self, memory: list[Remembered], due: list[int | None], journeys: Mapping[str, Placed], segments: Mapping[str, int]
    ) -> None:
        self.memory = memory
        self.due = due
        self.journeys = journeys
        self.segments = segments
        self.before: dict[int, Remembered] = {}
        self.entered: dict[str, str] = {}
        self.touch: Touch | None = None
        self.event: str | None = None
        self.name = ""
        self.now = 0
        self.fired = -1
        self.deadline = 0
        self._properties: Mapping[str, object] | None = None
        self._worth: tuple[Decimal | None, str] | None = None

    def meet(self, touch: Touch) -> None:
        """Turn to an interaction."""
        self.touch = touch
        self.event = touch.event
        self.name = touch.name
        self.now = touch.occurred_at
        self.fired = -1
        if self.before:
            self.before = {}
        if self.entered:
            self.entered = {}
        self._properties = None
        self._worth = None

    def strike(self, deadline: int, fired: int) -> None:
        """Turn to a deadline: its instant and its slot."""
        self.touch = self.event = None
        self.name = ""
        self.now = self.deadline = deadline
        self.fired = fired
        self.before = {}
        self.entered = {}
        self._properties = {}
        self._worth = _NOTHING

    def properties(self) -> Mapping[str, object]:
        """The interaction's properties; empty at a deadline."""
        if self._properties is None:
            assert self.touch is not None
            self._properties = payload(self.touch.payload).properties or {}
        return self._properties

    def currency(self) -> str:
        """The currency of the interaction's revenue; empty where it says none."""
        return self._worth[1] if self._worth is not None else self._weighed()[1]

    def revenue(self) -> Decimal | None:
        """What the interaction is worth: its property `revenue`, else its value's amount."""
        return self._worth[0] if self._worth is not None else self._weighed()[0]

    def _weighed(self) -> tuple[Decimal | None, str]:
        assert self.touch is not None
        self._worth = worth(self.touch)
        return self._worth

    def earlier(self, slot: int) -> Remembered:
        """What a slot held before this interaction."""
        return self.before[slot] if slot in self.before else self.memory[slot]


class Slot(NamedTuple):
    """Something remembered: its first value, which events change it, and how; a later slot may read an earlier one."""

    initial: object
    might: Might
    step: Step
    at_deadline: int
    """The slot of the deadline that also steps it, or -1."""


class Builder:
    """Gives out slots while rules compile: equal parts of trees share one."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.setters: list[Callable[[Facts], str]] = []
        self.deadline_names: list[str] = []
        self.used: set[int] = set()
        self.awaited: set[int] = set()
        self.watched: set[str] = set()
        self._slot_of: dict[str, int] = {}
        self._deadline_of: dict[str, int] = {}

    def begin(self) -> None:
        """Start another rule: from here `used`, `awaited` and `watched` are its slots, deadlines and journeys."""
        self.used, self.awaited, self.watched = set(), set(), set()

    def remember(self, key: str, initial: object, might: Might, step: Step, at_deadline: int = -1) -> int:
        """The slot of what `key` names, made where it is new."""
        slot = self._slot_of.get(key)
        if slot is None:
            slot = self._slot_of[key] = len(self.slots)
            self.slots.append(Slot(initial, might, step, at_deadline))
        self.used.add(slot)
        return slot

    def await_(self, key: str, setter: Callable[[Facts], str]) -> int:
        """The deadline that `key` names, made where it is new; `setter` tells which interaction set it."""
        deadline = self._deadline_of.get(key)
        if deadline is None:
            deadline = self._deadline_of[key] = len(self.setters)
            self.setters.append(setter)
            self.deadline_names.append(key)
        self.awaited.add(deadline)
        return deadline

    def met_by(self, name: str) -> bool:
        """Whether an event's name may change anything that the present rule remembers."""
        return any(self.slots[slot].might(name) for slot in self.used)
