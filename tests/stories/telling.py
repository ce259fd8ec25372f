"""Stories: what happens to one customer and what is said of it, as text. Its rule: columns stand two blanks apart, in the order shown.

    journey  retail
    event    a  2026-01-01 09:00  web  crm_id 17  Order Completed  revenue 40
    expect      2026-01-01 09:00  stage    first_order        because a
    until       2026-06-01 00:00
    expect      2026-04-01 09:00  stage    at_risk            because a
    expect      retracted         stage    repeat             because b
    expect      2026-02-01 09:00  moment   cart_abandoned     because c  Left the cart.  not released: cool_down

Events arrive as written; each `expect` stands after what makes it said; `until` lets time pass. A `#` begins a remark.
"""

import importlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams import instants
from streams.customer import emissions, state
from streams.customer.emissions import Emission, Said
from streams.language import Rulebook, rulebook
from streams.rows import Touch
from tests.customer.memory import Customer

GAP = re.compile(r"\s{2,}")


@dataclass
class Step:
    """An event, or time that passes, with the line that says so and the lines that are expected after it."""

    line: str
    touch: Touch | None
    until: int
    expected: list[str] = field(default_factory=list)


@dataclass
class Story:
    """A journey's rules, and the steps."""

    head: list[str]
    rules: Rulebook
    steps: list[Step]

    @property
    def touches(self) -> list[Touch]:
        return [step.touch for step in self.steps if step.touch is not None]

    @property
    def end(self) -> int:
        return max(step.until for step in self.steps)


def read(text: str) -> Story:
    """Read a story; ValueError where a line is none."""
    head: list[str] = []
    rules: Rulebook | None = None
    steps: list[Step] = []
    for line in text.splitlines():
        kind, *columns = GAP.split(line.partition("#")[0].strip())
        if kind == "journey":
            rules = rulebook(importlib.import_module(f"streams.journeys.{columns[0]}"))
            head.append(line)
        elif kind == "event":
            touch = _touch(columns)
            steps.append(Step(line, touch, touch.occurred_at))
        elif kind == "until":
            steps.append(Step(line, None, _instant(columns[0])))
        elif kind == "expect":
            steps[-1].expected.append(_normal(line))
        elif not kind and not steps:
            head.append(line)
        elif kind:
            raise ValueError(f"no line of a story: {line}")
    assert rules is not None, "a story names its journey first"
    return Story(head, rules, steps)


def told(story: Story) -> list[list[str]]:
    """After each step, as written, the lines that are said."""
    customer, said = Customer(story.rules), []
    for step in story.steps:
        before = len(customer.said)
        if step.touch is None:
            customer.tick(step.until)
        else:
            customer.arrive(step.touch)
        said.append([shown(one) + verdict(one) for one in customer.said[before:]])
    return said


def standing(story: Story, touches: Sequence[Touch]) -> tuple[set[str], bytes, bytes]:
    """What stands at the story's end when its events arrive in this order (with id and content); the state then, and one folded from nothing."""
    customer = Customer(story.rules)
    for touch in touches:
        customer.arrive(touch)
    customer.tick(story.end)
    refolded = customer.refolded(story.end).state
    stands = {f"{shown(one)}  {one.emission.id} {emissions.content(one.emission).hex()}" for one in customer.standing().values()}
    return stands, state.encode_state(customer.state), state.encode_state(refolded)


def shown(said: Said) -> str:
    """One output as a line of a story."""
    one = said.emission
    time = "retracted" if said.retracted else instants.text(one.occurred_at).replace("T", " ").removesuffix(":00Z").removesuffix("Z")
    line = f"expect      {time:16}  {one.kind:7}  {_name(one):26}  because {' '.join(one.evidence)}"
    return line + (f"  {one.text}" if one.kind in ("moment", "segment") and one.text else "")


def verdict(said: Said) -> str:
    """Why a moment was not released, in a column of its own; nothing where it was. No part of what stands in every order."""
    return "" if said.retracted or said.verdict is None else f"  not released: {said.verdict}"


def written(story: Story, said: Sequence[Sequence[str]]) -> str:
    """The story with what is said in place of what was expected."""
    lines = [*story.head]
    for step, after in zip(story.steps, said, strict=True):
        lines += [step.line, *after]
    return "\n".join(lines) + "\n"


def _name(one: Emission) -> str:
    return {"stage": one.to, "segment": f"{one.rule} {one.to}", "moment": one.rule}[one.kind]


def _normal(line: str) -> str:
    """An expectation with its columns where `shown` puts them."""
    _, time, kind, name, *rest = GAP.split(line.partition("#")[0].strip())
    return f"expect      {time:16}  {kind:7}  {name:26}  {'  '.join(rest)}"


def _instant(text: str) -> int:
    found = instants.parse(text)
    assert found is not None, f"no instant: {text}"
    return found


def _touch(columns: Sequence[str]) -> Touch:
    name, time, channel, identifiers, event, *rest = columns
    words = identifiers.split()
    properties = dict(_property(column) for column in rest)
    if "revenue" in properties:
        properties.setdefault("currency", "GBP")
    case = properties.pop("caseId", None)
    at = _instant(time)
    return Touch(
        id=name,
        source="story",
        occurred_at=at,
        received_at=at,
        type="track",
        event=event,
        channel=channel,
        touchpoint=channel,
        identifiers=tuple(zip(words[::2], words[1::2], strict=True)),
        payload=json.dumps({"properties": properties}).encode(),
        case_id=None if case is None else str(case),
    )


def _property(column: str) -> tuple[str, object]:
    name, _, value = column.partition(" ")
    return name, (float(value) if "." in value else int(value)) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value
