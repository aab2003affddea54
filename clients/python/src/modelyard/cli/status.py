"""``status``: whether the registry answers, and what this command line is set to."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import typer

from modelyard import _config
from modelyard.cli.exits import failure
from modelyard.cli.layout import page, pairs
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import size
from modelyard.core.times import rfc3339
from modelyard.errors import ModelyardError
from modelyard.types import Status

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """Settings from the environment and the options, without secrets."""

    client_version: str
    python_version: str
    url: str
    url_given: bool
    token_given: bool
    ca_file: str | None
    cache_dir: Path | None
    cache_bytes: int | None


@with_session
def status(session: Session) -> None:
    """Tell whether the registry can be reached, as whom, which versions run, and what the settings are.

    The exit code is 0 if the registry answers.
    """
    error: ModelyardError | None = None
    found: Status | None = None
    try:
        with session.client() as client:
            found = client.status()
    except ModelyardError as why:
        error = why
    settings, complaints = _settings(session)
    document = {
        "reachable": found is not None,
        "registry": found,
        "error": {"reason": error.reason, "message": error.message} if error else None,
        "settings": settings,
    }
    session.show({"status": document}, page(pairs(_told(found, error)), pairs(_told_of(settings)), pairs(complaints)))
    if error is not None:
        told = failure(error)
        assert told is not None
        raise typer.Exit(told.code)


def _told(found: Status | None, error: ModelyardError | None) -> dict[str, Any]:
    if found is None:
        return {"reachable": "no", "why": error.message if error else ""}
    return {
        "registry": found.url,
        "reachable": f"yes, in {found.latency * 1000:.0f} ms",
        "server": f"modelyard-server {found.server_version}",
        "server time": rfc3339(found.serve_time, "seconds"),
        "you are": found.caller,
    }


def _settings(session: Session) -> tuple[_Settings, dict[str, str]]:
    """The settings, and an error by the name of each that can't be used."""
    complaints: dict[str, str] = {}

    def usable(name: str, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except ModelyardError as error:
            complaints[name] = error.message
            return None

    given = session.url or os.environ.get("MODELYARD_URL")
    settings = _Settings(
        client_version=version("modelyard"),
        python_version=platform.python_version(),
        url=given or _config.DEFAULT_URL,
        url_given=bool(given),
        token_given=bool(os.environ.get("MODELYARD_TOKEN")),
        ca_file=os.environ.get("MODELYARD_CA_FILE") or None,
        cache_dir=usable("cache", _config.cache_dir),
        cache_bytes=usable("cache size", _config.cache_bytes),
    )
    return settings, complaints


def _told_of(settings: _Settings) -> dict[str, Any]:
    return {
        "client": f"modelyard {settings.client_version}, Python {settings.python_version}",
        "url": settings.url if settings.url_given else f"{settings.url}, the default",
        "token": "set" if settings.token_given else "not set",
        "certificates": settings.ca_file,
        "cache": settings.cache_dir,
        "cache size": settings.cache_bytes and f"at most {size(settings.cache_bytes)}",
    }
