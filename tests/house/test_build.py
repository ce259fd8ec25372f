"""The build files tell the truth: reasons, locks, targets."""

from __future__ import annotations

import re
import subprocess
import tomllib

from tests.house.source import TOP

DEPENDENCY = re.compile(r'^\s+"(?P<name>[A-Za-z0-9_.-]+)(\[[a-z,]+\])?[<>=!~][^"]*",(?P<rest>.*)$')
REASON = re.compile(r"\s+# \w.{5,}")
TARGET = re.compile(r"^(?P<name>[a-z-]+):.*?## (?P<about>.+)$", re.MULTILINE)


def dependencies() -> dict[str, str]:
    """Every dependency of pyproject.toml and what follows it on its line."""
    matches = map(DEPENDENCY.match, (TOP / "pyproject.toml").read_text().splitlines())
    return {match["name"]: match["rest"] for match in matches if match}


def test_every_dependency_says_what_it_is_for() -> None:
    assert [name for name, rest in dependencies().items() if not REASON.match(rest)] == []


def test_no_dependency_escapes_the_check_of_reasons() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]

    assert {re.split(r"[<>=\[]", requirement)[0] for requirement in declared} == set(dependencies())


def test_every_dependency_is_locked_with_its_hash_and_no_address() -> None:
    lock = (TOP / "requirements.lock").read_text()
    entries = re.findall(r"^([a-z0-9-]+)==\S+(?: ;[^\\\n]+)? \\\n    --hash=sha256:", lock, re.MULTILINE)

    assert {name.lower().replace("_", "-") for name in dependencies()} <= set(entries)
    assert len(entries) == len(re.findall(r"^\S+==", lock, re.MULTILINE))
    assert "://" not in lock
    assert "--index" not in lock


def test_make_help_prints_every_target_with_its_sentence() -> None:
    targets = dict(TARGET.findall((TOP / "Makefile").read_text()))

    printed = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True).stdout

    assert re.findall(r"^ +make (\S+) +(.+)$", printed, re.MULTILINE) == list(targets.items())


def test_every_target_is_documented() -> None:
    makefile = (TOP / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert phony is not None
    assert set(phony[1].split()) == {name for name, _ in TARGET.findall(makefile)}
