"""The links between identifiers as a picture: SVG, by itself, with nothing to fetch.

The rule this module owns: no two labels overlap. Every identifier has a strip of its own, as high as its box and its label need, and every column
is as wide as its widest box. Widths are guessed from above, as no font is at hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from textwrap import wrap
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from streams import instants
from streams.cli import lines, reasons
from streams.cli.evidence import Evidence
from streams.identity.explain import Step, Why, chains, refusals, walk
from streams.identity.identifiers import customer_id
from streams.rows import NodeKey, Person

NAME_SIZE, LABEL_SIZE, TITLE_SIZE = 13, 11, 16
CHARACTER_WIDTH = 0.62
"""Of a character at most, on average, in widths of its font's size."""
IDENTIFIERS_MAX = 200
"""So many identifiers are drawn, the nearest to the canonical one, and so many refused links; `--json` has all."""
NAME_CHARACTERS_MAX = 44
LABEL_CHARACTERS_MAX = 62
BOX_HEIGHT, LINE_HEIGHT, GAP, MARGIN, BEND = 40, 15, 16, 28, 44

STYLE = f"""text{{font-family:"DejaVu Sans",Verdana,Arial,sans-serif;fill:#1f2933}}
.name{{font-size:{NAME_SIZE}px;font-weight:600}}.sub,.label{{font-size:{LABEL_SIZE}px;fill:#52606d}}.bad{{font-size:{LABEL_SIZE}px;fill:#b42318}}
.title{{font-size:{TITLE_SIZE}px;font-weight:600}}.link{{fill:none;stroke:#7b8794;stroke-width:1.6}}
.refused{{fill:none;stroke:#d92d20;stroke-width:1.6;stroke-dasharray:5 4}}.box{{stroke-width:1.4}}
.own{{fill:#e6f4ea;stroke:#2e7d4f}}.root{{fill:#cfe8d6;stroke:#1b5e36}}.other{{fill:#fdf1e3;stroke:#b7791f}}.third{{fill:#f0f2f5;stroke:#7b8794}}"""


class _Node(NamedTuple):
    """A box, the label of the link that leads to it, and the boxes behind it."""

    name: str
    sub: str
    tone: str
    label: tuple[tuple[str, str], ...]
    holds: bool
    below: tuple[_Node, ...]


def person(evidence: Evidence, whose: Person) -> str:
    """A person's identifiers as a tree of the links that hold, with the refused ones to others beside."""
    nearest = sorted(chains(evidence.judged, whose).items(), key=lambda one: (len(one[1]), one[0]))
    found = dict(nearest[:IDENTIFIERS_MAX])
    below: dict[NodeKey, list[NodeKey]] = defaultdict(list)
    for member, steps in found.items():
        below[walk(whose.canonical, steps)[-2]].append(member)
    refused: dict[NodeKey, list[tuple[NodeKey, Step]]] = defaultdict(list)
    for step in refusals(evidence.judged, whose)[:IDENTIFIERS_MAX]:
        own, other = reasons.ends_of(step, whose)
        refused[own].append((other, step))

    def node(key: NodeKey) -> _Node:
        after = [node(child) for child in sorted(below[key])]
        after += [
            _Node(_name(evidence, other), _sub(evidence, other), "other", _label(evidence, step), False, ()) for other, step in refused[key]
        ]
        label = _label(evidence, found[key][-1]) if key in found else ()
        tone = "own" if key in found else "root"
        return _Node(_name(evidence, key), _seen(evidence, key), tone, label, True, tuple(after))

    count = f"{len(whose.members):,} identifier{'s' * (len(whose.members) != 1)}"
    if len(found) < len(nearest):
        count += f", the nearest {len(found) + 1:,} of them drawn"
    return _tree(f"{customer_id(whose.canonical)}: {count}", node(whose.canonical))


def why(evidence: Evidence, left: NodeKey, right: NodeKey, said: Why) -> str:
    """The chain between two identifiers, from top to bottom; each person in a colour."""
    one, other = evidence.person(left).canonical, evidence.person(right).canonical
    tones = {other: "other", one: "own"}
    title = "The same person" if said.same else "Not the same person"
    parts = []
    y = MARGIN + TITLE_SIZE + GAP
    widest = _width(title, TITLE_SIZE)
    keys = walk(left, said.steps) if said.steps or left == right else [left, right]
    boxes = [(_name(evidence, key), _sub(evidence, key), tones.get(evidence.person(key).canonical, "third")) for key in keys]
    wide = max(_box_width(name, sub) for name, sub, _ in boxes)
    for number, (name, sub, tone) in enumerate(boxes):
        parts.append(_box(MARGIN, y, wide, name, sub, tone))
        y += BOX_HEIGHT
        if number + 1 < len(boxes):
            label = _label(evidence, said.steps[number]) if said.steps else (("never seen together", "bad"),)
            holds = bool(said.steps) and said.steps[number].holds
            high = max(2 * GAP + len(label) * LINE_HEIGHT, BOX_HEIGHT)
            middle = MARGIN + 40
            parts.append(f'<path class="{"link" if holds else "refused"}" d="M{middle} {y}V{y + high}"/>')
            top = y + (high - len(label) * LINE_HEIGHT) / 2
            parts += [_text(middle + GAP, top + LINE_HEIGHT * (row + 0.75), words, tone) for row, (words, tone) in enumerate(label)]
            widest = max([widest, *(40 + GAP + _width(words, LABEL_SIZE) for words, _ in label)])
            y += high
    return _svg(max(wide, widest) + 2 * MARGIN, y + MARGIN, title, parts)


