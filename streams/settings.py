"""Every setting: from the environment (KAIROS_...), from one file (kairos.toml, or what KAIROS_SETTINGS names), else the default here.

Secrets come from the environment or from files, never from a command line.
"""

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

SECRET_BYTES_MAX = 64
"""BLAKE2b's longest key."""


class Settings(BaseSettings):
    """The settings of a worker and of the commands; each field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="KAIROS_", extra="forbid", frozen=True)

    bootstrap: str = Field(min_length=3, default="127.0.0.1:9092", description="Kafka's address, HOST:PORT[,HOST:PORT...].")
    app_id: str = Field(
        "kairos", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="Name of this deployment: consumer group, transactional ids, changelog."
    )
    data_dir: Path = Field(
        Path(".kairos"), description="Directory of state stores, the embedded broker's data, jars and the generated secret."
    )
    partitions: int = Field(4, ge=1, le=64, description="Partitions of the co-partitioned topics; fixed once there is state.")
    topic_prefix: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9._-]{1,100}\.)?$",
        description="What a worker puts before the name of every topic that it reads or writes; `kairos replay run` sets it for a shadow.",
    )
    replication: int = Field(1, ge=1, le=9, description="Replication factor of the topics that Kairos creates.")
    journeys: Annotated[tuple[str, ...], NoDecode] = Field(
        ("retail",), description="Names of modules in streams/journeys/ whose rules are live, or files of such (FILE.py), comma-separated."
    )
    policy: Path | None = Field(
        None,
        description="File of another identity policy than the one in streams/journeys/: JSON, TOML or Python; `kairos identity policy` prints one.",
    )
    region: str = Field("GB", pattern="^[A-Z]{2}$", description="Region of phone numbers written without a country, ISO 3166.")
    secret: SecretStr | None = Field(
        None, description="Key of all hashes (customer ids, row and record keys). Changing it makes everybody a stranger."
    )
    secret_file: Path | None = Field(
        None, description="File that holds the secret; without either, DATA_DIR/secret is made once, readable by its owner alone."
    )
    guarantee: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="exactly_once: a Kafka transaction a batch. at_least_once: without; states stay exact, outputs may come again, and after a crash one may "
        "stand that was never taken back.",
    )
    mock: bool = Field(False, description="The broker is the mock of `kairos run --broker mock`, which sets this.")
    timeline_interactions_max: int = Field(
        2_000, ge=16, le=1_000_000, description="So many interactions a customer's timeline holds; older ones live on in totals."
    )
    timeline_days_max: int = Field(
        400, ge=1, le=36_500, description="So much older than the customer's newest interaction may those in its timeline be."
    )
    clock: Literal["live", "replay"] = Field(
        "live", description="live: deadlines fall due by the wall clock; replay: by time records in the input."
    )
    transaction_timeout_ms: int = Field(
        10_000, ge=1_000, le=900_000, description="After this the broker aborts a dead worker's open transaction."
    )
    session_timeout_seconds: float = Field(
        10.0, ge=1.0, le=1800.0, description="After this without a heartbeat a worker's partitions go to the others."
    )
    standbys: int = Field(
        0, ge=0, le=8, description="So many other workers keep a warm copy of each partition; then each worker needs a DATA_DIR of its own."
    )
    instance_id: str | None = Field(None, description="Static membership: a name that a worker keeps over its restarts.")
    batch_records_max: int = Field(4_000, ge=1, le=100_000, description="Most records of a batch.")
    batch_bytes_max: int = Field(4 * 1024 * 1024, ge=1024, description="Most bytes of a batch.")
    batch_seconds_max: float = Field(0.1, gt=0, le=10, description="Work that a batch aims to stay below.")
    tick_seconds: float = Field(1.0, gt=0, le=60, description="Under the live clock, how often deadlines are looked at.")
    cache_bytes: int = Field(128 * 1024 * 1024, ge=0, description="Bound of the cache of rows, all partitions of a worker together.")
    metrics_host: str = Field("127.0.0.1", description="Where /metrics, /healthz and /readyz listen; loopback unless told otherwise.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz; 0 takes a free one, none opens none."
    )
    endpoints: Path | None = Field(None, description="File of the endpoints that `kairos deliver` sends to (docs/webhooks.md).")

    @field_validator("journeys", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a caller says wins over the environment, the environment over the file."""
        named = os.environ.get("KAIROS_SETTINGS")
        if named and not Path(named).is_file():
            raise SettingsError(f"KAIROS_SETTINGS names {named}, and there is no such file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, named or "kairos.toml")

    @field_validator("secret")
    @classmethod
    def _fits(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 1 <= len(secret.get_secret_value().encode()) <= SECRET_BYTES_MAX:
            raise ValueError(f"it must have 1 to {SECRET_BYTES_MAX} bytes")
        return secret

    def hash_key(self) -> bytes:
        """The secret as the key of all hashes, 1 to 64 bytes; made and kept in DATA_DIR/secret if none was given.

        Raises ValueError where the secret is empty or longer than BLAKE2b's 64 bytes.
        """
        if self.secret is not None:
            written = self.secret.get_secret_value()
        else:
            path = self.secret_file or self.data_dir / "secret"
            if self.secret_file is None and not path.exists():
                _make_secret(path)
            written = path.read_text().strip()
        key = written.encode()
        if not 1 <= len(key) <= SECRET_BYTES_MAX:
            raise ValueError(f"The secret (KAIROS_SECRET or KAIROS_SECRET_FILE) must have 1 to {SECRET_BYTES_MAX} bytes.")
        return key


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"secret.{secrets.token_hex(8)}")  # In a container every program has the same number.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)  # of two programs that start at once the first one's secret stands
    except FileExistsError:
        pass
    finally:
        draft.unlink()
