"""``evaluate``, ``promote`` and ``rollback``: metrics for a version, and moves of aliases."""

from typing import Annotated

import typer

from modelyard._naming import reference
from modelyard.cli import values
from modelyard.cli.completing import complete_reference
from modelyard.cli.lifecycle import Reason
from modelyard.cli.options import Directions, DropNonfinite, with_session
from modelyard.cli.session import Session
from modelyard.cli.text import number, plain, short
from modelyard.core.names import LATEST, PRODUCTION, VersionName
from modelyard.core.references import Selector
from modelyard.types import Promotion

_Ref = Annotated[
    str,
    typer.Argument(metavar="REF", help="The version, for example team/fraud@7.", autocompletion=complete_reference),
]


@with_session
def promote(
    session: Session,
    ref: _Ref,
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="The alias to move.")] = PRODUCTION,
    reason: Reason = "",
) -> None:
    """Point an alias at a version.

    The alias is created if it does not exist. If somebody else moves it at the same time, nothing is changed and the
    exit code is 4. A model without a version is refused; on a terminal the command asks whether you mean the newest.
    """
    named: str | VersionName = ref
    with session.client() as client:
        if reference(ref).selector is Selector.DEFAULT and session.can_ask:
            named = client.resolve(f"{ref}@{LATEST}").version.name
            session.confirm(f"point {alias} at {short(named)}, the newest version?", yes=False)
        promotion = client.promote(named, alias, reason=reason)
    session.show(promotion, plain(_told(promotion)))


@with_session
def evaluate(
    session: Session,
    ref: _Ref,
    dataset: Annotated[str, typer.Option(metavar="DATASET", help="The data set that the version was measured on.")],
    metric: Annotated[
        list[str], typer.Option(metavar="NAME=NUMBER", help="A metric, for example auc=0.91. Repeatable.")
    ],
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="PART:NAME=NUMBER",
            help="A metric of a part of the data, as eu:auc=0.88. Repeatable.",
        ),
    ] = None,
    direction: Directions = None,
    drop_nonfinite: DropNonfinite = False,
    harness: Annotated[str, typer.Option(metavar="TEXT", help="The program that measured.", show_default=False)] = "",
) -> None:
    """Add metrics on a data set to a version, at any time after its push.

    Filter by them, for example with ls --filter 'evaluations.test-2026.auc > 0.8'.
    """
    with session.client() as client:
        made = client.evaluations.create(
            ref,
            dataset,
            values.pairs(metric, "--metric", values.metric),
            directions=values.pairs(direction or [], "--direction", values.direction),
            slices=values.slices(part or [], "--slice"),
            harness=harness,
            drop_nonfinite=drop_nonfinite,
        )
    told = ", ".join(f"{name}={number(value)}" for name, value in sorted(made.metrics.items()))
    session.show({"evaluation": made}, plain(f"{short(made.name.version)} on {made.dataset.name}: {told}"))


@with_session
def rollback(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL[@ALIAS]",
            help="The model, for example team/fraud, or team/fraud@staging for another alias than production.",
            autocompletion=complete_reference,
        ),
    ],
    alias: Annotated[
        str | None, typer.Option(metavar="ALIAS", help="The alias to move back.", show_default=PRODUCTION)
    ] = None,
    reason: Reason = "",
) -> None:
    """Point an alias back at the version before its last move.

    Run it again to go back one move more. If somebody else moves the alias at the same time, nothing is changed and the
    exit code is 4.
    """
    with session.client() as client:
        promotion = client.rollback(model, alias, reason=reason)
    session.show(promotion, plain(_told(promotion)))


def _told(promotion: Promotion) -> str:
    alias, before = promotion.alias, promotion.previous_version
    pointer, version = f"{alias.name.alias} of {short(alias.name.model)}", alias.version.number
    if before is None:
        return f"{pointer}: {version}, not set before"
    if before == alias.version:
        return f"{pointer}: {version} as before"
    return f"{pointer}: {before.number} → {version}"
