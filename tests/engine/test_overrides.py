"""What is overridden or looked into below is what was read when it was written."""

from __future__ import annotations

import pytest

from streams.engine.overrides import UPSTREAM, source_hash


@pytest.mark.parametrize("name", UPSTREAM)
def test_upstream_is_as_it_was(name: str) -> None:
    assert source_hash(name) == UPSTREAM[name][0], (
        f"{name} has changed: read it, see whether what answers it still fits, then write its new hash down"
    )
