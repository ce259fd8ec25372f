"""The live terminal view: a screenful that fits the terminal it is on, whatever its size.

The rule this module owns: nothing wraps and nothing scrolls; what does not fit is cut with an ellipsis.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.cli import lines
from streams.cli.view import Picture

WIDE_COLUMNS = 150
"""From here on a moment and its explanation fit a line."""
REFRESHES_PER_SECOND = 4
FIXED_LINES = 9
"""Lines that are not news: head, bar, rates, counts, two of names, two rules, and one left free below."""
LABEL_COLUMNS = 9


class Live:
    """Draws pictures in place on a terminal, with a clock that goes on between them, and clears the screenful at its end."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._picture: Picture | None = None
        self._shown_at = 0.0
        self._live = RichLive(
            console=console, get_renderable=self._draw, refresh_per_second=REFRESHES_PER_SECOND, transient=True, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._live.__exit__(*details)

    def show(self, picture: Picture) -> None:
        """Draw this from the next refresh on."""
        self._shown_at = time.monotonic()
        self._picture = picture

    def _draw(self) -> RenderableType:
        picture = self._picture
        if picture is None:
            return Text("")
        now = picture._replace(seconds=picture.seconds + time.monotonic() - self._shown_at)
        return screen(now, self._title, self._console.width, self._console.height)


def screen(picture: Picture, title: str, width: int, height: int) -> RenderableType:
    """A picture as at most `height` - 1 lines of `width` columns."""
    rows = max(2, height - FIXED_LINES)
    per_moment = 1 if width >= WIDE_COLUMNS else 2
    moments = max(1, (rows * 3 // 5) // per_moment)
    stages = max(1, rows - moments * per_moment)
    seen = picture.seen
    return Group(
        _head(picture, title, width),
        _bar(picture, width),
        _rates(picture),
        _counts(picture),
        _named("stages", seen.stages, lines.STAGE_STYLES),
        _named("moments", seen.moments, {}),
        Rule(Text("moments", style="bold"), align="left", style="dim"),
        *_padded([line for moment in _newest(seen.newest_moments, moments) for line in _moment(moment, per_moment)], moments * per_moment),
        Rule(Text("stage changes", style="bold"), align="left", style="dim"),
        *_padded([_line(lines.stage(change)) for change in _newest(seen.newest_stages, stages)], stages),
    )


def _head(picture: Picture, title: str, width: int) -> RenderableType:
    left = Text.assemble(("Kairos  ", "bold magenta"), (title, "bold"), (f"  {picture.phase}", "dim"))
    clock = f"{int(picture.seconds) // 60}:{int(picture.seconds) % 60:02d}"
    left.truncate(max(1, width - len(clock) - 2), overflow="ellipsis", pad=True)
    return left.append(f"  {clock}", "dim")


def _bar(picture: Picture, width: int) -> RenderableType:
    done = picture.done
    if picture.total is None:
        words = f"{done:,} of {picture.sent:,} sent so far" if picture.sent else ""
    else:
        words = f"{done:,} of {picture.total:,}  {100 * done // max(picture.total, 1):3d}%"
    bar = ProgressBar(
        total=picture.total, completed=done, width=max(8, width - len(words) - 2), pulse=picture.total is None, finished_style="green"
    )
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_row(bar, words)
    return row


def _rates(picture: Picture) -> Text:
    text = _label("rate").append(f"{picture.rate:,.0f}/s", "bold")
    for topic, lag in picture.lag.items():
        text.append(f"   lag {topic.split('.')[1]} ", "dim").append(f"{lag:,}", "yellow" if lag else "green")
    return _line(text)


def _counts(picture: Picture) -> Text:
    seen = picture.seen
    text = _label("counts")
    counts = {"applied": seen.applied, "dead": seen.dead, "people": len(seen.customers), "merged": seen.merges, "retracted": seen.retracted}
    for name, count in counts.items():
        text.append(f"{name} ", "dim").append(f"{count:,}", "red" if name == "dead" and count else "bold").append("   ")
    return _line(text)


def _named(label: str, counts: Mapping[str, int], styles: Mapping[str, str]) -> Text:
    text = _label(label)
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        text.append(f"{lines.clean(name)} ", styles.get(name, "")).append(f"{count:,}", "bold").append("  ")
    return _line(text)


def _moment(value: Mapping[str, Any], per_moment: int) -> list[Text]:
    if per_moment == 1:
        return [_line(lines.moment(value))]
    head = Text.assemble(
        (lines.when(value["occurredAt"]), lines.STYLE_TIME),
        (f"  {lines.short(value['customerId'])}  ", lines.STYLE_ID),
        (lines.clean(value["moment"]), lines.STYLE_NAME),
        (f" {value['status']}", lines.STATUS_STYLES.get(value["status"], "")),
    )
    return [_line(head), _line(Text(f"    {lines.clean(value['explanation']['text'])}"))]


def _newest(values: Iterable[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """The last `count`, newest first; a copy, for another thread appends."""
    return list(values)[-count:][::-1]


def _padded(shown: list[Text], count: int) -> list[Text]:
    return shown + [Text("")] * (count - len(shown))


def _label(name: str) -> Text:
    return Text().append(f"{name:<{LABEL_COLUMNS}}", "dim")


def _line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
