"""A policy that was written to a file: JSON, TOML, or Python that defines `identity_policy` as streams/journeys/identity_policy.py does.

The rule this module owns: the secret and the region are the settings', never the file's; what is wrong is told with the field that is.
"""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import orjson

from streams.identity import policy as policies
from streams.identity.policy import Policy, PolicyError


def read(path: Path, in_force: Policy) -> Policy:
    """The policy in a file, under the secret of the one in force and its region where the file says none; PolicyError where it is none."""
    if path.suffix == ".py":
        return _of_module(path, in_force)
    text = path.read_bytes()
    try:
        said = tomllib.loads(text.decode()) if path.suffix == ".toml" else orjson.loads(text)
    except ValueError as wrong:
        raise PolicyError(f"{path} cannot be read: {wrong}") from wrong
    if not isinstance(said, dict):
        raise PolicyError(f"{path}: a policy is an object, with at least `types`")
    return policies.read({"default_region": in_force.default_region, **said}, in_force.secret)


def written(policy: Policy) -> dict[str, Any]:
    """A policy as `read` reads it: without its secret."""
    import msgspec

    said: dict[str, Any] = msgspec.to_builtins(policy)
    del said["secret"]
    return said


def _of_module(path: Path, in_force: Policy) -> Policy:
    spec = importlib.util.spec_from_file_location("kairos_new_identity_policy", path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "identity_policy"):
        raise PolicyError(f"{path} defines no identity_policy(secret, default_region)")
    found: Policy = module.identity_policy(in_force.secret, in_force.default_region)
    return found