def _tree(title: str, root: _Node) -> str:
    """A tree from left to right."""
    boxes: list[float] = []
    gutters: list[float] = []
    _measure(root, 0, boxes, gutters)
    starts = [float(MARGIN)]
    for box, gutter in zip(boxes, gutters[1:], strict=False):
        starts.append(starts[-1] + box + gutter)
    top = MARGIN + TITLE_SIZE + GAP
    parts: list[str] = []
    _draw(root, 0, top, starts, boxes, parts)
    width = max(starts[-1] + boxes[-1] + MARGIN, _width(title, TITLE_SIZE) + 2 * MARGIN)
    return _svg(width, top + _height(root) + MARGIN, title, parts)


def _measure(node: _Node, depth: int, boxes: list[float], gutters: list[float]) -> None:
    """The widest box of every column, and the widest label before it."""
    if depth == len(boxes):
        boxes.append(0.0)
        gutters.append(0.0)
    boxes[depth] = max(boxes[depth], _box_width(node.name, node.sub))
    gutters[depth] = max([gutters[depth], *(_width(words, LABEL_SIZE) + BEND + GAP for words, _ in node.label)])
    for child in node.below:
        _measure(child, depth + 1, boxes, gutters)


def _height(node: _Node) -> float:
    own = max(BOX_HEIGHT, 2 * (max(len(node.label) - 1, 1) * LINE_HEIGHT + 4)) + GAP
    return max(own, sum(_height(child) for child in node.below))


def _draw(node: _Node, depth: int, top: float, starts: Sequence[float], boxes: Sequence[float], parts: list[str]) -> None:
    middle = top + _height(node) / 2
    parts.append(_box(starts[depth], middle - BOX_HEIGHT / 2, boxes[depth], node.name, node.sub, node.tone))
    at = top + (_height(node) - sum(_height(child) for child in node.below)) / 2
    for child in node.below:
        end = at + _height(child) / 2
        out, into = starts[depth] + boxes[depth], starts[depth + 1]
        bend = f"C{out + BEND / 2:.0f} {middle:.1f} {out + BEND / 2:.0f} {end:.1f} {out + BEND:.0f} {end:.1f}"
        parts.append(f'<path class="{"link" if child.holds else "refused"}" d="M{out:.0f} {middle:.1f}{bend}H{into:.0f}"/>')
        for row, (words, tone) in enumerate(child.label):
            parts.append(_text(out + BEND + 2, end - 5 if row == 0 else end + 1 + LINE_HEIGHT * (row - 0.2), words, tone))
        _draw(child, depth + 1, at, starts, boxes, parts)
        at += _height(child)


def _label(evidence: Evidence, step: Step) -> tuple[tuple[str, str], ...]:
    """What a link's line says, the first above it, the others below: its interactions, and why it was refused."""
    touches = evidence.touches.get(step.left + step.right, [])
    seen = [reasons.sighting(evidence, step)]
    if len(touches) > 1:
        seen = [f"{len(touches):,} interactions: {reasons.told(touches[0])}", f"... {reasons.told(touches[-1])}"]
    label = [(part, "label") for line in seen for part in wrap(line, LABEL_CHARACTERS_MAX, break_long_words=True)]
    if not step.holds:
        label += [(line, "bad") for line in wrap(reasons.reason(evidence, step), LABEL_CHARACTERS_MAX)]
    return tuple(label)


def _name(evidence: Evidence, key: NodeKey) -> str:
    name = lines.clean(evidence.name(key))
    return name if len(name) <= NAME_CHARACTERS_MAX else f"{name[: NAME_CHARACTERS_MAX - 1]}…"


def _sub(evidence: Evidence, key: NodeKey) -> str:
    return f"of {lines.short(customer_id(evidence.person(key).canonical))}…"


def _seen(evidence: Evidence, key: NodeKey) -> str:
    first, last = (lines.when(None if one is None else instants.text(one))[:10] for one in reasons.seen(evidence, key))
    return f"{first} to {last}" if first != last else first


def _width(words: str, size: int) -> float:
    return sum(1.1 if east_asian_width(character) in "WF" else CHARACTER_WIDTH for character in words) * size


def _box_width(name: str, sub: str) -> float:
    return max(_width(name, NAME_SIZE) * 1.06, _width(sub, LABEL_SIZE)) + 20


def _box(x: float, y: float, width: float, name: str, sub: str, tone: str) -> str:
    shape = f'<rect class="box {tone}" x="{x:.0f}" y="{y:.1f}" width="{width:.0f}" height="{BOX_HEIGHT}" rx="7"/>'
    return shape + _text(x + 10, y + 17, name, "name") + _text(x + 10, y + 32, sub, "sub")


def _text(x: float, y: float, words: str, tone: str) -> str:
    return f'<text class="{tone}" x="{x:.0f}" y="{y:.1f}">{escape(words)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>\n'
    body = "\n".join([_text(MARGIN, MARGIN + TITLE_SIZE - 4, title, "title"), *parts])
    return f"{head}{ground}{body}\n</svg>\n"
