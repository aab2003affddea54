"""``evaluate``, ``promote``, ``rollback``, ``rm`` and ``restore``: commands that change what is there."""

from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard.cli import values
from modelyard.cli.options import with_session
from modelyard.cli.session import Session
from modelyard.cli.text import number, plain, short
from modelyard.core.names import LATEST, PRODUCTION, VersionName
from modelyard.core.references import Selector
from modelyard.types import Promotion

_Reason = Annotated[str, typer.Option(help="Why, for the log. At most 4 KiB.", show_default=False)]


@with_session
def promote(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The version, for example team/fraud@7.")],
    to: Annotated[str, typer.Option(metavar="ALIAS", help="The alias to move.")] = PRODUCTION,
    reason: _Reason = "",
) -> None:
    """Point an alias at a version.

    The alias is created if it does not exist. If somebody else moves it at the same time, nothing is changed and the
    exit code is 4. A model without a version is refused; on a terminal the command asks whether you mean the newest.
    """
    named: str | VersionName = ref
    with session.client() as client:
        if reference(ref).selector is Selector.DEFAULT and session.can_ask:
            named = client.resolve(f"{ref}@{LATEST}").version.name
            session.confirm(f"point {to} at {short(named)}, the newest version?", yes=False)
        promotion = client.promote(named, to, reason=reason)
    session.show(promotion, plain(_told(promotion)))


@with_session
def evaluate(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The version, for example team/fraud@7.")],
    dataset: Annotated[str, typer.Option(metavar="DATASET", help="The data set that the version was measured on.")],
    metric: Annotated[
        list[str], typer.Option(metavar="NAME=NUMBER", help="A metric, for example auc=0.91. Repeatable.")
    ],
    harness: Annotated[str, typer.Option(metavar="TEXT", help="The program that measured.", show_default=False)] = "",
) -> None:
    """Add metrics on a data set to a version, at any time after its push.

    Filter by them, for example with ls --filter 'evaluations.test-2026.auc > 0.8'.
    """
    with session.client() as client:
        metrics = values.pairs(metric, "--metric", values.finite)
        made = client.evaluations.create(ref, dataset, metrics, harness=harness)
    told = ", ".join(f"{name}={number(value)}" for name, value in sorted(made.metrics.items()))
    session.show({"evaluation": made}, plain(f"{short(made.name.version)} on {made.dataset.name}: {told}"))


@with_session
def rollback(
    session: Session,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, for example team/fraud.")],
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="The alias to move back.")] = PRODUCTION,
    reason: _Reason = "",
) -> None:
    """Point an alias back at the version before its last move.

    Run it again to go back one move more. If somebody else moves the alias at the same time, nothing is changed and the
    exit code is 4.
    """
    with session.client() as client:
        promotion = client.rollback(model, alias, reason=reason)
    session.show(promotion, plain(_told(promotion)))


@with_session
def rm(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="REF | MODEL", help="A version or a model, for example team/fraud@7 or team/fraud."),
    ],
    alias: Annotated[str | None, typer.Option(metavar="NAME", help="Delete this alias of the model instead.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Delete a model with all its versions.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    reason: Annotated[str, typer.Option(help="With --alias: why, for the log.", show_default=False)] = "",
) -> None:
    """Delete a version, a model or an alias.

    Versions and models can be restored for 30 days. A version in use is not deleted. On a terminal the command asks
    first.
    """
    whole_model = reference(what).selector is Selector.DEFAULT
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
            name = _version(client, what)
            session.confirm(f"delete the version {short(name)}?", yes=yes)
            version = client.versions.delete(name)
            session.show({"version": version}, plain(f"deleted {short(name)}; undo it with 'modelyard restore'"))


@with_session
def restore(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="REF | MODEL", help="A version or a model, for example team/fraud@7 or team/fraud."),
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


def _version(client: Client, what: str) -> VersionName:
    """The one version that a reference means now. A number is not looked up: deleting tells whether it exists."""
    named = reference(what)
    if named.selector is Selector.NUMBER:
        return named.model.version(int(named.value))
    return client.resolve(what).version.name


def _told(promotion: Promotion) -> str:
    alias, before = promotion.alias, promotion.previous_version
    pointer, version = f"{alias.name.alias} of {short(alias.name.model)}", alias.version.number
    if before is None:
        return f"{pointer}: {version}, not set before"
    if before == alias.version:
        return f"{pointer}: {version} as before"
    return f"{pointer}: {before.number} → {version}"
