"""The endpoints that webhooks go to, as their file says.

The rule this module owns: a secret never stands in the file, which names where it is (`env:NAME`, `file:PATH`), nor in a complaint about it.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from standardwebhooks import Webhook

from connectors.webhooks.addresses import is_public
from schemas import topics

TOPICS = {
    "moments": topics.MOMENTS,
    "stages": topics.STAGES,
    "segments": topics.SEGMENTS,
    "profiles": topics.PROFILES,
    "changes": topics.IDENTITY_CHANGES,
}
"""What an endpoint may hear of, by the names that its file uses."""
SECRETS_MAX = 2
"""The one that is, and the one that was, while it is rotated."""
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
"""As Standard Webhooks has it."""
PREFIX = "whsec_"

Seconds = Annotated[float, Meta(gt=0)]


class Wrong(Exception):
    """The file of endpoints cannot be used; the text says where and why."""


class Endpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One endpoint as its table in the file has it."""

    url: str
    """`https://...`; `env:NAME` or `file:PATH` where it is itself a secret."""
    secrets: Annotated[tuple[str, ...], Meta(min_length=1, max_length=SECRETS_MAX)]
    """Where its secrets are: `env:NAME` or `file:PATH`, each `whsec_` and base64 of 24 to 64 bytes. Two while one is rotated: both sign."""
    topics: Annotated[tuple[str, ...], Meta(min_length=1)] = ("moments",)
    moments: tuple[str, ...] = ()
    """Names of moments; none: all."""
    segments: tuple[str, ...] = ()
    """Names of segments; none: all."""
    allow_private_addresses: bool = False
    """Whether it may be in one's own network, and then without TLS."""
    replayed: bool = False
    """Whether it gets what a replay says."""
    expired: bool = False
    """Whether it gets moments past their `expiresAt`."""
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 8
    """Requests under way at once, each of another customer."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 15.0
    """For the whole of an attempt."""
    retry_hours: Seconds = 24.0
    """What fails for so long is a dead letter."""
    retry_first_seconds: Seconds = 1.0
    """After the first failure; doubled with each, up to an hour."""


class Target(Struct, frozen=True, kw_only=True):
    """An endpoint with what its file only names."""

    name: str
    url: str
    secrets: tuple[str, ...]
    endpoint: Endpoint

    def __repr__(self) -> str:
        return f"Target({self.name})"


def load(path: Path, environment: Mapping[str, str] = os.environ) -> list[Target]:
    """All endpoints of a TOML file. Raises Wrong."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from None
    except ValueError as error:  # No TOML, or no UTF-8.
        raise Wrong(f"{path}: {error}") from None
    tables = found.pop("endpoints", None)
    if found or not isinstance(tables, dict) or not tables:
        raise Wrong(f"{path}: it holds tables [endpoints.NAME], at least one, and nothing else.")
    try:
        return [_target(name, _endpoint(name, table), path.parent, environment) for name, table in tables.items()]
    except Wrong as wrong:
        raise Wrong(f"{path}: {wrong}") from None


def _endpoint(name: str, table: object) -> Endpoint:
    try:
        return msgspec.convert(table, Endpoint)
    except msgspec.ValidationError as error:
        raise Wrong(f"endpoint {name}: {error}") from None


def _target(name: str, endpoint: Endpoint, directory: Path, environment: Mapping[str, str]) -> Target:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,49}", name):
        raise Wrong(f"endpoint {name!r}: a name has up to 50 lower-case letters, digits, - and _.")
    unknown = [each for each in endpoint.topics if each not in TOPICS]
    if unknown:
        raise Wrong(f"endpoint {name}: there is no topic {unknown[0]!r}; there are: {', '.join(TOPICS)}.")
    for field, topic in (("moments", "moments"), ("segments", "segments")):
        if getattr(endpoint, field) and topic not in endpoint.topics:
            raise Wrong(f"endpoint {name}: {field} are named, and its topics have no {topic!r}.")
    url = _looked_up(endpoint.url, directory, environment, name) if _is_elsewhere(endpoint.url) else endpoint.url
    _check_url(name, url, endpoint.allow_private_addresses)
    return Target(
        name=name, url=url, secrets=tuple(_secret(each, directory, environment, name) for each in endpoint.secrets), endpoint=endpoint
    )


def _is_elsewhere(said: str) -> bool:
    return said.startswith(("env:", "file:"))


def _looked_up(said: str, directory: Path, environment: Mapping[str, str], name: str) -> str:
    kind, _, where = said.partition(":")
    if kind == "env":
        if not environment.get(where):
            raise Wrong(f"endpoint {name}: {where} is not set in the environment.")
        return environment[where].strip()
    try:
        return (directory / where).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"endpoint {name}: {directory / where} cannot be read: {getattr(error, 'strerror', 'it is no text')}.") from None


def _secret(said: str, directory: Path, environment: Mapping[str, str], name: str) -> str:
    if not _is_elsewhere(said):
        raise Wrong(f"endpoint {name}: secrets names where a secret is, env:NAME or file:PATH; it is never written into this file.")
    secret = _looked_up(said, directory, environment, name)
    shape = f"endpoint {name}: {said} holds no secret: {PREFIX} and base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes; kairos deliver secret makes one."
    encoded = secret.removeprefix(PREFIX)
    if encoded == secret or not re.fullmatch(r"[A-Za-z0-9+/]+=*", encoded):
        raise Wrong(shape)
    try:
        Webhook(secret)
    except ValueError:
        raise Wrong(shape) from None
    if not SECRET_BYTES_MIN <= len(encoded.rstrip("=")) * 3 // 4 <= SECRET_BYTES_MAX:
        raise Wrong(shape)
    return secret


def _check_url(name: str, url: str, is_private_allowed: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Wrong(f"endpoint {name}: its url is none.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise Wrong(f"endpoint {name}: its url has to begin with https://HOST.")
    if parts.username is not None or parts.password is not None:
        raise Wrong(f"endpoint {name}: a url with a user or a password in it is refused.")
    if is_private_allowed:
        return
    if parts.scheme == "http":
        raise Wrong(
            f"endpoint {name}: http:// shows customers' data to the network; use https://, or allow_private_addresses within your own."
        )
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(address):
        raise Wrong(f"endpoint {name}: {address} is a private address; allow_private_addresses = true if it is meant.")
