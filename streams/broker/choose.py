"""`--broker` and `KAFKA_BOOTSTRAP` become an address here, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from streams.broker import admin
from streams.broker.docker import DockerBroker
from streams.broker.embedded import EmbeddedBroker
from streams.broker.errors import BrokerUnavailable

KINDS = ("auto", "docker", "HOST:PORT")


@contextmanager
def choose(broker: str, data_directory: Path | str, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The bootstrap address of the wanted Kafka, which answers; what was started for it is stopped at the end.

    `auto` is the Kafka that KAFKA_BOOTSTRAP names, else the embedded one with its data below `data_directory`. Raises BrokerUnavailable.
    """
    start = _STARTERS.get(broker)
    if start is not None:
        with start(Path(data_directory), environment) as bootstrap:
            yield bootstrap
    elif all(_is_address(each) for each in broker.split(",")):
        with _already_there(broker) as bootstrap:
            yield bootstrap
    else:
        raise BrokerUnavailable(f"--broker {broker} is none of {', '.join(KINDS)}.")


def _is_address(written: str) -> bool:
    host, _, port = written.strip().rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal()


def _auto(data_directory: Path, environment: Mapping[str, str]) -> AbstractContextManager[str]:
    named = environment.get("KAFKA_BOOTSTRAP")
    return _already_there(named) if named else _embedded(data_directory)


def _docker(data_directory: Path, environment: Mapping[str, str]) -> AbstractContextManager[str]:
    return _compose()


def _mock(data_directory: Path, environment: Mapping[str, str]) -> AbstractContextManager[str]:
    raise BrokerUnavailable(
        "Only `kairos run` starts a mock: it has the topics that it is given, and is gone at the end. `--broker auto` needs no more than it."
    )


_STARTERS: dict[str, Callable[[Path, Mapping[str, str]], AbstractContextManager[str]]] = {"auto": _auto, "mock": _mock, "docker": _docker}


@contextmanager
def _embedded(data_directory: Path) -> Iterator[str]:
    with EmbeddedBroker(data_directory / "broker") as kafka:
        yield kafka.bootstrap


@contextmanager
def _compose() -> Iterator[str]:
    with DockerBroker() as kafka:
        yield kafka.bootstrap


@contextmanager
def _already_there(bootstrap: str) -> Iterator[str]:
    admin.cluster_id(bootstrap)
    yield bootstrap
