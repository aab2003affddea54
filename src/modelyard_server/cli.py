"""`modelyard-server`: serve, migrate, fsck, config, probe."""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

import modelyard_server
from modelyard.core.suggestions import did_you_mean
from modelyard_server import app as application
from modelyard_server import offline
from modelyard_server.allocator import keep_freed_memory
from modelyard_server.blobs.store import StoreError
from modelyard_server.calls.errors import RegistryError, Unavailable
from modelyard_server.calls.methods import ContractError
from modelyard_server.config import CONFIG_VARIABLE, Settings
from modelyard_server.data_directory import DataDirectoryError
from modelyard_server.db.faults import PoolModeError
from modelyard_server.db.integrity import DatabaseDamagedError
from modelyard_server.db.schema import SchemaError
from modelyard_server.failpoints import FailpointError
from modelyard_server.interrupts import ends_at_once
from modelyard_server.probe import ProbeError, certified_name
from modelyard_server.probe import probe as ask_health
from modelyard_server.rpc.server import ListenError
from modelyard_server.telemetry import configure_logging
from modelyard_server.upkeep import printing

T = TypeVar("T")

# Other users can't read the database, even in an existing folder that is open to them.
_OWNER_ONLY = 0o077

cli = typer.Typer(
    name="modelyard-server",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"modelyard-server {modelyard_server.__version__}")
        raise typer.Exit


