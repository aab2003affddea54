"""``resolve``, ``ls`` and ``show``: commands that change nothing."""

from itertools import islice
from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import reference
from modelyard.cli import render
from modelyard.cli.options import with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import plain, short
from modelyard.references import Selector


@with_session
def resolve(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="As team/fraud@production.")],
) -> None:
    """Tells which version a reference means now."""
    with session.client() as client:
        resolution = client.resolve(ref)
    session.show(resolution, plain(f"{short(resolution.version.name)}  {resolution.version.digest}"))


@with_session
def ls(
    session: Session,
    what: Annotated[
        str | None, typer.Argument(metavar="[NAMESPACE | MODEL]", help="As team or team/fraud.", show_default=False)
    ] = None,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="With those that are deleted and can be restored.")
    ] = False,
) -> None:
    """Lists namespaces, the models of a namespace or the versions of a model, newest first.

    Without an argument: the namespaces; for people the models of the only one, if there is but one.
    """
    with session.client() as client:
        if what is None:
            _list_all(session, client, deleted=deleted)
        elif "/" in what:
            _list_versions(session, client, what, deleted=deleted)
        else:
            _list_models(session, client, what, deleted=deleted)


@with_session
def show(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="REF | MODEL", help="As team/fraud@7 or team/fraud.")],
) -> None:
    """Tells all about a model with its aliases, or about a version with its files and where it came from."""
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if whole_model:
            model, aliases = client.get_model(what), list(client.list_aliases(what))
            session.show({"model": model, "aliases": aliases}, render.model_page(model, aliases))
        else:
            version = client.get_version(what)
            session.show({"version": version}, render.version_page(version))


def _list_all(session: Session, client: Client, *, deleted: bool) -> None:
    if session.output is Output.TABLE:
        first_two = list(islice(client.list_namespaces(), 2))
        if len(first_two) == 1:
            _list_models(session, client, first_two[0].id, deleted=deleted)
            return
    session.show_list("namespaces", client.list_namespaces(), render.namespaces, "there are no namespaces")


def _list_models(session: Session, client: Client, namespace: str, *, deleted: bool) -> None:
    models = client.list_models(namespace, show_deleted=deleted)
    session.show_list("models", models, render.models, f"there are no models in {namespace}")


def _list_versions(session: Session, client: Client, model: str, *, deleted: bool) -> None:
    versions = client.list_versions(model, show_deleted=deleted)
    session.show_list("versions", versions, render.versions, f"{model} has no versions")
