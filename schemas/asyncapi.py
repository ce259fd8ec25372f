"""The AsyncAPI 3 document: every topic as a channel, what Kairos receives from it and sends to it, keys, headers and values."""

from schemas import jsonschema, topics
from schemas.rewritten import HEADER
from schemas.topics import Topic
from schemas.values import VALUES

Document = dict[str, object]

VERSION = "3.0.0"
BINDING_VERSION = "0.5.0"

_PRODUCERS = frozenset({"producers", "operators"})
_OURS = frozenset({"intake", "commands", "customer", "deliverer"})

_CLOUD_EVENT: Document = {
    "type": "object",
    "description": "CloudEvents 1.0 in binary mode.",
    "required": ["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "content-type"],
    "properties": {
        "ce_id": {"type": "string", "minLength": 1},
        "ce_source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "ce_specversion": {"const": "1.0"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C trace context of the interaction that led here, where it had one."},
    },
}
_TRACED: Document = {
    "type": "object",
    "description": "None is required; a trace context is carried on.",
    "properties": {"traceparent": {"type": "string"}},
}

_MOVED: Document = {
    "type": "string",
    "description": "Of a record that was moved to its partition's end when somebody was erased at once, a JSON array: the partition and offset where it lay "
    "first, when the broker took it there (milliseconds), the consumer groups that had read it there, the offset before which all was moved.",
}


def document() -> Document:
    """The whole document; it stands alone."""
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Kairos",
            "version": "1.0.0",
            "description": "From every touchpoint interaction to one live customer state, its stage changes and its moments. "
            "Read with read_committed; of one id take the greatest revision, of one customer the greatest version.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics.TOPICS},
        "operations": {f"{action}.{topic.name}": _operation(action, topic) for topic in topics.TOPICS for action in _actions(topic)},
        "components": {
            "messages": {topic.name: _message(topic) for topic in topics.TOPICS},
            "schemas": dict(jsonschema.components(VALUES.values(), "#/components/schemas/{name}")),
        },
    }


def _channel(topic: Topic) -> Document:
    kafka: Document = {
        "topic": topic.name,
        "partitions": topic.partitions or topics.PARTITIONS,
        "topicConfiguration": {
            "cleanup.policy": [topic.cleanup],
            "retention.ms": topic.retention_ms,
            "max.message.bytes": topics.BATCH_BYTES_MAX,
        },
        "bindingVersion": BINDING_VERSION,
    }
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {"value": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {"kafka": kafka},
    }


def _actions(topic: Topic) -> list[str]:
    """What Kairos does with a topic, seen from Kairos."""
    actions = ["receive"] if _OURS & set(topic.readers) else []
    return actions + (["send"] if _OURS & set(topic.writers) else [])


def _operation(action: str, topic: Topic) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.about,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/value"}],
    }


def _message(topic: Topic) -> Document:
    kind = VALUES.get(topic.name)
    shared: Document = {
        "name": kind.__name__ if kind else "IdentityMessage",
        "summary": topic.about,
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": BINDING_VERSION}},
    }
    if kind is None:
        return {**shared, "contentType": "application/msgpack", "payload": {"description": "Kairos's own; no contract."}}
    headers = _TRACED if _PRODUCERS & set(topic.writers) else _cloud_event(topic)
    if topic.cleanup == "delete" and topic.name not in topics.HASHES_ONLY:
        properties = headers["properties"]
        assert isinstance(properties, dict)
        headers = {**headers, "properties": {**properties, HEADER: _MOVED}}
    return {**shared, "contentType": "application/json", "headers": headers, "payload": {"$ref": f"#/components/schemas/{kind.__name__}"}}


def _cloud_event(topic: Topic) -> Document:
    properties = _CLOUD_EVENT["properties"]
    assert isinstance(properties, dict)
    return {**_CLOUD_EVENT, "properties": {**properties, "ce_type": {"const": topic.name}}}
