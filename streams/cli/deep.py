"""`kairos identity erase --deep`: what is told of a rewrite, and of one that cannot be.

The rule this module owns: the erasure was carried out before; whatever is refused here, the same command again goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.table import Table

from streams import app
from streams.cli import lines, screen, session
from streams.cli.options import Failure
from streams.replay.reading import Place
from streams.rewrite import run
from streams.rewrite.run import Asked, Behind, Rewrite, Unclosed
from streams.settings import Settings

_ERASED = "The erasure itself was carried out, and topics are clean when their retention has passed."
_AGAIN = "Give the same command again for the rest of it."


def carry_out(settings: Settings, broker: str, seconds: float, regardless: bool) -> list[Rewrite]:
    """Rewrite the topics; Failure, with what to do, where that has to wait."""
    with session.connected(settings, broker) as kafka:
        policy, replayed = app.policy_of(settings), settings.clock == "replay"
        asked = Asked(kafka.bootstrap, kafka.app_id, kafka.changelog, policy, replayed, seconds, regardless)
        try:
            return run.rewrite(asked, screen.bar)
        except Behind as behind:
            raise Failure(_behind(behind, asked.group, seconds)) from None
        except Unclosed as unclosed:
            raise Failure(f"{_ERASED} But a transaction stays open on {unclosed}, so what lies there is not known yet. {_AGAIN}") from None


def told(done: Sequence[Rewrite]) -> list[dict[str, Any]]:
    """For a machine: by topic what was moved and removed."""
    found: list[dict[str, Any]] = msgspec.to_builtins(list(done))
    return found


def show(done: Sequence[Rewrite]) -> None:
    """Print it as a table."""
    table = Table("rewritten", "partitions", "moved", "bytes moved", "removed", "bytes removed", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for one in done:
        counts = (one.partitions, one.moved, one.moved_bytes, one.removed, one.removed_bytes)
        table.add_row(one.topic, *(f"{count:,}" if count else "-" for count in counts))
    screen.console().print(table)
    screen.console().print(
        "Kafka deletes their files when it next looks for old ones and log.segment.delete.delay.ms is over: after 6 minutes where nothing else is set.",
        style=lines.STYLE_QUIET,
        soft_wrap=True,
    )


def _behind(behind: Behind, own: str, seconds: float) -> str:
    where = f"{_ERASED} But nothing was moved on {', '.join(sorted({topic for places in behind.late.values() for topic, _ in places}))}"
    if behind.own:
        return f"{where}: the workers ({own}) have not read it all within {seconds:g} s. Are they running? {_AGAIN}"
    return (
        f"{where}: who still has to read there would meet what is moved elsewhere and later. After {seconds:g} s these are behind: "
        f"{_groups(behind.late)}. Let them catch up, or delete those that nobody uses any more, and give the same command again; or give it "
        "with --although-others-lag."
    )


def _groups(late: Mapping[str, Sequence[Place]]) -> str:
    return "; ".join(
        f"{group} ({len(places)} {'partition' if len(places) == 1 else 'partitions'})" for group, places in sorted(late.items())
    )
