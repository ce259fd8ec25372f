"""Each import contract is kept, and breaking it is noticed: a copy of the house with one forbidden import fails its contract and no quieter one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, TOP

LINT = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]

BREACHES = {
    "1 Imports in streams go down only": ("streams/instants.py", "import streams.settings\nimport streams.rows"),
    "1 Imports in streams go down only, every module has its floor": ("streams/attic.py", ""),
    "2 The pure packages meet no clock": ("schemas/money.py", "import time"),
    "3a The contract imports nothing of ours": ("schemas/money.py", "import streams.instants"),
    "3b The engine imports nothing of ours": ("streams/engine/breach.py", "import schemas.money"),
    "4 Only the engine imports Faust and RocksDB": ("streams/settings.py", "import rocksdict"),
    "5a Only the app knows the journeys": ("streams/cli/breach.py", "import streams.journeys.breach"),
    "5b Only the command line knows the connectors": ("streams/settings.py", "import connectors"),
    "6 Connectors meet the contract and the language's facade": ("connectors/jsonl/breach.py", "import streams.rows"),
    "7a Connectors do not know each other": ("connectors/breach/__init__.py", "import connectors.jsonl.mapping"),
    "7b Reducers do not know each other": ("streams/customer/reducers/one.py", "import streams.customer.reducers.two"),
    "7c Operators do not know each other": ("streams/language/operators/one.py", "import streams.language.operators.two"),
    "8 Oracles import nothing of ours": ("tests/oracles/breach.py", "import schemas.money"),
    "9 Neighbours form no cycle": ("schemas/one.py", "import schemas.two"),
}
COMPANIONS = {
    "streams/journeys/breach.py": "",
    "streams/customer/reducers/two.py": "",
    "streams/language/operators/two.py": "",
    "schemas/two.py": "import schemas.one",
}


def lint(top: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=top, capture_output=True, text=True, check=False, env={"COLUMNS": "400", "PATH": ""})


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(TOP / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / ".importlinter", tmp_path)
    return tmp_path


def add(top: Path, path: str, text: str) -> None:
    """Append to the file; a new one gets the packages that it needs around it."""
    file = top / path
    for folder in list(file.relative_to(top).parents)[:-1]:
        (top / folder).mkdir(exist_ok=True, parents=True)
        (top / folder / "__init__.py").touch()
    with file.open("a") as out:
        out.write(f"\n{text}\n")


def test_every_contract_is_kept() -> None:
    done = lint(TOP)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_noticed(contract: str, copy: Path) -> None:
    path, text = BREACHES[contract]
    for companion, content in COMPANIONS.items():
        if text and Path(companion).stem in text:
            add(copy, companion, content)
    add(copy, path, text)

    done = lint(copy)

    name = contract.split(",")[0]
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    if name == contract:
        assert any(line.startswith(name) for line in broken), done.stdout + done.stderr
    else:
        assert "attic" in done.stdout
    assert done.returncode != 0
