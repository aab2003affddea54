"""The pages of the command lines, from Typer."""

import typer
from tools.reference.markdown import GENERATED
from typer.cli import get_docs_for_click

from modelyard.cli.app import app
from modelyard_server.cli import cli


def pages() -> dict[str, str]:
    return {"cli.md": _page(app, "modelyard"), "server-cli.md": _page(cli, "modelyard-server")}


def _page(application: typer.Typer, name: str) -> str:
    command = typer.main.get_command(application)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name=name), name=name)
    return f"{GENERATED}\n\n{text.strip()}\n"
