"""A policy as a file has it: what `kairos identity policy` prints, and the settings read.

The rule this module owns: the secret stays behind.
"""

from __future__ import annotations

from typing import Any

from streams.identity.policy import Policy


def written(policy: Policy) -> dict[str, Any]:
    """A policy as `streams.app.policy_in` reads it: without its secret."""
    import msgspec

    said: dict[str, Any] = msgspec.to_builtins(policy)
    del said["secret"]
    return said
