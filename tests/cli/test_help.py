"""Every command explains itself, with an example, and a wrong call says what is wrong and exits with 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from streams.cli import COMMANDS, main


def _invoke(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(words), env=environment, prog_name="kairos")


def _commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)


ALL = dict(_commands(main))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    result = _invoke(*words, "--help")

    assert result.exit_code == 0
    assert f"Usage: kairos {' '.join(words)}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example(name: str) -> None:
    assert f"  kairos {name} " in _invoke(name, "--help").output or f"  kairos {name}\n" in _invoke(name, "--help").output


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    for parameter in ALL[words].params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


LOADED = """
import sys
from streams.cli import main
main(["--help"], standalone_mode=False)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("streams", "schemas", "connectors", "faust", "rocksdict", "pydantic")))
"""


def test_help_loads_no_command_so_that_it_answers_at_once() -> None:
    told = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout

    assert told.splitlines()[-1] == "['streams', 'streams.cli']"


def test_help_loads_no_kafka_client() -> None:
    code = "import sys; from streams.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    assert not {"confluent_kafka", "kafka", "faust", "pydantic", "rich"} & set(loaded)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tail", "nonsense"), "there is no topic 'nonsense'"),
        (("run", "--source", __file__, "--reader", "nonsense"), "there is no reader 'nonsense'"),
        (("run", "--source", "/nowhere", "--reader", "jsonl"), "does not exist"),
        (("run", "--source", __file__, "--reader", "jsonl", "--until", "tomorrow"), "is no instant"),
        (("run", "--source", __file__, "--reader", "jsonl", "--duplicates", "5"), "write 5% as 0.05"),
        (("run", "--source", __file__, "--reader", "jsonl", "--broker", "mock", "--workers", "2"), "one worker"),
        (("run", "--source", __file__, "--reader", "jsonl", "--partitions", "99"), "KAIROS_PARTITIONS=99"),
        (("run", "--source", __file__, "--reader", "jsonl", "--partitions", "0"), "KAIROS_PARTITIONS=0"),
        (("run", "--source", __file__, "--reader", "jsonl", "--broker", "mock", "--partitions", "0"), "KAIROS_PARTITIONS=0"),
        (("simulate", "--people", "0", "--out", "x"), "0 is not in the range"),
        (("simulate", "--people", "1", "--out", "x", "--days", "99999999"), "99999999 is not in the range"),
        (("simulate", "--people", "1", "--out", "x", "--interactions-per-person", "inf"), "inf is not in the range"),
        (("simulate", "--people", "1", "--out", "x", "--interactions-per-person", "nan"), "nan is no number"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(words: tuple[str, ...], said: str) -> None:
    result = _invoke(*words)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_wrong_setting_is_named_with_what_it_means() -> None:
    result = _invoke("topics", "describe", KAIROS_SESSION_TIMEOUT_SECONDS="soon")

    assert result.exit_code == 2
    assert "KAIROS_SESSION_TIMEOUT_SECONDS=soon" in result.output
    assert "heartbeat" in result.output


@pytest.mark.parametrize(
    "words", [words for words, command in ALL.items() if any(each.name == "broker" for each in command.params)], ids=" ".join
)
def test_the_help_offers_no_broker_that_is_refused(words: tuple[str, ...]) -> None:
    told = _invoke(*words, "--help").output

    if words == ("run",):
        assert "auto|docker|mock|HOST:PORT" in told
    else:
        assert "auto|docker|HOST:PORT" in told
        assert "mock" not in told


def test_an_address_without_a_port_is_refused_in_a_line() -> None:
    for written in ("kafka.example:port", "kafka.example"):
        result = _invoke("topics", "describe", "--broker", written)

        assert result.exit_code == 1
        assert result.output == f"Error: --broker {written} is none of auto, docker, HOST:PORT.\n"
