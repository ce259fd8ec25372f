"""The alert rules and their tests, as the files have them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.house.source import TOP

ALERTS = TOP / "deploy/prometheus/alerts.yml"
TESTS = Path(__file__).with_name("alerts.test.yml")


@cache
def read(path: Path) -> Any:
    """A file of YAML, as plain values."""
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every rule, recording ones too."""
    return [rule for group in read(ALERTS)["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    found: dict[str, Any] = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found
