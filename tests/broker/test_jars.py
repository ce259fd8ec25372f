"""Nothing of Kafka runs that is not the locked file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from streams.broker import jars
from streams.broker.errors import BrokerUnavailable


def place(cache: Path, jar: jars.Jar, content: bytes) -> Path:
    path = jar.path_below(cache / "jars")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_jar_with_its_checksum_is_taken_from_the_cache(tmp_path: Path) -> None:
    jar = jars.Jar("org.example", "thing", "1.0", hashlib.sha256(b"good").hexdigest())
    path = place(tmp_path, jar, b"good")

    assert jars.classpath([jar], tmp_path) == str(path)


def test_a_jar_with_another_checksum_is_refused_and_removed(tmp_path: Path) -> None:
    jar = jars.Jar("org.example", "thing", "1.0", hashlib.sha256(b"good").hexdigest())
    path = place(tmp_path, jar, b"evil")

    with pytest.raises(BrokerUnavailable, match=r"thing-1\.0\.jar is not the file that jars\.lock names"):
        jars.classpath([jar], tmp_path)

    assert not path.exists()


def test_the_lock_names_exact_versions_checksums_and_no_host() -> None:
    locked = jars.locked()

    assert any(jar.artifact == "kafka_2.13" for jar in locked)
    assert all(len(jar.sha256) == 64 and jar.version[0].isdigit() for jar in locked)
    assert "//" not in jars.LOCK.read_text()
