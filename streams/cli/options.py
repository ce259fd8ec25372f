"""What several commands share: options, settings from the environment with flags on top, and how a command fails.

The rule this module owns: a usage that cannot work exits with 2, a failure of the outside world with 1, and both say what to do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from streams.settings import Settings

F = TypeVar("F", bound=Callable[..., object])

BROKER_HELP = (
    "Kafka: HOST:PORT[,...]; docker; auto takes KAFKA_BOOTSTRAP or KAIROS_BOOTSTRAP if set, else a broker that runs in the data directory, "
    "else starts the one of the last run again."
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a machine.")
graph = click.option(
    "--graph",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE.svg",
    help="Also draw the links as a picture; it shows identifiers in the clear.",
)
broker = click.option("--broker", default="auto", show_default=True, metavar="auto|docker|HOST:PORT", help=BROKER_HELP)


class Failure(click.ClickException):
    """What was asked for could not be done; the text says why and what to try."""

    exit_code = 1


def settings(**flags: object) -> Settings:
    """The settings; `flags` that are not None win over environment and file. A wrong one is a usage error that names it."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from streams.settings import Settings

    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise click.UsageError("\n".join(_complaint(found["loc"], found["msg"], found["input"]) for found in error.errors())) from None
    except (SettingsError, ValueError) as error:  # the file is no TOML
        raise click.UsageError(f"The settings cannot be read: {error}") from None


def _complaint(where: tuple[int | str, ...], message: str, given: object) -> str:
    from pydantic import SecretStr

    from streams.settings import Settings

    name = str(where[0]) if where else "settings"
    field = Settings.model_fields.get(name)
    if field is None:
        return f"There is no setting {name!r}; the README lists them all."
    shown = "" if field.annotation == SecretStr | None else f"={given!s}"
    return f"KAIROS_{name.upper()}{shown}: {message}. ({field.description})"


def outside(function: F) -> F:
    """Turn what the outside world can do to a command (no broker, no file, Ctrl-C) into one line and the right exit code."""

    @functools.wraps(function)
    def guarded(*args: object, **kwargs: object) -> object:
        try:
            return function(*args, **kwargs)
        except BrokenPipeError:  # the reader of our output has gone: click ends us quietly
            raise
        except _from_outside() as error:  # evaluated only when something went wrong, so that its imports cost nothing else
            raise Failure(_said(error)) from None

    return guarded  # type: ignore[return-value]  # wraps keeps the signature


def _from_outside() -> tuple[type[Exception], ...]:
    from confluent_kafka import KafkaException
    from kafka.errors import KafkaError

    from connectors.consumer.reading import ReadFailed
    from connectors.producer import PlayFailed
    from connectors.simulator.truth import NotTheTruth
    from streams.broker.errors import BrokerUnavailable
    from streams.identity.policy import PolicyError

    return BrokerUnavailable, PolicyError, NotTheTruth, PlayFailed, ReadFailed, KafkaException, KafkaError, OSError, EOFError


def _gone() -> frozenset[int]:
    """How a client says that the Kafka it was connected to is not there."""
    from confluent_kafka import KafkaError

    return frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT})


def _said(error: Exception) -> str:
    from streams.identity.policy import PolicyError

    if isinstance(error, PolicyError):
        return f"The identity policy is wrong: {error}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, EOFError):
        return "A compressed file ends in its midst: was it copied whole?"
    said = error.args[0] if error.args else error
    if hasattr(said, "code") and said.code() in _gone():
        return f"Kafka does not answer any more ({said.str()}): is it still running?"
    return f"Kafka says: {said.str()}" if hasattr(said, "str") else str(error) or type(error).__name__


def reader(_ctx: click.Context, parameter: click.Parameter, name: str) -> str:
    """A click callback: the name of a reader that is there."""
    from connectors.runtime.readers import readers

    if name not in readers():
        raise click.BadParameter(f"there is no reader {name!r}; there are: {', '.join(sorted(readers()))}.", param=parameter)
    return name


def share(_ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    """A click callback: a share from 0 to 1."""
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{value} is no share; write 5% as 0.05.", param=parameter)
    return value


def instant(_ctx: click.Context, parameter: click.Parameter, written: str | None) -> int | None:
    """A click callback: RFC 3339 to microseconds."""
    from streams import instants

    if written is None:
        return None
    parsed = instants.parse(written)
    if parsed is None:
        raise click.BadParameter(f"{written!r} is no instant; write it as 2011-12-10T00:00:00Z.", param=parameter)
    return parsed
