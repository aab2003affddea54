"""``deployments`` and ``rollout``: who serves what."""

import re
from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard.cli import render
from modelyard.cli.exits import Exit
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.names import DEFAULT_NAMESPACE
from modelyard.references import Selector

Environment = Annotated[
    str,
    typer.Option("--environment", "-e", metavar="ENV", help="Only what runs there, as production.", show_default=False),
]


@with_session
def deployments(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="[WHAT]", help="A namespace, a model, or a version by any reference, as team/fraud@7."),
    ] = DEFAULT_NAMESPACE,
    environment: Environment = "",
    end: Annotated[bool, typer.Option("--end", help="End them: for what is gone and could not say so.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Lists who serves it now: services that said what they have loaded, and are still heard of."""
    with session.client() as client:
        place, conditions = _place(client, what)
        if environment:
            conditions.append(f"environment = {_quoted(environment)}")
        found = client.deployments.list(place, filter=" AND ".join(conditions))
        if end:
            session.confirm(f"end the deployments of {what}?", yes=yes)
            found = (client.deployments.delete(each.name, etag=each.etag) for each in found)
        session.show_list("deployments", found, render.deployments, f"nobody serves {what}")


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
            return model, [f"version = {named.value}"]
        case _:
            return model, [f"version = {client.resolve(what).version.number}"]


def _quoted(value: str) -> str:
    """As a filter takes a text, whatever it holds."""
    escaped = re.sub(r'(["\\*])', r"\\\1", value)
    return f'"{escaped}"'


@with_session
def rollout(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="ALIAS", help="As team/fraud@production.")],
    environment: Environment = "",
) -> None:
    """Tells whether what runs is what an alias points at, and who runs something else.

    The exit code is 0 if all match, and 1 if one does not. Services that follow another reference are left out.
    """
    named = reference(ref)
    if named.selector is not Selector.ALIAS:
        raise invalid("ref", f"{ref!r} is no alias; what runs is held against one, as team/fraud@production")
    with session.client() as client:
        found = client.deployments.rollout(named.model, named.value, environment=environment)
    session.show(found, render.rollout(found))
    if not found.complete:
        raise typer.Exit(Exit.OTHER)
