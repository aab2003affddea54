"""``status``: whether the registry answers, and what this command line is set to."""

import os
import platform
from importlib.metadata import version
from typing import Any

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
    settings = _settings(session)
    shown = _told(found, error)
    document = {"registry": found, "error": error.message if error else None, "settings": settings}
    session.show({"status": document}, page(pairs(shown), pairs(settings)))
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


def _settings(session: Session) -> dict[str, Any]:
    """What the environment and the options say, without secrets."""
    try:
        cache = str(_config.cache_dir())
    except ModelyardError as error:
        cache = error.message
    return {
        "client": f"modelyard {version('modelyard')}, Python {platform.python_version()}",
        "url": session.url or os.environ.get("MODELYARD_URL") or f"{_config.DEFAULT_URL}, the default",
        "token": "set" if os.environ.get("MODELYARD_TOKEN") else "not set",
        "certificates": os.environ.get("MODELYARD_CA_FILE", ""),
        "cache": cache,
        "cache size": _most(),
    }


def _most() -> str:
    try:
        return f"at most {size(_config.cache_bytes())}"
    except ModelyardError as error:
        return error.message
