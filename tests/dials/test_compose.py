"""The compose file keeps its specification, pins what it runs and checks that it lives; nothing in it is root; and `make stack` starts the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy import stack
from tests.dials import rules
from tests.house.source import TOP

BIN = Path(sys.executable).parent
SERVICES: dict[str, Any] = rules.read(stack.COMPOSE_FILE)["services"]
ENDS = {"topics"}
"""What is done once."""
OURS = {"worker-1", "worker-2", "collector"}
LOCK = re.compile(r"^([a-z0-9-]+==\S+(?: ;[^\\\n]+)?) \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


def locked(path: str) -> dict[str, str]:
    return {pin: hashes.replace(" \\", "") for pin, hashes in LOCK.findall((TOP / path).read_text() + "\n")}


def test_it_keeps_the_compose_specification() -> None:
    words = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", stack.COMPOSE_FILE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_it_is_complete() -> None:
    assert set(SERVICES) == {"kafka", "topics", "prometheus", "grafana"} | OURS


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_pinned_lives_visibly_and_listens_on_this_machine_alone(name: str) -> None:
    said = SERVICES[name]

    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", said["image"])
    assert name in ENDS or said["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in said.get("ports", ()))
    assert not str(said.get("user", "1")).startswith("0")
    assert all((TOP / volume.split(":")[0]).exists() for volume in said.get("volumes", ()) if volume.startswith("."))


def test_our_image_is_not_root_and_its_recipe_is_well_formed() -> None:
    recipe = TOP / "deploy/Dockerfile"

    done = subprocess.run([BIN / "hadolint", recipe], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert re.findall(r"^USER (\d+)", recipe.read_text(), re.MULTILINE)[-1] != "0"
    assert {SERVICES[name]["build"]["dockerfile"] for name in OURS} == {"deploy/Dockerfile"}


def test_the_image_gets_the_packages_of_the_lock_and_no_others() -> None:
    image, whole = locked("deploy/requirements.lock"), locked("requirements.lock")

    assert image.items() <= whole.items(), "stale: make lock, or its last command without --upgrade"
    needed = {re.split(r"[<>=\[]", line)[0] for line in rules.project()["dependencies"]}
    assert {name.replace("_", "-") for name in needed} <= {pin.split("==")[0] for pin in image}


def test_what_is_scraped_is_what_runs() -> None:
    targets = {path.stem: json.loads(path.read_text())[0]["targets"] for path in (TOP / "deploy/prometheus/targets").iterdir()}

    assert targets == {
        "worker": [f"{name}:{SERVICES[name]['environment']['KAIROS_METRICS_PORT']}" for name in sorted(OURS) if name.startswith("worker")],
        "collector": ["collector:8383"],
    }


def test_the_stack_starts_what_the_file_says() -> None:
    found = {service.name: service for service in stack.services({"KAIROS_SECRET": "s", "KAIROS_PARTITIONS": "8"})}

    assert {name: list(service.command) for name, service in found.items()} == {name: SERVICES[name]["command"] for name in OURS}
    for name, service in found.items():
        assert service.environment.keys() == SERVICES[name]["environment"].keys()
        assert (service.environment["KAIROS_SECRET"], service.environment["KAIROS_PARTITIONS"]) == ("s", "8")
        assert service.environment["KAIROS_JOURNEYS"] == "retail,brand", "the default that the file names"
    assert (
        stack._elsewhere("--config.file=/etc/prometheus/prometheus.yml", {"/etc/prometheus": "here"}) == "--config.file=here/prometheus.yml"
    )


def test_what_prometheus_was_told_of_beside_the_stack_it_knows_after_the_next_start(tmp_path: Path) -> None:
    stack.configure(tmp_path, {"worker": ["127.0.0.1:1"]})
    (tmp_path / "targets/deliver.json").write_text('[{"targets": ["127.0.0.1:9101"]}]')

    stack.configure(tmp_path, {"worker": ["127.0.0.1:2"]})

    targets = {path.stem: json.loads(path.read_text())[0]["targets"] for path in (tmp_path / "targets").iterdir()}
    assert targets == {"worker": ["127.0.0.1:2"], "deliver": ["127.0.0.1:9101"]}
    assert (tmp_path / "prometheus.yml").read_bytes() == (TOP / "deploy/prometheus/prometheus.yml").read_bytes()


def test_the_stacks_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = stack._secret(tmp_path / "new", {})

    assert stack._secret(tmp_path / "new", {}) == made
    assert (tmp_path / "new/secret").stat().st_mode & 0o777 == 0o600
    assert stack._secret(tmp_path / "new", {"KAIROS_SECRET": "told"}) == "told"