@cli.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """The server of the Modelyard registry. Flags override MODELYARD_SERVER_… variables, and these the TOML file."""


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 (a command's own words)
    raise typer.Exit(code)


def _help(name: str) -> str | None:
    return Settings.model_fields[name].description


def _option(name: str) -> Any:
    return typer.Option(f"--{name.replace('_', '-')}", help=_help(name), show_default=False)


def _flag(name: str) -> Any:
    return typer.Option(f"--{name}", help=_help(name), show_default=False)


Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings", show_default=False)]
DataDir = Annotated[Path | None, _option("data_dir")]
DatabaseUrl = Annotated[str | None, _option("database_url")]


class Form(StrEnum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Form, typer.Option("--output", "-o", help="table for people, json for programs", show_default=True)]


def _settings(config: Path | None, *, failure: int = 1, **flags: Any) -> Settings:
    """The settings in force. Exits with ``failure`` and a message if they are invalid."""
    if config is not None:
        if not config.is_file():
            _fail(f"There is no file {config}. Check --config.", failure)
        os.environ[CONFIG_VARIABLE] = str(config)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        _fail("; ".join(map(_told, error.errors())), failure)
    except ValueError as error:  # an invalid TOML file
        _fail(f"{config}: {error}", failure)


def _told(error: ErrorDetails) -> str:
    """One sentence about a setting that is wrong."""
    name = ".".join(map(str, error["loc"])) or "settings"
    if error["type"] != "extra_forbidden":
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    known = sorted(Settings.model_fields)
    meant = did_you_mean(name, known) or f" Use {', '.join(known)}."
    return f"There is no setting {name!r}.{meant}"


def _run(work: Callable[[], Coroutine[Any, Any, T]], code: int = 1) -> T:
    """Runs a command's work. Exits with ``code`` and a message if it fails."""
    try:
        return asyncio.run(work())
    except (
        DataDirectoryError,
        DatabaseDamagedError,
        SchemaError,
        ListenError,
        ContractError,
        FailpointError,
        RegistryError,
        StoreError,
    ) as error:
        _fail(_explained(error), code)


def _explained(error: Exception) -> str:
    """The error with what a driver said, for the operator. Callers of the server never see that."""
    if isinstance(error.__cause__, PoolModeError):  # it says what to configure: a retry would fail the same way
        return str(error.__cause__)
    lines = str(error.__cause__).splitlines() if isinstance(error, Unavailable) and error.__cause__ else []
    return f"{error} The cause: {lines[0]}" if lines else str(error)


@cli.command()
def serve(
    *,
    config: Config = None,
    listen: Annotated[str | None, _option("listen")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    database_pool_size: Annotated[int | None, _option("database_pool_size")] = None,
    tls_cert: Annotated[Path | None, _option("tls_cert")] = None,
    tls_key: Annotated[Path | None, _option("tls_key")] = None,
    insecure: Annotated[bool | None, _flag("insecure")] = None,
    reflection: Annotated[bool | None, _flag("reflection")] = None,
    development: Annotated[bool | None, _flag("development")] = None,
    admin_listen: Annotated[str | None, _option("admin_listen")] = None,
    webhook_networks: Annotated[str | None, _option("webhook_networks")] = None,
    drain_delay_seconds: Annotated[
        float | None,
        typer.Option("--drain-delay", "--drain-delay-seconds", help=_help("drain_delay_seconds"), show_default=False),
    ] = None,
    grace_seconds: Annotated[float | None, _option("grace_seconds")] = None,
    log_level: Annotated[str | None, _option("log_level")] = None,
    log_format: Annotated[str | None, _option("log_format")] = None,
) -> None:
    """Run the server until SIGTERM. Without arguments it uses SQLite and a folder, and listens on loopback."""
    settings = _settings(
        config,
        listen=listen,
        data_dir=data_dir,
        database_url=database_url,
        database_pool_size=database_pool_size,
        tls_cert=tls_cert,
        tls_key=tls_key,
        insecure=insecure,
        reflection=reflection,
        development=development,
        admin_listen=admin_listen,
        webhook_networks=webhook_networks,
        drain_delay_seconds=drain_delay_seconds,
        grace_seconds=grace_seconds,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(settings.log_level, settings.log_format)
    os.umask(_OWNER_ONLY)
    keep_freed_memory()
    _run(lambda: application.serve(settings))


@cli.command()
def migrate(
    *,
    config: Config = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    development: Annotated[bool | None, _flag("development")] = None,
) -> None:
    """Migrate the database's schema to this release. `serve` migrates the embedded database by itself."""
    settings = _settings(config, data_dir=data_dir, database_url=database_url, development=development)
    os.umask(_OWNER_ONLY)
    with ends_at_once():
        before, after = _run(lambda: offline.migrate(settings))
    typer.echo(f"schema {after}: up to date" if before == after else f"schema {before or 'none'} -> {after}")


@cli.command()
def fsck(
    *,
    config: Config = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    read_data: Annotated[bool, typer.Option("--read-data", help="also read and hash every stored byte")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Check the data of the registry, and compare it with the log. The server may be running.

    Exits with 0 if the data is consistent, with 1 if there are faults, and with 2 if the check fails. Repairs nothing.
    """
    settings = _settings(config, failure=2, data_dir=data_dir, database_url=database_url)
    with closing(printing.Meter(sys.stderr)) as meter:
        try:
            report = _run(lambda: offline.check(settings, read_data=read_data, progress=meter.show), code=2)
        except KeyboardInterrupt:
            _fail("The check was interrupted. Not everything was checked.", code=2)
        except typer.Exit:
            raise
        except Exception:  # noqa: BLE001 (otherwise Python exits with 1, which means a damaged registry)
            traceback.print_exc()
            _fail("The check itself failed. The registry may be consistent. Please report this.", code=2)
    typer.echo(printing.as_json(report) if output is Form.JSON else printing.as_text(report))
    if not report.clean:
        raise typer.Exit(1)


@cli.command("config")
def show_config(*, config: Config = None, output: Output = Form.TABLE) -> None:
    """Print the settings in force, with secrets masked."""
    shown = _settings(config).shown()
    if output is Form.JSON:
        typer.echo(json.dumps(shown, indent=2))
        return
    width = max(map(len, shown))
    for name, value in shown.items():
        typer.echo(f"{name:{width}}  {'' if value is None else value}")


@cli.command()
def probe(
    *,
    config: Config = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of the server", show_default="the listen setting")
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="file with the trusted certificate, PEM", show_default="tls_cert")
    ] = None,
    authority: Annotated[str | None, typer.Option(help="name in the server's certificate", show_default=False)] = None,
) -> None:
    """Ask the health service of a server. Exits with 0 if it serves. By default it uses the server's own settings."""
    settings = _settings(config)
    target = address or settings.listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 (not bound)
    flagged = address or tls_ca or authority
    try:
        if not flagged and settings.tls_cert is not None and not target.startswith("unix"):
            # The server is asked by address, but its certificate has a name: use a name that its own certificate has.
            authority = certified_name(target, settings.tls_cert)
        ask_health(target, trusted=tls_ca or settings.tls_cert, authority=authority)
    except ProbeError as error:
        _fail(str(error))
    typer.echo("serving")


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
