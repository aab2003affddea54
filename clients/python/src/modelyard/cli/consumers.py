"""``deployments`` and ``rollout``: which services serve which versions."""

import re
from contextlib import suppress
from itertools import islice
from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard.cli import render_consumers as render
from modelyard.cli.completing import complete_reference
from modelyard.cli.exits import Exit
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.core.names import DEFAULT_NAMESPACE
from modelyard.core.references import Selector
from modelyard.errors import NotFoundError
from modelyard.types import Deployment

_SHOWN = 50
Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        metavar="ENV",
        help="Only services that run there, for example production.",
        show_default=False,
    ),
]


@with_session
def deployments(
    session: Session,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A namespace, a model, or a version by any reference, for example team/fraud@7.",
            show_default=DEFAULT_NAMESPACE,
            autocompletion=complete_reference,
        ),
    ] = None,
    environment: Environment = "",
    matching: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Only matching deployments, for example 'service = fraud-api AND version < 7'.",
        ),
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=1, help="Most deployments to list. With --end there is no limit.", show_default="50"
        ),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End these deployments: their services are gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """List the services that serve a model or a version now.

    A service is listed from its registration until it stops or its heartbeats stop.
    """
    if end and what is None:
        raise invalid("what", "--end needs a namespace, a model or a version, for example team/fraud@7.")
    if end and not (yes or session.can_ask):
        raise invalid("yes", "There is no terminal to ask on. Add --yes to end the deployments without asking.")
    what = what or DEFAULT_NAMESPACE
    with session.client() as client:
        place, conditions = _place(client, what)
        if environment:
            conditions.append(f"environment = {_quoted(environment)}")
        # The given one first: errors tell places in it. OR binds tighter, so it needs no parentheses.
        found = client.deployments.list(place, filter=" AND ".join(filter(None, (matching, *conditions))))
        if end:
            _end(session, client, what, list(islice(found, limit)), yes=yes)
            return
        shown = islice(found, limit or _SHOWN)
        session.show_list("deployments", shown, render.deployments, f"nobody serves {what}")


def _end(session: Session, client: Client, what: str, found: list[Deployment], *, yes: bool) -> None:
    if found:
        session.confirm(f"end {_counted(found)} of {what}?", yes=yes)
    ended = []
    for each in found:
        with suppress(NotFoundError):  # it ended by itself meanwhile
            ended.append(client.deployments.delete(each.name, etag=each.etag))
    session.show_list("deployments", ended, render.deployments, "nothing to end")
    if ended:
        session.note(f"ended {_counted(ended)}")


def _counted(deployments: list[Deployment]) -> str:
    return f"{len(deployments)} deployment{'' if len(deployments) == 1 else 's'}"


def _place(client: Client, what: str) -> tuple[str, list[str]]:
    """The parent of a list, and what narrows it."""
    if "/" not in what and "@" not in what:
        return f"{what}/-", []
    named = reference(what, "what")
    model = str(named).partition("@")[0]
    match named.selector:
        case Selector.DEFAULT:
            return model, []
        case Selector.NUMBER:
            # Not resolved: a quarantined version may be served too. This only checks that the version exists.
            return model, [f"version = {client.versions.usage(what).version.number}"]
        case _:
            return model, [f"version = {client.resolve(what).version.number}"]


def _quoted(value: str) -> str:
    """As a filter takes a text, whatever it holds."""
    escaped = re.sub(r'(["\\*])', r"\\\1", value)
    return f'"{escaped}"'


@with_session
def rollout(
    session: Session,
    ref: Annotated[
        str,
        typer.Argument(metavar="ALIAS", help="For example team/fraud@production.", autocompletion=complete_reference),
    ],
    environment: Environment = "",
) -> None:
    """Tell whether every service that follows an alias serves its version, and which ones do not.

    The exit code is 0 if all do, and 1 if one does not or if no service follows the alias. Services that follow another
    reference are left out.
    """
    named = reference(ref)
    if named.selector is not Selector.ALIAS:
        raise invalid("ref", f"{ref!r} is not an alias. Use NAMESPACE/MODEL@ALIAS, for example team/fraud@production.")
    with session.client() as client:
        found = client.deployments.rollout(named.model, named.value, environment=environment)
    session.show({"rollout": found}, render.rollout(found, environment))
    if not found.complete:
        raise typer.Exit(Exit.OTHER)
