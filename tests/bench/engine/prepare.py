"""Where the peers live: an environment of its own for each Python one, jars for the Java one, all below build/bench.

The rule this module owns: a peer that cannot be had is a sentence in its row; the others are measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from streams.broker import jars
from tests.bench.engine.systems import BUILT, HERE, ROOT, Program

_JAVA_OPTIONS = ("-Xms512m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
_SECONDS_MAX = 900
_VERSIONS = "import importlib.metadata as m, sys; print(*[f'{name} {m.version(name)}' for name in sys.argv[1:]], sep=', ')"
PACKAGES = {
    "limit": ("confluent-kafka", "orjson"),
    "engine": ("faust-streaming", "aiokafka", "rocksdict", "msgspec"),
    "quix": ("quixstreams", "confluent-kafka", "rocksdict", "msgspec"),
    "bytewax_flow": ("bytewax", "confluent-kafka", "msgspec"),
    "stock_faust": ("faust-streaming", "aiokafka", "rocksdict", "msgspec"),
}
"""What a program's versions are told of."""


class NotToBeHad(Exception):
    """A peer's packages or tools are not here and do not come; the message says which and why."""


class Ready(NamedTuple):
    """How a program is started, and the versions of what it runs on."""

    command: list[str]
    versions: str


def prepared(program: Program) -> Ready:
    """Fetch what the program needs, if that was not done before; NotToBeHad if it does not come."""
    if program.java:
        return _java()
    python = _python(program.environment)
    versions = _output([python, "-c", _VERSIONS, *PACKAGES[program.module]])
    return Ready([python, "-m", f"tests.bench.engine.peers.{program.module}"], versions)


def _python(environment: str | None) -> str:
    if environment is None:
        return sys.executable
    wanted = HERE / "peers" / f"{environment}.txt"
    place = BUILT / environment
    python, installed = place / "bin" / "python", place / "installed.txt"
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        _output([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", str(wanted)])
        shutil.copy(wanted, installed)
    return str(python)


def _java() -> Ready:
    source, place = HERE / "peers" / "kafka_streams", BUILT / "kafka_streams"
    files = sorted(path for path in source.rglob("*") if path.suffix in (".java", ".xml"))
    newest = max(path.stat().st_mtime for path in files)
    built = place / "built"
    if not built.exists() or built.stat().st_mtime < newest:
        maven = shutil.which("mvn")
        if maven is None or shutil.which("javac") is None:
            raise NotToBeHad("no Maven and Java compiler here (on Debian and Ubuntu: apt install maven default-jdk-headless)")
        _output([maven, "-q", "-B", "-f", str(source / "pom.xml"), "package", f"-Dbuilt={place}"])
        built.touch()
    java = str(jars.java())
    streams = [path.stem for path in (place / "lib").glob("kafka-streams-[0-9]*.jar")]
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[1]
    class_path = os.pathsep.join([str(place / "classes"), *map(str, sorted((place / "lib").glob("*.jar")))])
    return Ready([java, *_JAVA_OPTIONS, "-cp", class_path, "peer.ReferenceWork"], f"{', '.join(streams)}, {said}")


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"{Path(command[0]).name} {command[1]} took longer than {_SECONDS_MAX} s") from None
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotToBeHad(told[-1] if told else f"{Path(command[0]).name} ended with {done.returncode}")
    return done.stdout.strip()
