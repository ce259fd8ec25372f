"""A directory of state is claimed by one worker at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.engine import standby
from streams.engine.errors import EngineError


def test_a_directory_is_claimed_by_one_worker_and_by_the_next_when_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "CLAIM_SECONDS_MAX", 0.2)
    first = standby.Claim(tmp_path / "state")

    with pytest.raises(EngineError, match=f"another worker uses {tmp_path}/state: with standbys each worker needs a state directory"):
        standby.Claim(tmp_path / "state")

    first.release()
    standby.Claim(tmp_path / "state").release()
