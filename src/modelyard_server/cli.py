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

from modelyard_server import app as application
from modelyard_server import offline
from modelyard_server.allocator import keep_freed_memory
from modelyard_server.blobs.store import StoreError
from modelyard_server.calls.errors import RegistryError
from modelyard_server.calls.methods import ContractError
from modelyard_server.config import CONFIG_VARIABLE, Settings
from modelyard_server.data_directory import DataDirectoryError
from modelyard_server.db.integrity import DatabaseDamagedError
from modelyard_server.db.schema import SchemaError
from modelyard_server.failpoints import FailpointError
from modelyard_server.probe import ProbeError, certified_name
from modelyard_server.probe import probe as ask_health
from modelyard_server.rpc.server import ListenError
from modelyard_server.telemetry import configure_logging
from modelyard_server.upkeep import report as fsck_report

T = TypeVar("T")

# Also in a folder that was there before, and is open to others, the database is not.
_OWNER_ONLY = 0o077

cli = typer.Typer(
    name="modelyard-server",
    help="The Modelyard registry. Flags win over MODELYARD_SERVER_… variables, those over the TOML file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 (a command's own words)
    raise typer.Exit(code)


def _help(name: str) -> str | None:
    return Settings.model_fields[name].description


def _option(name: str) -> Any:
    return typer.Option(f"--{name.replace('_', '-')}", help=_help(name), show_default=False)


def _flag(name: str) -> Any:
    return typer.Option(f"--{name}", help=_help(name), show_default=False)


Config = Annotated[Path | None, typer.Option("--config", help="a TOML file of settings", show_default=False)]
DataDir = Annotated[Path | None, _option("data_dir")]
DatabaseUrl = Annotated[str | None, _option("database_url")]


class Form(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Form, typer.Option("--output", "-o", help="for people, or for programs", show_default=True)]


def _settings(config: Path | None, *, failure: int = 1, **flags: Any) -> Settings:
    """What is in force; exits with ``failure`` and a sentence if it can't be."""
    if config is not None:
        if not config.is_file():
            _fail(f"there is no file {config}", failure)
        os.environ[CONFIG_VARIABLE] = str(config)
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        _fail("; ".join(lines), failure)
    except ValueError as error:  # a TOML file that isn't one
        _fail(f"{config}: {error}", failure)


def _run(work: Callable[[], Coroutine[Any, Any, T]], code: int = 1) -> T:
    """Runs a command's work; exits with ``code`` and a sentence if it can't be done."""
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
        _fail(str(error), code)


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
    """Serve until SIGTERM. Needs no arguments: SQLite and a folder, on loopback."""
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
    """Bring the database's schema up to this release; `serve` does it by itself for the embedded database."""
    settings = _settings(config, data_dir=data_dir, database_url=database_url, development=development)
    os.umask(_OWNER_ONLY)
    before, after = _run(lambda: offline.migrate(settings))
    typer.echo(f"schema {after}: up to date" if before == after else f"schema {before or 'none'} -> {after}")


@cli.command()
def fsck(
    *,
    config: Config = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    read_data: Annotated[bool, typer.Option("--read-data", help="also hash every stored byte")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Check that all the registry says is so, beside a running server or without; exit 0 only if it is.

    Exits with 1 if something is wrong, with 2 if it can't be checked. Never repairs anything.
    """
    settings = _settings(config, failure=2, data_dir=data_dir, database_url=database_url)
    with closing(fsck_report.Meter(sys.stderr)) as meter:
        try:
            report = _run(lambda: offline.check(settings, read_data=read_data, progress=meter.show), code=2)
        except KeyboardInterrupt:
            _fail("interrupted; not everything was checked", code=2)
        except typer.Exit:
            raise
        except Exception:  # noqa: BLE001 (or Python would exit with 1, which says that the registry is damaged)
            traceback.print_exc()
            _fail("the check itself failed, which says nothing about the registry; please report it", code=2)
    typer.echo(fsck_report.as_json(report) if output is Form.JSON else fsck_report.as_text(report))
    if not report.clean:
        raise typer.Exit(1)


@cli.command("config")
def show_config(*, config: Config = None, output: Output = Form.TABLE) -> None:
    """Print the settings in force, secrets masked."""
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
        str | None, typer.Option(help="the server's host:port", show_default="the listen setting")
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="certificate to trust, PEM", show_default="tls_cert")] = None,
    authority: Annotated[str | None, typer.Option(help="the name in the certificate", show_default=False)] = None,
) -> None:
    """Ask a server's health service; exit 0 if it serves. On the server's own machine its settings say all."""
    settings = _settings(config)
    target = address or settings.listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 (not bound)
    flagged = address or tls_ca or authority
    try:
        if not flagged and settings.tls_cert is not None and not target.startswith("unix"):
            # It is called by name and asked by address: right is whatever name its own certificate file vouches for.
            authority = certified_name(target, settings.tls_cert)
        ask_health(target, trusted=tls_ca or settings.tls_cert, authority=authority)
    except ProbeError as error:
        _fail(str(error))
    typer.echo("serving")


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
