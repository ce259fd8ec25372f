"""The contract written out: JSON Schemas, an AsyncAPI document, the tables of docs/ and the script that creates the topics.

The rule this module owns: what it writes is checked in, and a test fails where the files differ.
`python -m schemas.export [DIRECTORY]` writes them.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from schemas import asyncapi, dead_letter, jsonschema, metrics, moment, topics
from schemas.topics import Topic

GENERATED = "Made by `python -m schemas.export` from `schemas/`; change it there."

_UNITS_MS = (("day", topics.DAY_MS), ("hour", 3_600_000), ("minute", 60_000))
_UNITS_BYTES = (("MiB", topics.MEBIBYTE), ("KiB", 1024))


def documents() -> dict[str, str]:
    """Every generated file: its path from the root of the repository, and its text."""
    written = {f"docs/schemas/{name}.json": _json(schema) for name, schema in jsonschema.schemas().items()}
    written["docs/asyncapi.json"] = _json(asyncapi.document())
    written["docs/topics.md"] = _topics()
    written["docs/reasons.md"] = _reasons()
    written["docs/verdicts.md"] = _verdicts()
    written["docs/metrics.md"] = _metrics()
    written["deploy/kafka/topics.sh"] = _script()
    return written


def write(directory: Path) -> list[Path]:
    """Write every generated file below a directory, and say where each lies."""
    paths = []
    for name, text in documents().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            path.chmod(0o755)
        paths.append(path)
    return paths


def _json(value: Mapping[str, object]) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _count(amount: int, units: tuple[tuple[str, int], ...], plural: str = "") -> str:
    for unit, size in units:
        if amount >= size and not amount % size:
            count = amount // size
            return f"{count} {unit}{plural if count > 1 else ''}"
    return str(amount)


def _retention(topic: Topic) -> str:
    return "for ever" if topic.retention_ms < 0 else _count(topic.retention_ms, _UNITS_MS, plural="s")


def _partitions(topic: Topic) -> str:
    return "as interactions" if topic.partitions is None else str(topic.partitions)


_COLUMNS: Mapping[str, Callable[[Topic], str]] = {
    "topic": lambda topic: f"`{topic.name}`",
    "key": lambda topic: topic.key,
    "partitions": _partitions,
    "cleanup": lambda topic: topic.cleanup,
    "retention": _retention,
    "record at most": lambda topic: _count(topic.record_bytes_max, _UNITS_BYTES),
    "written by": lambda topic: ", ".join(topic.writers),
    "read by": lambda topic: ", ".join(topic.readers),
    "holds": lambda topic: topic.about,
}


_TOPICS = f"""
All are partitioned with murmur2, as Kafka's own producers do (librdkafka: `partitioner=murmur2_random`), and have as many partitions
as `{topics.INTERACTIONS}`: {topics.PARTITIONS} where nobody says otherwise. No key that Kairos writes holds personal data. Values are
JSON, described in [schemas/](schemas/) and [asyncapi.json](asyncapi.json), except those of `{topics.IDENTITY}`, which are Kairos's own.
The headers are those of CloudEvents in binary mode; the type of an event is the name of its topic.
"""


def _topics() -> str:
    rows = [tuple(cell(topic) for cell in _COLUMNS.values()) for topic in topics.TOPICS]
    return _page("Topics", "One row a topic.", tuple(_COLUMNS), rows) + _TOPICS


def _reasons() -> str:
    about = f"Every dead letter on `{topics.DEAD_LETTERS}` names one of these as its `reason`, and says more in `detail`."
    return _page(
        "Why a record was refused", about, ("reason", "meaning"), [(f"`{reason}`", text) for reason, text in dead_letter.REASONS.items()]
    )


def _verdicts() -> str:
    about = f"A moment on `{topics.MOMENTS}` that may not be released is published all the same, and names one of these as its `reason`."
    rows = [(f"`{reason}`", text) for reason, text in moment.REASONS.items()]
    return _page("Why a moment was not released", about, ("reason", "meaning"), rows)


def _metrics() -> str:
    rows = [(f"`{metric.shown}`", metric.kind, ", ".join(metric.labels) or "none", metric.help) for metric in metrics.BY_NAME.values()]
    about = "A worker's, a collector's, a webhook sink's; the engine's own are in [engine-metrics.md](engine-metrics.md)."
    return _page("Metrics", about, ("metric", "kind", "labels", "meaning"), rows)


def _page(title: str, about: str, titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"# {title}\n\n{GENERATED}\n\n{about}\n\n{table}"


_HEAD = """#!/bin/sh
# Creates the topics of Kairos where they are missing, and gives those that exist the settings below.
# Made by `python -m schemas.export` from schemas/topics.py; change it there.
# BOOTSTRAP: where a broker listens; PARTITIONS, REPLICATION: of each topic; KAFKA_BIN: where Kafka's scripts lie.
set -eu
BOOTSTRAP="${BOOTSTRAP:-localhost:9092}"
PARTITIONS="${PARTITIONS:-%d}"
REPLICATION="${REPLICATION:-1}"
KAFKA_BIN="${KAFKA_BIN:-/opt/kafka/bin}"

topic() { # name, partitions, settings
    name="$1"
    partitions="$2"
    shift 2
    creation=""
    change=""
    for setting in "$@"; do
        creation="$creation --config $setting"
        change="$change${change:+,}$setting"
    done
    # The settings hold neither spaces nor commas, so that they may be split.
    # shellcheck disable=SC2086
    "$KAFKA_BIN/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP" --create --if-not-exists --topic "$name" \\
        --partitions "$partitions" --replication-factor "$REPLICATION" $creation
    "$KAFKA_BIN/kafka-configs.sh" --bootstrap-server "$BOOTSTRAP" --alter --entity-type topics --entity-name "$name" --add-config "$change"
}

"""


def _script() -> str:
    calls = [
        f"topic {topic.name} {topic.partitions or chr(34) + '$PARTITIONS' + chr(34)} "
        + " ".join(f"{name}={value}" for name, value in topics.configuration(topic).items())
        for topic in topics.TOPICS
    ]
    return _HEAD % topics.PARTITIONS + "\n".join(calls) + "\n"


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        print(path)
