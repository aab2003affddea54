"""Options that every command takes, before its name or after it."""

import functools
import inspect
import re
from collections.abc import Callable
from importlib.metadata import version as distribution_version
from typing import Annotated, Any

import typer

from modelyard.cli.session import Output, Session
from modelyard.core.limits import MAX_PAGE_SIZE

# No option for the token: every user of a machine can read its command lines.
_Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="The registry, instead of MODELYARD_URL. The token is read from MODELYARD_TOKEN."
    ),
]
_Output = Annotated[
    Output | None,
    typer.Option(
        "--output",
        "-o",
        help="table for people, json for one complete document, jsonl for a line for each item.",
        show_default="table",
    ),
]
_Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure", help="Allow plaintext to another machine. A token is never sent in plaintext.", show_default=False
    ),
]
_Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no progress bars and no remarks.", show_default=False)
]

PageSize = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_PAGE_SIZE, help="Items that one request fetches.", show_default="50"),
]

Directions = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        metavar="NAME=higher|lower",
        help="Which way a metric is better, for example loss=lower. 'best' goes by it. Repeatable.",
    ),
]
DropNonfinite = Annotated[
    bool,
    typer.Option(
        "--drop-nonfinite", help="Leave out metrics that are NaN or infinite, with a warning. Else they are refused."
    ),
]


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"modelyard {distribution_version('modelyard')}")
        raise typer.Exit


def remember(
    context: typer.Context,
    *,
    url: _Url = None,
    output: _Output = None,
    insecure: _Insecure = False,
    quiet: _Quiet = False,
    version: Annotated[  # noqa: ARG001 - its callback answers before anything else is read
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keeps the options that stand before the command's name for it."""
    context.obj = Session(url=url, output=output or Output.TABLE, insecure=insecure, quiet=quiet)


def add(app: typer.Typer, command: Callable[..., None]) -> None:
    """Adds a command. Its summary is the first sentence of its help, which the parser would cut in the middle."""
    app.command(short_help=re.split(r"(?<=\.)\s", command.__doc__ or "", maxsplit=1)[0])(command)


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """Makes a command of a function that takes a session first and then its own options: the shared ones come along."""

    @functools.wraps(command)
    def run(
        context: typer.Context, *, url: str | None, output: Output | None, insecure: bool, quiet: bool, **own: Any
    ) -> None:
        before: Session = context.find_root().obj
        session = Session(
            url=url or before.url,
            output=output or before.output,
            insecure=insecure or before.insecure,
            quiet=quiet or before.quiet,
        )
        with session.remarks_of_the_sdk():
            command(session, **own)

    _, *own = inspect.signature(command).parameters.values()
    context, *shared, _version = inspect.signature(remember).parameters.values()
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (context, *own, *shared)]
    # What the parser of the command line goes by.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a documented hook of inspect
    return run
