"""``evaluate``, ``promote``, ``rollback``, ``rm`` and ``restore``: commands that change what is there."""

from typing import Annotated

import typer

from modelyard import Alias, Client
from modelyard._naming import invalid, reference
from modelyard.cli import values
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import number, plain, short
from modelyard.core.names import PRODUCTION
from modelyard.core.references import Selector
from modelyard.errors import NotFoundError


@with_session
def promote(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The version, as team/fraud@7.")],
    to: Annotated[str, typer.Option(metavar="ALIAS", help="The alias to move.")] = PRODUCTION,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the change.", show_default=False)] = "",
) -> None:
    """Points an alias at a version, unless somebody else moves it at the same time."""
    with session.client() as client:
        version = client.get_version(ref)
        model = short(version.name.model)
        before = _current(client, model, to)
        if before is not None and before.version == version.name:
            after = before
        else:
            after = client.set_alias(
                model,
                to,
                version.number,
                etag=before.etag if before else None,
                create_only=before is None,
                expected_digest=version.digest,
                reason=reason,
            )
    document = {"alias": after, "previous_version": before.version if before else None}
    session.show(document, plain(_told(before, after)))


@with_session
def evaluate(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The version, as team/fraud@7.")],
    dataset: Annotated[str, typer.Option(metavar="DATASET", help="What it was measured on.")],
    metric: Annotated[list[str], typer.Option(metavar="NAME=NUMBER", help="What it was measured to be; repeatable.")],
    harness: Annotated[str, typer.Option(metavar="TEXT", help="What measured it.", show_default=False)] = "",
) -> None:
    """Adds metrics on a data set to a version, at any time after it was made."""
    with session.client() as client:
        metrics = values.pairs(metric, "--metric", values.finite)
        made = client.evaluate(ref, dataset, metrics, harness=harness)
    told = ", ".join(f"{name}={number(value)}" for name, value in sorted(made.metrics.items()))
    session.show({"evaluation": made}, plain(f"{short(made.name.version)} on {made.dataset.name}: {told}"))


@with_session
def rollback(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As team/fraud.")],
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="The alias to move back.")] = PRODUCTION,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the change.", show_default=False)] = "",
) -> None:
    """Points an alias back at what it pointed at before, unless somebody else moves it at the same time."""
    with session.client() as client:
        before = client.get_alias(model, alias)
        after = client.rollback_alias(model, alias, etag=before.etag, reason=reason)
    session.show({"alias": after, "previous_version": before.version}, plain(_told(before, after)))


@with_session
def rm(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="REF | MODEL", help="As team/fraud@7 or team/fraud.")],
    alias: Annotated[str | None, typer.Option(metavar="NAME", help="Remove this alias of the model instead.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Remove a model with all its versions.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the removal of an alias.", show_default=False)] = "",
) -> None:
    """Removes a version, a model or an alias.

    Versions and models can be restored for a while. On a terminal it asks first.
    """
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if alias is not None:
            if not whole_model:
                raise invalid("model", f"{what!r} is a version; an alias is removed from its model, as team/fraud")
            session.confirm(f"remove the alias {alias} of {what}?", yes=yes)
            removed = client.delete_alias(what, alias, reason=reason)
            session.show({"alias": removed}, plain(f"removed the alias {alias}, which meant {short(removed.version)}"))
        elif whole_model:
            session.confirm(f"remove the model {what}{' with all its versions' if force else ''}?", yes=yes)
            model = client.delete_model(what, force=force)
            session.show({"model": model}, plain(f"removed {short(model.name)}; 'modelyard restore' brings it back"))
        else:
            version = client.get_version(what)
            name = short(version.name)
            session.confirm(f"remove the version {name}?", yes=yes)
            version = client.delete_version(name)
            session.show({"version": version}, plain(f"removed {name}; 'modelyard restore' brings it back"))


@with_session
def restore(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="REF | MODEL", help="As team/fraud@7 or team/fraud.")],
) -> None:
    """Brings back a removed version, or a removed model with its versions and aliases."""
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if whole_model:
            model = client.undelete_model(what)
            session.show({"model": model}, plain(f"restored {short(model.name)}"))
        else:
            version = client.undelete_version(what)
            session.show({"version": version}, plain(f"restored {short(version.name)}"))


def _current(client: Client, model: str, alias: str) -> Alias | None:
    try:
        return client.get_alias(model, alias)
    except NotFoundError as error:
        if error.reason == "ALIAS_NOT_FOUND":
            return None
        raise


def _told(before: Alias | None, after: Alias) -> str:
    pointer, version = f"{after.name.alias} of {short(after.name.model)}", after.version.number
    if before is None:
        return f"{pointer}: {version}, not set before"
    if before.version == after.version:
        return f"{pointer}: {version} as before"
    return f"{pointer}: {before.version.number} → {version}"
