"""A live customer as of one instant: two sides can be compared only where time stands still on both.

The rule this module owns: what a tick would have done up to the instant is done here by the code that ticks, and nothing is ever taken back: of a customer
whom time has moved beyond the instant an older row is wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from streams import app
from streams.app import UnknownJourney
from streams.boundary import Outgoing
from streams.customer import emissions, guards, publish
from streams.customer.customers import Customer
from streams.customer.fold import fold
from streams.customer.guards import Court
from streams.customer.state import FoldRow
from streams.identity.policy import Policy, version
from streams.identity.protocol import Advanced
from streams.language import Rulebook, RulesRefused
from streams.replay.plan import Plan, rule_versions
from streams.rows import Person

NOBODY = Advanced([], [], [], [], {})


class InForce(NamedTuple):
    """By what a live application folds and says."""

    rulebook: Rulebook
    policy: Policy


class Moved(NamedTuple):
    """A customer's row as of the instant, and what is said on the way, its profile last."""

    row: FoldRow
    said: Sequence[Outgoing]


class _Clock(NamedTuple):
    now: int
    replayed: bool = False


def in_force(plan: Plan, policy: Policy) -> InForce | None:
    """The rules and the policy that were live when the plan was made; None where they are others by now."""
    try:
        rulebook = app.rules_of(plan.live.journeys)
    except (UnknownJourney, RulesRefused):
        return None
    same = rule_versions(rulebook) == plan.live.rules and version(policy) == plan.live.policy
    return InForce(rulebook, policy) if same else None


def is_beyond(row: FoldRow, instant: int) -> bool:
    """Whether time alone has moved a customer beyond the instant: a deadline after it has fallen due, and after all that came."""
    newest = row.state.newest
    return row.state.drained > max(instant, newest[0] if newest is not None else 0)


def waits(row: FoldRow, instant: int) -> bool:
    """Whether a deadline up to the instant has yet to fall due."""
    return row.next_deadline is not None and row.next_deadline <= instant


def moved_on(row: FoldRow, person: Person, instant: int, by: InForce) -> Moved | None:
    """What a tick at the instant makes of a customer; None where it was folded by other rules."""
    rulebook = by.rulebook
    if row.rulebook != rulebook.version:
        return None
    folded = fold(row.state, (), instant, rulebook)
    amended = emissions.amend(emissions.decode(row.kept), folded.emissions, complete=False)
    after = replace(row, version=row.version + 1, as_of=max(row.as_of, instant), next_deadline=folded.next_deadline, state=folded.state)
    after = replace(after, kept=emissions.encode(amended.kept))
    customer = Customer(person.canonical, person, row, after, amended.records, [], False)
    judged = guards.judged([customer], Court(_Clock(instant), instant, rulebook.cool_downs, rulebook.caps))
    return Moved(after, publish.outputs(judged, (), NOBODY, _Clock(instant), by.policy, rulebook, Counter(), []))
