"""``resolve``, ``ls``, ``search``, ``diff``, ``lineage`` and ``show``: commands that change nothing."""

from itertools import islice
from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard.cli import render
from modelyard.cli.columns import with_columns
from modelyard.cli.completing import complete_model, complete_namespace, complete_reference
from modelyard.cli.layout import when
from modelyard.cli.options import PageSize, with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import number, plain, short
from modelyard.cli.values import past
from modelyard.core.facts import Direction
from modelyard.core.limits import DEFAULT_LINEAGE_DEPTH, DEFAULT_PAGE_SIZE, MAX_LINEAGE_DEPTH, MAX_PAGE_SIZE
from modelyard.core.names import DEFAULT_NAMESPACE, EvaluationName, VersionName
from modelyard.core.references import Selector
from modelyard.core.times import EXAMPLES
from modelyard.types import Model, Namespace, Version

_SHOWN = 50
"""Most evaluations and deployments that ``show`` lists; the SDK lists them all."""


@with_session
def resolve(
    session: Session,
    ref: Annotated[
        str,
        typer.Argument(metavar="REF", help="For example team/fraud@production.", autocompletion=complete_reference),
    ],
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=f"Tell what an alias pointed at then, for example {EXAMPLES}. Without a zone the time is in UTC.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Tell which version a reference means, now or at an earlier time."""
    if at:
        moment = past("--at", at, end=True)
        named = reference(ref)
        if named.selector is not Selector.ALIAS:
            raise invalid("ref", f"{ref!r} is not an alias. Use --at with an alias, for example team/fraud@production.")
        with session.client() as client:
            alias = client.aliases.get(named.model, named.value, at=moment)
        told = f"{short(alias.version)}  {alias.digest}  since {when(alias.update_time)}"
        session.show({"alias": alias}, plain(f"{told} by {alias.updated_by}"))
        return
    with session.client() as client:
        resolution = client.resolve(ref)
    session.show(resolution, plain(f"{short(resolution.version.name)}  {resolution.version.digest}"))


@with_session
def ls(
    session: Session,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAMESPACE | MODEL]",
            help="For example team, team/fraud or team/-.",
            show_default=False,
            autocompletion=complete_model,
        ),
    ] = None,
    matching: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Only matching items, for example 'metrics.auc > 0.9 AND labels.team = nlp'.",
        ),
    ] = "",
    sort: Annotated[
        str, typer.Option("--sort", "-s", metavar="FIELD", help="The order, for example 'metrics.auc desc'.")
    ] = "",
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Include deleted items that can still be restored.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Most items to list.", show_default="all")
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="FIELD,FIELD",
            help="The columns of the table: fields as in -o json, for example metrics.auc,params.lr,labels.team.",
            show_default=False,
        ),
    ] = "",
    page_size: PageSize = None,
) -> None:
    """List namespaces, models or versions.

    Without an argument: all namespaces. If there is only one, a table lists its models instead.

    With a namespace: its models. With a model: its versions, newest first. With team/-: the versions of all models.
    """
    page_size = page_size or min(limit or MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE)
    with session.client() as client:
        if what is None and (matching or sort or _is_one_namespace(session, client)):
            what = DEFAULT_NAMESPACE if matching or sort else next(iter(client.namespaces.list())).id
        if what is None:
            namespaces = client.namespaces.list(page_size=page_size)
            table = with_columns(Namespace, "id", columns, render.namespaces)
            session.show_list("namespaces", islice(namespaces, limit), table, "there are no namespaces")
        elif "/" in what.removeprefix("namespaces/"):
            versions = client.versions.list(
                what, filter=matching, order_by=sort, show_deleted=deleted, page_size=page_size
            )
            none = f"{what} has no versions" if not matching else f"{what} has no versions that match"
            table = with_columns(Version, "reference", columns, render.versions)
            session.show_list("versions", islice(versions, limit), table, none)
        else:
            models = client.models.list(what, filter=matching, order_by=sort, show_deleted=deleted, page_size=page_size)
            none = f"there are no models in {what}" if not matching else f"no models in {what} match"
            table = with_columns(Model, "reference", columns, render.models)
            session.show_list("models", islice(models, limit), table, none)


