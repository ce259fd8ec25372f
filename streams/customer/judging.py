"""Journeys, segments and moments judged over facts: where the state moves, and what is said of it.

The rule this module owns: journeys first, then segments, then moments, each in the order in which they were written.
"""

from schemas.output import EVIDENCE_MAX
from streams.customer.emissions import Emission, identify
from streams.customer.state import Position, State
from streams.language import START
from streams.language.compile import Facts, Firing
from streams.language.rulebook import JourneyRule, MomentRule, Plan, SegmentRule, TransitionRule
from streams.rows import id_of

ENTERED, LEFT = "entered", "left"


def concerns(plan: Plan, state: State) -> bool:
    """Whether a plan has anything to do where the customer stands."""
    if not plan.only_moves:
        return True
    for journey in plan.journeys:
        position = state.journeys.get(journey.name)
        if (START if position is None else position.stage) in journey.transitions:
            return True
    return False


def judge(state: State, facts: Facts, plan: Plan, said: list[Emission]) -> None:
    """Judge all that the plan names; the state is the fold's own copy."""
    for journey in plan.journeys:
        _move(state, facts, journey, said)
    for segment in plan.segments:
        _enter_or_leave(state, facts, segment, said)
    for moment in plan.moments:
        if moment.holds(facts):
            _fire(state, facts, moment, said)


def _move(state: State, facts: Facts, journey: JourneyRule, said: list[Emission]) -> None:
    position = state.journeys.get(journey.name)
    origin = None if position is None else position.stage
    transitions = journey.transitions.get(START if origin is None else origin)
    if transitions is None:
        return
    for transition in transitions:
        if transition.holds(facts):
            said.append(_stage(state, facts, journey, transition, position, origin))
            return


def _stage(
    state: State, facts: Facts, journey: JourneyRule, transition: TransitionRule, position: Position | None, origin: str | None
) -> Emission:
    """Move on, and say so."""
    name, to, now = journey.name, transition.to, facts.now
    firing, touch = transition.firings(facts)[0], facts.touch
    cause, shown = firing.cause, firing.evidence
    deadline = facts.deadline if touch is None else None
    state.journeys[name] = Position(to, now, shown[-1], deadline)
    facts.entered[name] = to
    evidence = (touch.id,) if touch is not None and shown == (facts.name,) else tuple([id_of(one) for one in shown[-EVIDENCE_MAX:]])
    return Emission(
        "stage",
        identify("stage", name, origin, to, cause, deadline is not None),
        name,
        journey.version,
        journey.owner,
        now,
        state.received_at,
        evidence[-1],
        deadline,
        evidence,
        state.replayed,
        origin,
        to,
        None if position is None else now - position.since,
    )


def _enter_or_leave(state: State, facts: Facts, segment: SegmentRule, said: list[Emission]) -> None:
    declared, was_in = segment.declared, segment.declared.name in state.segments
    is_in, change = segment.level(facts)
    if was_in != is_in:
        by = str(facts.memory[segment.setter]) if facts.fired == segment.due else _by(state, facts)
        to = ENTERED if is_in else LEFT
        deadline = facts.deadline if facts.touch is None else None
        text, values = (segment.reason if is_in else segment.left)(facts, None)
        said.append(
            Emission(
                kind="segment",
                id=identify("segment", declared.name, None, to, (by,), deadline is not None),
                rule=declared.name,
                rule_version=segment.version,
                owner=declared.owner,
                occurred_at=facts.now,
                received_at=state.received_at,
                message_id=id_of(by),
                deadline=deadline,
                evidence=(id_of(by),),
                replayed=state.replayed,
                to=to,
                purpose=declared.purpose,
                text=text,
                values=values,
            )
        )
        others = {name: since for name, since in state.segments.items() if name != declared.name}
        facts.segments = state.segments = {**others, declared.name: facts.now} if is_in else others
    facts.due[segment.due], facts.memory[segment.setter] = (None, "") if change is None else change


def _by(state: State, facts: Facts) -> str:
    """The interaction at hand; at a deadline that is another rule's, the one by which a journey has just moved."""
    if facts.touch is not None:
        return facts.name
    return next(position.by for name, position in state.journeys.items() if name in facts.entered)


def _fire(state: State, facts: Facts, moment: MomentRule, said: list[Emission]) -> None:
    declared = moment.declared
    for firing in moment.firings(facts):
        significance = moment.significance(facts)
        if significance is None:
            return
        count = state.moments.get(declared.name, (0, 0))[0]
        state.moments = {**state.moments, declared.name: (count + 1, facts.now)}
        said.append(_moment(state, facts, moment, firing, significance))


def _moment(state: State, facts: Facts, moment: MomentRule, firing: Firing, significance: float) -> Emission:
    declared = moment.declared
    deadline = facts.deadline if facts.touch is None else None
    text, values = moment.because(facts, significance)
    return Emission(
        kind="moment",
        id=identify("moment", declared.name, None, "", firing.cause, deadline is not None),
        rule=declared.name,
        rule_version=moment.version,
        owner=declared.owner,
        occurred_at=facts.now,
        received_at=state.received_at,
        message_id=facts.touch.id if facts.touch is not None else id_of(firing.evidence[-1]),
        deadline=deadline,
        evidence=tuple([id_of(name) for name in firing.evidence[-EVIDENCE_MAX:]]),
        replayed=state.replayed,
        scope=declared.scope,
        expires_at=facts.now + declared.expires,
        significance=significance,
        text=text,
        values=values,
        offers=declared.offers,
        action=declared.action,
        channel=declared.channel,
    )
