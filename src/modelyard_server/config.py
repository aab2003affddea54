"""Settings. A flag overrides an environment variable, that the TOML file, and that the default."""

import ipaddress
import os
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy.engine import make_url

from modelyard_server.db.engines.factory import parse_url
from modelyard_server.outbound.addresses import Network

ENV_PREFIX: Final = "MODELYARD_SERVER_"
CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
_LAST_PORT: Final = 65535


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "modelyard"


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a listen address."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _networks(value: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


class Settings(BaseSettings):
    """The settings of a server. Each field is a flag, an environment variable and a key of the TOML file."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", validate_default=True)

    listen: str = Field(
        "127.0.0.1:4850", description="address of the gRPC server: host:port or unix:path; port 0 picks a free port"
    )
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="folder of the embedded database and the blobs; created if missing",
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://… to use PostgreSQL instead of the embedded SQLite database"
    )
    database_pool_size: int = Field(10, ge=2, le=1000, description="maximum number of database connections")
    tls_cert: Path | None = Field(None, description="file with the certificate chain, PEM; read again when it changes")
    tls_key: Path | None = Field(
        None, description="file with the private key of the certificate, PEM; read again when it changes"
    )
    insecure: bool = Field(False, description="allow plaintext on an address that other machines can reach")
    reflection: bool = Field(False, description="serve gRPC reflection")
    development: bool = Field(
        False, description="for tests only: obey MODELYARD_FAILPOINTS, which makes the server fail on purpose"
    )
    admin_listen: str = Field(
        "127.0.0.1:4851", description="address of the metrics server (/metrics): host:port; empty for none"
    )
    webhook_networks: str = Field(
        "", description="private networks that webhooks may reach, separated by commas: 10.0.0.0/8,fd00::/8"
    )
    drain_delay_seconds: float = Field(
        5.0, ge=0, description="seconds that calls are still accepted after SIGTERM, while health says NOT_SERVING"
    )
    grace_seconds: float = Field(20.0, ge=0, description="seconds that running calls may take after that")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lowest severity that is logged"
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="json for one JSON object per line, text for people"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the base's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the base's)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get(CONFIG_VARIABLE)
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *toml)

    @field_validator("listen", "admin_listen")
    @classmethod
    def _has_port(cls, value: str) -> str:
        if not value or value.startswith("unix"):
            return value
        _, colon, port = value.rpartition(":")
        if not port.isdigit():
            raise ValueError(f"{value!r} has no port. Use host:port.")
        if not colon:
            raise ValueError(f"{value!r} has no host. Use host:port, for example 127.0.0.1:{port}.")
        if int(port) > _LAST_PORT:
            raise ValueError(f"{value!r} has no port that exists. Use one up to {_LAST_PORT}.")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_url(value.get_secret_value())
        return value

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @model_validator(mode="after")
    def _safe(self) -> "Settings":
        if not self.listen:
            raise ValueError("listen is empty. Use host:port.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together. Give both or none.")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise ValueError(f"there is no file {path}")
        if not is_loopback(self.listen) and self.tls_cert is None and not self.insecure:
            raise ValueError(
                f"other machines can reach {self.listen}, and the traffic would not be encrypted. Give tls_cert and"
                " tls_key, or set insecure if a mesh encrypts the traffic."
            )
        return self

    @property
    def reachable(self) -> tuple[Network, ...]:
        """Private networks that webhooks may reach."""
        return _networks(self.webhook_networks)

    @property
    def embedded(self) -> bool:
        """Whether the server uses the SQLite database in its data folder."""
        return self.database_url is None

    def shown(self) -> dict[str, Any]:
        """All settings for people, with secrets masked."""
        values: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = make_url(value.get_secret_value()).render_as_string(hide_password=True)
            values[name] = str(value) if isinstance(value, Path) else value
        return values