@with_session
def best(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="For example team/fraud, or team/- for all models of a namespace.",
            autocompletion=complete_model,
        ),
    ],
    metric: Annotated[str, typer.Option(metavar="NAME", help="The metric to compare, for example auc.")],
    lowest: Annotated[
        bool | None,
        typer.Option(
            "--lowest/--highest",
            help="Which value is the best. By default what pushes and evaluations say, else the highest.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="DATASET",
            help="Compare evaluations on this data set, not metrics of pushes.",
            show_default=False,
        ),
    ] = "",
    matching: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Only matching versions, for example 'labels.team = nlp'.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Show the version with the best value of a metric. It is READY; the exit code is 2 if no such version has it."""
    with session.client() as client:
        found = client.versions.best(model, metric, lowest=lowest, dataset=dataset, filter=matching)
    told = f"  {metric}={number(found.value)}" if found.value is not None else ""
    session.show(found, plain(f"{found.version.reference}  {found.version.digest}{told}"))
    way = "lowest" if found.direction is Direction.LOWER_IS_BETTER else "highest"
    if found.direction_from is not None:
        session.note(f"the {way} {metric} is the best, as {_teller(found.direction_from)} says")
    elif lowest is None:
        session.note(f"nothing says which way {metric} is better, so the highest is taken; --lowest takes the lowest")


@with_session
def search(
    session: Session,
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORDS...", help="Each is the beginning of a word to find, for example fraud detec."),
    ],
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            metavar="NAMESPACE",
            help="Search only there.",
            show_default="all namespaces",
            autocompletion=complete_namespace,
        ),
    ] = None,
    page_size: PageSize = None,
) -> None:
    """Find models by words of their ids, names, descriptions and labels, the best match first."""
    with session.client() as client:
        found = client.models.search(" ".join(words), namespace, page_size=page_size)
        session.show_list("models", found, render.models, f"no models{f' in {namespace}' if namespace else ''} match")


@with_session
def diff(
    session: Session,
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE",
            help="The version to compare with, for example team/fraud@production.",
            autocompletion=complete_reference,
        ),
    ],
    other: Annotated[
        str,
        typer.Argument(
            metavar="OTHER",
            help="The version to compare, for example team/fraud@9.",
            autocompletion=complete_reference,
        ),
    ],
) -> None:
    """Compare two versions: params, metrics, data sets, source, packages and files."""
    with session.client() as client:
        comparison = client.versions.compare(base, other)
    session.show(comparison, render.comparison(comparison))


@with_session
def lineage(
    session: Session,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[REF]",
            help="A version, for example team/fraud@7.",
            show_default=False,
            autocompletion=complete_reference,
        ),
    ] = None,
    down: Annotated[
        bool, typer.Option("--down", "-d", help="Show what was made from the version, not what it was made from.")
    ] = False,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="Show what was made from this data set.", show_default=False),
    ] = None,
    commit: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="Show what was made from this commit.", show_default=False)
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Show what this run made.", show_default=False)] = None,
    namespace: Annotated[
        str,
        typer.Option("--namespace", metavar="NAMESPACE", help="Where to look for the data set, the commit or the run."),
    ] = DEFAULT_NAMESPACE,
    depth: Annotated[
        int, typer.Option(min=1, max=MAX_LINEAGE_DEPTH, help="Most steps from version to version.")
    ] = DEFAULT_LINEAGE_DEPTH,
) -> None:
    """Show what a version was made from, or what was made from it.

    With --dataset, --commit or --run instead of REF: show every version that was made from that.
    """
    origins = {"dataset": dataset, "commit": commit, "run": run}
    upstream = ref is not None and not down and not any(origins.values())
    with session.client() as client:
        if upstream and ref is not None:
            found = client.lineage.upstream(ref, depth=depth)
        else:
            found = client.lineage.downstream(ref, **origins, namespace=namespace, depth=depth)
    if not found.nodes:
        where = f" in {namespace}; --namespace looks elsewhere" if any(origins.values()) else ""
        session.note(f"nothing was made from it{where}")
    session.show(found, render.lineage(found, downstream=not upstream))


@with_session
def show(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="REF | MODEL",
            help="A version or a model, for example team/fraud@7 or team/fraud.",
            autocompletion=complete_reference,
        ),
    ],
) -> None:
    """Show everything about a model or a version.

    A model with its aliases; a version with its files, where it came from and who serves it.
    """
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if whole_model:
            model, aliases = client.models.get(what), list(client.aliases.list(what))
            session.show({"model": model, "aliases": aliases}, render.model_page(model, aliases))
        else:
            version = client.versions.get(what)
            evaluations = list(islice(client.evaluations.list(version.name, page_size=_SHOWN), _SHOWN))
            usage = client.versions.usage(version.name)
            serving = client.deployments.list(
                version.name.model, filter=f"version = {version.number}", page_size=_SHOWN
            )
            served_by = list(islice(serving, _SHOWN))
            document = {"version": version, "evaluations": evaluations, "usage": usage, "deployments": served_by}
            session.show(document, render.version_page(version, evaluations, usage, served_by))


def _teller(name: VersionName | EvaluationName) -> str:
    return short(name) if isinstance(name, VersionName) else f"an evaluation of {short(name.version)}"


def _is_one_namespace(session: Session, client: Client) -> bool:
    """Whether a person may be spared to name it."""
    return session.output is Output.TABLE and len(list(islice(client.namespaces.list(page_size=2), 2))) == 1
