"""The script that creates the topics, run against scripts that only write down how they were called."""

import subprocess
from pathlib import Path

from schemas import export, topics

SCRIPT = export.documents()["deploy/kafka/topics.sh"]


def calls(directory: Path, **environment: str) -> list[list[str]]:
    log = directory / "calls"
    for name in ("kafka-topics.sh", "kafka-configs.sh"):
        script = directory / name
        script.write_text(f'#!/bin/sh\necho "{name} $*" >> "{log}"\n', encoding="utf-8")
        script.chmod(0o755)
    path = directory / "topics.sh"
    path.write_text(SCRIPT, encoding="utf-8")
    subprocess.run(["/bin/sh", str(path)], env={"KAFKA_BIN": str(directory), **environment}, check=True, timeout=60)
    return [line.split() for line in log.read_text(encoding="utf-8").splitlines()]


def after(call: list[str], option: str) -> list[str]:
    return [call[place + 1] for place, word in enumerate(call) if word == option]


def test_every_topic_is_created_and_then_given_its_settings(tmp_path: Path) -> None:
    made = calls(tmp_path, BOOTSTRAP="kafka:19092", PARTITIONS="16")

    assert len(made) == 2 * len(topics.TOPICS)
    for topic, created, changed in zip(topics.TOPICS, made[::2], made[1::2], strict=True):
        settings = [f"{name}={value}" for name, value in topics.configuration(topic).items()]
        assert created[0] == "kafka-topics.sh"
        assert "--if-not-exists" in created
        assert after(created, "--topic") == [topic.name] == after(changed, "--entity-name")
        assert after(created, "--partitions") == ["16"]
        assert after(created, "--config") == settings
        assert after(changed, "--add-config") == [",".join(settings)]
        assert after(created, "--bootstrap-server") == after(changed, "--bootstrap-server") == ["kafka:19092"]


def test_topics_have_the_tables_partitions_where_nobody_says_otherwise(tmp_path: Path) -> None:
    made = calls(tmp_path)

    assert {after(call, "--partitions")[0] for call in made[::2]} == {str(topics.PARTITIONS)}
    assert {after(call, "--replication-factor")[0] for call in made[::2]} == {"1"}
