"""The collector's own description: OpenAPI 3.1, made from what is served."""

from typing import Any

from connectors.collector import mapping
from connectors.collector.config import Config
from connectors.collector.problem import AGAIN
from schemas.interaction import OUTCOME_TOKEN_CHARACTERS_MAX, OUTCOMES

_PROBLEM = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
_REFUSALS = {
    "400": "This is no HTTP, or its body no JSON object, no list `batch`, no outcome, or no gzip.",
    "401": "No valid write key.",
    "403": "Pages of this origin may not send.",
    "404": "There is no such path.",
    "405": "This path does not take this method.",
    "408": "It did not come in time.",
    "413": "The body is too large, or the batch too long.",
    "431": "Its headers are too large.",
    "429": "Too much waits for Kafka, or this key sends too fast; Retry-After says for how long to wait.",
    "503": "Kafka does not take it, the keys cannot be read, or the collector stops or has too many connections; send it again.",
}
_OUTCOME = {
    "type": "object",
    "required": ["momentId", "kind"],
    "properties": {
        "momentId": {"type": "string", "minLength": 1, "maxLength": mapping.MOMENT_ID_CHARACTERS_MAX, "description": "The moment's `id`."},
        "kind": {"enum": list(OUTCOMES)},
        "token": {"type": "string", "maxLength": OUTCOME_TOKEN_CHARACTERS_MAX, "description": "The moment's `outcomeToken`."},
    },
    "description": "What became of a moment. Without a token it names the customer as any interaction does; what else stands here is the interaction's.",
}
_MESSAGE = {"type": "object", "description": "A message of Segment's HTTP API, or an interaction of docs/schemas."}


def document(config: Config) -> dict[str, Any]:
    """For /openapi.json."""
    batch = {
        "type": "object",
        "required": ["batch"],
        "properties": {"batch": {"type": "array", "items": _MESSAGE, "maxItems": config.items_max}, "sentAt": {"type": "string"}},
    }
    taking = {f"/v1/{last}": {"post": _post(f"Take a batch ({last}).", batch)} for last in mapping.BATCH_PATHS}
    taking |= {f"/v1/{last}": {"post": _post(f"Take one message: {kind}.", _MESSAGE)} for last, kind in mapping.PATHS.items()}
    taking[f"/v1/{mapping.OUTCOME_PATH}"] = {"post": _post("Take what became of a moment.", _OUTCOME)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kairos collector", "version": "1", "description": "Interactions over HTTP, as Segment's clients send them."},
        "security": [{"basic": []}, {"header": []}],
        "paths": {
            **taking,
            "/v1/projects/{key}/settings": {
                "get": {
                    "summary": "What analytics.js asks for before it sends.",
                    "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
                    "security": [],
                    "responses": _answers("Where to send."),
                }
            },
            "/healthz": {"get": _open("Whether it lives.", "It does.")},
            "/readyz": {"get": _open("Whether Kafka answers it, and its keys can be read.", "It does.")},
            "/metrics": {"get": _open("What it has counted, for Prometheus.", "Every metric.")},
            "/openapi.json": {"get": _open("This.", "This.")},
        },
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The write key as user, no password."},
                "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
            },
        },
    }


def _post(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _answers("Kafka has it all."),
    }


def _open(summary: str, answer: str) -> dict[str, Any]:
    """What nobody needs a key for."""
    return {"summary": summary, "security": [], "responses": _answers(answer)}


def _answers(taken: str) -> dict[str, Any]:
    return {"200": {"description": taken}, **{status: _refusal(status) for status in _REFUSALS}}


def _refusal(status: str) -> dict[str, Any]:
    return {
        "description": _REFUSALS[status],
        "headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}} if int(status) in AGAIN else {},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
