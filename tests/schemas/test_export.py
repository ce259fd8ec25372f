"""What is checked in says the same as the code, and the AsyncAPI document keeps the rules of its specification."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import asyncapi, dead_letter, export, jsonschema, metrics, moment, topics
from schemas.values import VALUES

ROOT = Path(__file__).parents[2]
DOCUMENTS = export.documents()


@pytest.mark.parametrize("path", sorted(DOCUMENTS))
def test_what_is_checked_in_is_what_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == DOCUMENTS[path], "stale: run `python -m schemas.export`"


def test_no_schema_outlives_its_topic() -> None:
    assert {path.stem for path in (ROOT / "docs" / "schemas").iterdir()} == set(VALUES)


def test_writing_gives_the_same_files_elsewhere(tmp_path: Path) -> None:
    written = export.write(tmp_path)

    assert {str(path.relative_to(tmp_path)): path.read_text(encoding="utf-8") for path in written} == DOCUMENTS
    assert (tmp_path / "deploy/kafka/topics.sh").stat().st_mode & 0o111


def test_every_topic_but_the_internal_one_has_a_value() -> None:
    assert set(VALUES) == set(topics.BY_NAME) - {topics.IDENTITY}


def test_topics_are_versioned_and_hold_what_their_readers_take() -> None:
    for topic in topics.TOPICS:
        assert re.fullmatch(r"journey(\.[a-z]+)+\.v1", topic.name)
        assert 0 < topic.record_bytes_max <= topics.BATCH_BYTES_MAX
        assert topic.writers
        assert topic.readers
        assert (topic.cleanup == "compact") == (topic.name in (topics.PROFILES, topics.ENDPOINTS)) == (topic.retention_ms == -1)


def test_tables_name_every_row_of_their_source() -> None:
    for path, names in (
        ("docs/topics.md", topics.BY_NAME),
        ("docs/reasons.md", dead_letter.REASONS),
        ("docs/verdicts.md", moment.REASONS),
        ("docs/metrics.md", [metric.shown for metric in metrics.BY_NAME.values()]),
    ):
        assert re.findall(r"^\| `([^`]+)` \|", DOCUMENTS[path], re.MULTILINE) == list(names)
    assert re.findall(r"^topic (\S+)", DOCUMENTS["deploy/kafka/topics.sh"], re.MULTILINE) == list(topics.BY_NAME)


def test_what_a_decision_counts_is_declared() -> None:
    for package in ("intake", "identity", "customer"):
        for path in sorted((ROOT / "streams" / package).rglob("*.py")):
            assert set(re.findall(r'"(kairos_\w+)"', path.read_text(encoding="utf-8"))) <= set(metrics.BY_NAME), path


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.parametrize("path", [path for path in sorted(DOCUMENTS) if path.endswith(".json")])
def test_every_reference_leads_somewhere_in_the_same_document(path: str) -> None:
    document = json.loads(DOCUMENTS[path])

    for reference in references(document):
        assert isinstance(resolve(document, reference), dict)


def test_asyncapi_document_keeps_the_rules_of_version_3() -> None:
    document: Any = json.loads(DOCUMENTS["docs/asyncapi.json"])

    assert set(document) <= {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert re.fullmatch(r"3\.\d+\.\d+", document["asyncapi"])
    assert {"title", "version"} <= set(document["info"])
    for channel in document["channels"].values():
        assert set(channel) <= {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "bindings"}
        assert all(set(message) == {"$ref"} for message in channel["messages"].values())
        assert set(channel["bindings"]["kafka"]) <= {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"}
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        assert channel.startswith("#/channels/")
        # A message of an operation is one of its channel's, never one of the components'.
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])
    for section in document["components"].values():
        assert all(re.fullmatch(r"[\w.\-]+", name) for name in section)
    for message in document["components"]["messages"].values():
        assert {"name", "contentType", "payload"} <= set(message)


def test_asyncapi_says_what_kairos_does_with_each_topic() -> None:
    document: Any = asyncapi.document()
    done: dict[str, set[str]] = {name.partition(".")[2]: set() for name in document["operations"]}
    for name in document["operations"]:
        action, _, topic = name.partition(".")
        done[topic].add(action)

    assert done[topics.INTERACTIONS] == done[topics.COMMANDS] == {"receive"}
    assert done[topics.IDENTITY] == done[topics.ENDPOINTS] == {"receive", "send"}
    others = set(topics.BY_NAME) - {topics.INTERACTIONS, topics.COMMANDS, topics.IDENTITY, topics.ENDPOINTS}
    assert all(done[topic] == {"send"} for topic in others)


def test_schemas_say_choices_in_one_list_of_types() -> None:
    interaction: Any = jsonschema.schemas()[topics.INTERACTIONS]

    assert interaction["properties"]["userId"] == {"type": ["string", "integer", "null"]}
    assert interaction["properties"]["timestamp"]["type"] == ["string", "number", "null"]
    assert interaction["properties"]["properties"] == {"type": ["object", "null"]}
    assert interaction["$defs"]["Amount"]["properties"]["amount"]["type"] == ["string", "number"]
