"""``create``, ``edit``, ``deprecate``, ``quarantine``, ``release``, ``rm``, ``restore``: the life of what is there."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard._unset import UNSET
from modelyard.cli import values
from modelyard.cli.completing import complete_model, complete_reference
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import plain, short
from modelyard.core.names import VersionName
from modelyard.core.references import Selector
from modelyard.types import Version

Reason = Annotated[str, typer.Option(help="Why, for the log. At most 4 KiB.", show_default=False)]
_Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. At most 4 KiB.")]
_Version = Annotated[
    str,
    typer.Argument(
        metavar="REF", help="The version by its number, for example team/fraud@7.", autocompletion=complete_reference
    ),
]
_What = Annotated[
    str,
    typer.Argument(
        metavar="REF | MODEL",
        help="A version or a model, for example team/fraud@7 or team/fraud.",
        autocompletion=complete_reference,
    ),
]
DisplayName = Annotated[
    str | None, typer.Option(metavar="TEXT", help="A name for people, at most 128 characters.", show_default=False)
]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="Markdown, at most 1 MiB.", show_default=False)]
Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="A label to filter by. Repeatable.")
]
RemovedLabels = Annotated[
    list[str] | None, typer.Option("--remove-label", metavar="NAME", help="A label to remove. Repeatable.")
]


@with_session
def create(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="For example team/fraud.")],
    display_name: DisplayName = None,
    description: Description = None,
    owner: Annotated[str, typer.Option(metavar="TEXT", help="Who answers for it.", show_default=False)] = "",
    label: Labels = None,
) -> None:
    """Create a model without versions, and its namespace if that does not exist. So does 'push'."""
    with session.client() as client:
        made = client.models.create(
            model,
            display_name=display_name or "",
            description=description or "",
            owner=owner,
            labels=values.pairs(label or [], "--label", str),
        )
    session.show({"model": made}, plain(f"created {made.reference}"))


@with_session
def edit(
    session: Session,
    what: _What,
    display_name: DisplayName = None,
    description: Description = None,
    owner: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who answers for the model.", show_default=False)
    ] = None,
    label: Labels = None,
    remove_label: RemovedLabels = None,
) -> None:
    """Change the description or the labels of a version, or those, the display name and the owner of a model.

    What is not named stays as it is. If somebody else changes it at the same time, nothing is changed and the exit code
    is 4.
    """
    added = values.pairs(label or [], "--label", str)
    whole_model = reference(what).selector is Selector.DEFAULT
    if not whole_model and (display_name is not None or owner is not None):
        raise invalid("what", f"{what!r} is a version. --display-name and --owner are of a model.")
    changes = given(display_name=display_name, description=description, owner=owner)
    with session.client() as client:
        if whole_model:
            model = client.models.get(what)
            changes |= relabelled(model.labels, added, remove_label or ())
            model = client.models.update(model, etag=model.etag, **changes)
            session.show({"model": model}, plain(f"changed {model.reference}"))
        else:
            version = client.versions.get(numbered(client, what))
            changes |= relabelled(version.labels, added, remove_label or ())
            version = client.versions.update(version, etag=version.etag, **changes)
            session.show({"version": version}, plain(f"changed {version.reference}"))


@with_session
def deprecate(session: Session, ref: _Version, reason: _Why) -> None:
    """Mark a version as deprecated. It is still served; everyone who pulls it gets a warning with the reason."""
    with session.client() as client:
        _told(session, client.versions.deprecate(ref, reason))


@with_session
def quarantine(session: Session, ref: _Version, reason: _Why) -> None:
    """Stop the use of a version at once: nobody can pull it or point an alias at it.

    It works while aliases point at the version and services serve it. Copies that were pulled before are not touched.
    """
    with session.client() as client:
        _told(session, client.versions.quarantine(ref, reason))


@with_session
def release(session: Session, ref: _Version, reason: _Why) -> None:
    """End the quarantine of a version. It returns to the state that it had before."""
    with session.client() as client:
        _told(session, client.versions.release(ref, reason))


@with_session
def rm(
    session: Session,
    what: _What,
    alias: Annotated[str | None, typer.Option(metavar="ALIAS", help="Delete this alias of the model instead.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Delete a model with all its versions.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    reason: Annotated[str, typer.Option(help="With --alias: why, for the log.", show_default=False)] = "",
) -> None:
    """Delete a version, a model or an alias.

    Versions and models can be restored for 30 days. A version in use is not deleted. On a terminal the command asks
    first.
    """
    named = reference(what)
    whole_model = named.selector is Selector.DEFAULT
    if alias is None and named.selector is Selector.ALIAS:
        raise invalid(
            "what",
            f"{what!r} is an alias. Delete it with 'modelyard rm {short(named.model)} --alias {named.value}', or name"
            " the version by its number.",
        )
    with session.client() as client:
        if alias is not None:
            if not whole_model:
                raise invalid("model", f"{what!r} is a version. Give the model of the alias, for example team/fraud.")
            session.confirm(f"delete the alias {alias} of {what}?", yes=yes)
            removed = client.aliases.delete(what, alias, reason=reason)
            session.show({"alias": removed}, plain(f"deleted the alias {alias} of {short(removed.version)}"))
        elif whole_model:
            session.confirm(f"delete the model {what}{' with all its versions' if force else ''}?", yes=yes)
            model = client.models.delete(what, force=force)
            session.show({"model": model}, plain(f"deleted {short(model.name)}; undo it with 'modelyard restore'"))
        else:
            name = numbered(client, what)
            session.confirm(f"delete the version {short(name)}?", yes=yes)
            version = client.versions.delete(name)
            session.show({"version": version}, plain(f"deleted {short(name)}; undo it with 'modelyard restore'"))


@with_session
def restore(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="REF | MODEL",
            help="A version or a model, for example team/fraud@7 or team/fraud.",
            autocompletion=complete_model,
        ),
    ],
) -> None:
    """Restore a deleted version, or a deleted model with its versions and aliases."""
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if whole_model:
            model = client.models.undelete(what)
            session.show({"model": model}, plain(f"restored {short(model.name)}"))
        else:
            version = client.versions.undelete(what)
            session.show({"version": version}, plain(f"restored {short(version.name)}"))


def numbered(client: Client, what: str) -> VersionName:
    """The one version that a reference means now. A number is not looked up: the change tells whether it exists."""
    named = reference(what)
    if named.selector is Selector.NUMBER:
        return named.model.version(int(named.value))
    return client.resolve(what).version.name


def given(**fields: str | None) -> dict[str, Any]:
    """The fields of an edit that were named."""
    return {name: value for name, value in fields.items() if value is not None}


def relabelled(labels: Mapping[str, str], added: Mapping[str, str], removed: Any) -> dict[str, Any]:
    """The labels after an edit, if it changes any. The registry replaces all of them."""
    if missing := [name for name in removed if name not in labels]:
        raise typer.BadParameter(f"{missing[0]!r} is not among its labels", param_hint="--remove-label")
    if not added and not removed:
        return {"labels": UNSET}
    return {"labels": {name: value for name, value in {**labels, **added}.items() if name not in removed}}


def _told(session: Session, version: Version) -> None:
    session.show({"version": version}, plain(f"{version.reference} is {version.state.value}"))
