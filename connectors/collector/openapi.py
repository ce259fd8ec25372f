"""The collector's own description: OpenAPI 3.1, made from what is served."""

from typing import Any

from connectors.collector import mapping
from connectors.collector.config import Config

_PROBLEM = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
_REFUSALS = {
    "400": "The body is no JSON object, no list `batch`, or no gzip.",
    "401": "No valid write key.",
    "413": "The body is too large, or the batch too long.",
    "429": "Too much waits for Kafka, or this key sends too fast; Retry-After says for how long to wait.",
    "503": "Kafka does not take it; send it again.",
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
    taking |= {f"/v1/{last}": {"post": _post(f"Take one message: {kind or last}.", _MESSAGE)} for last, kind in mapping.PATHS.items()}
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
                    "responses": {"200": {"description": "Where to send."}, "401": _refusal("401")},
                }
            },
            "/healthz": {"get": {"summary": "Whether it lives.", "security": [], "responses": {"200": {"description": "It does."}}}},
            "/readyz": {
                "get": {
                    "summary": "Whether Kafka answers it.",
                    "security": [],
                    "responses": {"200": {"description": "It does."}, "503": _refusal("503")},
                }
            },
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
        "responses": {"200": {"description": "Kafka has it all."}, **{status: _refusal(status) for status in _REFUSALS}},
    }


def _refusal(status: str) -> dict[str, Any]:
    return {
        "description": _REFUSALS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
