"""Reads the truth that a simulation wrote beside its interactions. The rule this module owns: nothing here is guessed, all of it was written."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.simulator.life import identifiers_of

TRUTH, INTERACTIONS = "truth.jsonl", ("interactions.jsonl", "interactions.jsonl.gz")


class NotTheTruth(Exception):
    """What lies beside the interactions is not the truth about them; the text says in which file, and what to look for."""


class Known(NamedTuple):
    """A person: with whom under one roof (None: nobody), and in which hard case (None: in none)."""

    person: str
    household: str | None
    case: str | None


class Truth(NamedTuple):
    """Everybody, who sent which message (a place in `people`), and which messages a hard case has touched."""

    people: list[Known]
    sender: dict[str, int]
    touched: dict[str, str]


class Line(msgspec.Struct, rename="camel"):
    """A line of the truth."""

    person: str
    household: str | None
    messages: list[str]
    hard: dict[str, list[str]] = {}


def paths(directory: Path) -> tuple[Path, Path]:
    """The interactions and the truth in a directory; FileNotFoundError, with the missing one's name, where it is none of a simulation."""
    found = [directory / name for name in INTERACTIONS if (directory / name).exists()]
    truth = directory / TRUTH
    for path in (*(found or [directory / INTERACTIONS[0]])[:1], truth):
        if not path.exists():
            raise FileNotFoundError(2, "is missing; `kairos simulate --out` writes it", str(path))
    return found[0], truth


def read(path: Path) -> Truth:
    """The truth in a file. Raises NotTheTruth."""
    truth = Truth([], {}, {})
    decode = msgspec.json.Decoder(Line).decode
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = decode(text)
            except msgspec.DecodeError as error:
                raise NotTheTruth(f"{path}, line {number}, is no line of a simulation's truth: {error}") from None
            place = len(truth.people)
            truth.people.append(Known(line.person, line.household, next(iter(line.hard), None)))
            truth.sender.update(dict.fromkeys(line.messages, place))
            for case, messages in line.hard.items():
                truth.touched.update(dict.fromkeys(messages, case))
    return truth


def carried(line: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The message id of an interaction, and what it says of who it was: (type, value), each as the truth spells it."""
    told = _decode(line)
    return told["messageId"], tuple(_named(told))


def _named(told: dict[str, object]) -> Iterator[tuple[str, str]]:
    yield from identifiers_of(told)


_decode = msgspec.json.Decoder(dict).decode
