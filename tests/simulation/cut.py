"""What is left of a seed: some of its entries, identifiers and faults, in a smaller world; and how a command line says so.

The rule this module owns: a cut and a seed say all; `arguments` and `read` are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.simulation.history import Entry, Scenario, Seen


class Cut(NamedTuple):
    """`entries`: their places in the seed's history; `without`: (place, number) of identifiers that are left out; `faults`: batches at which they may
    happen; None: all of them. `settings`: what is other in the world. `schedule`: which of the ways that things may follow each other."""

    entries: tuple[int, ...] | None = None
    without: tuple[tuple[int, int], ...] = ()
    faults: tuple[int, ...] | None = None
    settings: tuple[tuple[str, int | float | str], ...] = ()
    schedule: int = 0


WHOLE = Cut()


def applied(scenario: Scenario, cut: Cut) -> Scenario:
    """The scenario that a cut leaves."""
    places = range(len(scenario.entries)) if cut.entries is None else cut.entries
    entries = tuple(_entry(scenario.entries[place], {number for where, number in cut.without if where == place}) for place in places)
    prefix = scenario.prefix if cut.entries is None else sum(place < scenario.prefix for place in places)
    settings = scenario.settings._replace(**dict(cut.settings))  # type: ignore[arg-type]  # names and values of its own fields
    return scenario._replace(settings=settings, entries=entries, prefix=prefix)


def _entry(entry: Entry, without: set[int]) -> Entry:
    if not isinstance(entry, Seen) or not without:
        return entry
    return entry._replace(identifiers=tuple(one for number, one in enumerate(entry.identifiers) if number not in without))


def arguments(seed: int, cut: Cut) -> str:
    """The options that say a seed and a cut of it."""
    said = [f"--seed {seed}"]
    if cut.entries is not None:
        said.append(f"--keep {_numbers(cut.entries) or 'none'}")
    if cut.without:
        said.append("--without " + ",".join(f"{place}.{number}" for place, number in cut.without))
    if cut.faults is not None:
        said.append(f"--faults {_numbers(cut.faults) or 'none'}")
    if cut.settings:
        said.append("--set " + ",".join(f"{name}={value}" for name, value in cut.settings))
    if cut.schedule:
        said.append(f"--schedule {cut.schedule}")
    return " ".join(said)


def read(keep: str | None, without: str | None, faults: str | None, settings: str | None, schedule: int) -> Cut:
    """The cut that the options say; ValueError where they say none."""
    dropped = [tuple(map(int, each.split("."))) for each in (without or "").split(",") if each]
    return Cut(
        _places(keep),
        tuple((place, number) for place, number in dropped),
        _places(faults),
        tuple(sorted(_settings(settings).items())),
        schedule,
    )


def _numbers(places: Iterable[int]) -> str:
    """1,2,3,7 as 1-3,7."""
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and runs[-1][1] == place - 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _places(said: str | None) -> tuple[int, ...] | None:
    if said is None:
        return None
    found: list[int] = []
    for part in said.split(",") if said != "none" else []:
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _settings(said: str | None) -> Mapping[str, int | float | str]:
    found: dict[str, int | float | str] = {}
    for part in (said or "").split(","):
        name, _, value = part.partition("=")
        if name:
            found[name] = int(value) if value.isdigit() else float(value) if value.replace(".", "").isdigit() else value
    return found
