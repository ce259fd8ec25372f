"""One customer in memory, as the customer agent would keep it: rows in a dict, folded one batch at a time, with what was said and taken back."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from streams import rows as kinds
from streams.boundary import Kind
from streams.customer import emissions, fold, guards, refold, state, timeline
from streams.customer.emissions import Said
from streams.customer.state import FoldRow, State
from streams.language import Rulebook
from streams.rows import Touch, encode_touch

R = TypeVar("R")
SECRET = b"secret"
SUBJECT = b"p" + bytes(16)


class Clock(NamedTuple):
    now: int
    replayed: bool


class MemoryRows:
    """Rows of one partition in a dict; values pass through their codec."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}

    def holds(self, key: bytes) -> bool:
        return True

    def get(self, kind: Kind[R], keys: Sequence[bytes]) -> list[R | None]:
        found = (self.stored.get(kind.tag + key) for key in keys)
        return [None if row is None else kind.decode(row) for row in found]

    def scan(self, kind: Kind[R], first: bytes, end: bytes) -> Iterator[tuple[bytes, R]]:
        ordered = sorted(self.stored)
        for key in ordered[bisect_left(ordered, kind.tag + first) : bisect_left(ordered, kind.tag + end)]:
            yield key[len(kind.tag) :], kind.decode(self.stored[key])

    def put(self, kind: Kind[R], key: bytes, row: R | None) -> None:
        if row is None:
            self.stored.pop(kind.tag + key, None)
        else:
            self.stored[kind.tag + key] = kind.encode(row)


class Customer:
    """A customer whose interactions arrive in any order, and whose time a tick may move."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.rows = MemoryRows()
        self.fragments: set[bytes] = set()
        self.row = state.encode_row(FoldRow(rulebook.version, 0, 0, None, state.empty(rulebook), b""))
        self.said: list[Said] = []
        self.based = 0

    def arrive(self, touch: Touch) -> str:
        """Take in one interaction; what became of it."""
        fragment = kinds.uid(SECRET, "", ":".join(touch.identifiers[0]))
        self.fragments.add(fragment)
        outcome = timeline.insert(self.rows, fragment, kinds.uid(SECRET, touch.source, touch.id), encode_touch(touch))
        if outcome == "duplicate":
            return outcome
        row = state.decode_row(self.row)
        until = max(row.as_of, touch.occurred_at)
        fragments = sorted(self.fragments)
        if outcome == "fresh" and state.follows(row.state, touch):
            folded = fold.fold(row.state, [touch], until, self.rulebook)
            refold.mark(self.rows, SUBJECT, fragments, row.state, folded.state, self.rulebook)
            self._keep(row, folded, until, complete=False)
            return "incremental"
        since = touch.occurred_at if outcome == "fresh" else None
        again = refold.refold(self.rows, SUBJECT, fragments, since, row.state, until, self.rulebook)
        self._keep(row, again.folded, until, complete=True, base=again.base)
        self.based += again.base is not None
        return "refold"

    def tick(self, until: int) -> None:
        """Let time pass."""
        row = state.decode_row(self.row)
        until = max(row.as_of, until)
        self._keep(row, fold.fold(row.state, [], until, self.rulebook), until, complete=False)

    def refolded(self, until: int) -> fold.Folded:
        """The whole timeline, folded from nothing."""
        return fold.fold(state.empty(self.rulebook), timeline.read(self.rows, sorted(self.fragments)), until, self.rulebook)

    def _keep(self, row: FoldRow, folded: fold.Folded, until: int, complete: bool, base: State | None = None) -> None:
        amended = emissions.amend(emissions.decode(row.kept), folded.emissions, complete, base)
        court = guards.Court(Clock(0, True), row.as_of, self.rulebook.cool_downs, self.rulebook.caps)
        said, passed = guards.passed(amended.records, amended.kept, court, {})
        self.said += said
        kept = emissions.encode(passed)
        self.row = state.encode_row(FoldRow(row.rulebook, row.version + 1, until, folded.next_deadline, folded.state, kept))

    @property
    def state(self) -> State:
        """As it stands."""
        return state.decode_row(self.row).state

    def standing(self) -> dict[str, Said]:
        """What was said and not taken back: of each id the greatest revision, if it is no retraction."""
        newest: dict[str, Said] = {}
        for said in self.said:
            held = newest.get(said.emission.id)
            assert held is None or held.revision < said.revision, "a revision was given twice"
            newest[said.emission.id] = said
        return {name: said for name, said in newest.items() if not said.retracted}
