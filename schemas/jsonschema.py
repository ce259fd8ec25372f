"""The JSON Schema (draft 2020-12) of each topic's value, made from its type."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from schemas.values import VALUES

Schema = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_UNSAID = frozenset({"required", "additionalProperties"})
_ANNOTATIONS = frozenset({"anyOf", "default"})


def schemas() -> dict[str, Schema]:
    """One document a topic, by the topic's name; each stands alone."""
    return {name: _standalone(name, kind) for name, kind in VALUES.items()}


def components(kinds: Iterable[type[Struct]], reference: str) -> Mapping[str, Schema]:
    """The schemas of these types and of all that they hold, by name; `reference` says how one names another, with {name} in it."""
    _, found = msgspec.json.schema_components(kinds, ref_template=reference)
    return {name: _tidy_schema(schema) for name, schema in sorted(found.items())}


def _standalone(name: str, kind: type[Struct]) -> Schema:
    found = components([kind], "#/$defs/{name}")
    root = dict(found[kind.__name__])
    others = {title: schema for title, schema in found.items() if title != kind.__name__}
    head: Schema = {"$schema": DIALECT, "$id": f"urn:kairos:{name}"}
    return {**head, **root, "$defs": others} if others else {**head, **root}


def _tidy_schema(schema: Schema) -> Schema:
    tidied = _tidy(schema)
    assert isinstance(tidied, dict)
    return tidied


def _tidy(node: object) -> object:
    """The same schema in fewer words: a choice of bare types is a list of them, no default says null."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {
        key: _tidy(value) for key, value in node.items() if not (key == "default" and value is None) and not (key in _UNSAID and not value)
    }
    if tidy.get("format") == "decimal":
        tidy = {"type": ["string", "number"], "format": "decimal"}
    choices = tidy.get("anyOf")
    if isinstance(choices, list):
        return _choice(tidy, choices)
    return tidy


def _choice(node: Schema, choices: list[object]) -> Schema:
    flat: list[object] = []
    for choice in choices:
        inner = choice.get("anyOf") if isinstance(choice, dict) else None
        if isinstance(choice, dict) and isinstance(inner, list):
            flat += inner
            node |= {key: value for key, value in choice.items() if key not in _ANNOTATIONS}
        else:
            flat.append(choice)
    bare = [choice["type"] for choice in flat if isinstance(choice, dict) and list(choice) == ["type"]]
    rich = [choice for choice in flat if not (isinstance(choice, dict) and list(choice) == ["type"])]
    types = [name for item in bare for name in (item if isinstance(item, list) else [item])]
    if "number" in types and "integer" in types:
        types.remove("integer")
    others = {key: value for key, value in node.items() if key != "anyOf"}
    if not rich:
        return {"type": types, **others}
    if len(rich) == 1 and isinstance(rich[0], dict) and "type" in rich[0]:
        # Limits of one type say nothing of another, so null may join the only type that has some.
        first = rich[0]["type"]
        return {**rich[0], "type": [*(first if isinstance(first, list) else [first]), *types], **others}
    return {"anyOf": [*rich, *({"type": name} for name in types)], **others}
