"""``namespaces``: create, list, change, delete and restore the spaces of teams."""

from typing import Annotated

import typer

from modelyard.cli import render, values
from modelyard.cli.completing import complete_namespace
from modelyard.cli.lifecycle import Description, DisplayName, Labels, RemovedLabels, given, relabelled
from modelyard.cli.options import PageSize, add, with_session
from modelyard.cli.session import Session
from modelyard.cli.text import plain
from modelyard.types import Namespace

app = typer.Typer(help="Create, list, change, delete and restore namespaces.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAMESPACE", help="For example team.", autocompletion=complete_namespace)]


@with_session
def ls(session: Session, page_size: PageSize = None) -> None:
    """List all namespaces."""
    with session.client() as client:
        found = client.namespaces.list(page_size=page_size)
        session.show_list("namespaces", found, render.namespaces, "there are no namespaces")


@with_session
def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAMESPACE", help="For example team.")],
    display_name: DisplayName = None,
    description: Description = None,
    label: Labels = None,
) -> None:
    """Create a namespace. 'push' creates one by itself."""
    with session.client() as client:
        made = client.namespaces.create(
            name,
            display_name=display_name or "",
            description=description or "",
            labels=values.pairs(label or [], "--label", str),
        )
    _told(session, made, "created")


@with_session
def edit(
    session: Session,
    name: _Name,
    display_name: DisplayName = None,
    description: Description = None,
    label: Labels = None,
    remove_label: RemovedLabels = None,
) -> None:
    """Change the display name, the description or the labels of a namespace. What is not named stays as it is."""
    added = values.pairs(label or [], "--label", str)
    with session.client() as client:
        before = client.namespaces.get(name)
        changes = given(display_name=display_name, description=description)
        changes |= relabelled(before.labels, added, remove_label or ())
        _told(session, client.namespaces.update(name, etag=before.etag, **changes), "changed")


@with_session
def rm(
    session: Session,
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete an empty namespace. Its log is kept, and 'namespaces restore' brings it back."""
    session.confirm(f"delete the namespace {name}?", yes=yes)
    with session.client() as client:
        _told(session, client.namespaces.delete(name), "deleted")


@with_session
def restore(session: Session, name: _Name) -> None:
    """Restore a deleted namespace."""
    with session.client() as client:
        _told(session, client.namespaces.undelete(name), "restored")


def _told(session: Session, namespace: Namespace, what: str) -> None:
    session.show({"namespace": namespace}, plain(f"{what} {namespace.id}"))


for _command in (ls, create, edit, rm, restore):
    add(app, _command)
