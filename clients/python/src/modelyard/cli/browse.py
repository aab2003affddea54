"""``resolve``, ``ls``, ``search``, ``diff``, ``lineage`` and ``show``: commands that change nothing."""

from datetime import datetime
from itertools import islice
from typing import Annotated

import typer

from modelyard import Client
from modelyard._naming import invalid, reference
from modelyard.cli import render
from modelyard.cli.options import with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import plain, short
from modelyard.core.limits import DEFAULT_LINEAGE_DEPTH, MAX_LINEAGE_DEPTH
from modelyard.core.names import DEFAULT_NAMESPACE
from modelyard.core.references import Selector

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]
_SHOWN = 50
"""Evaluations, and deployments; the SDK lists them all."""
_EXAMPLE = "team/fraud@production"


@with_session
def resolve(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="As team/fraud@production.")],
    at: Annotated[
        datetime | None,
        typer.Option(formats=_TIMES, help="What an alias meant then, in this machine's time zone.", show_default=False),
    ] = None,
) -> None:
    """Tells which version a reference means now, or what an alias meant at a time."""
    if at is not None:
        named = reference(ref)
        if named.selector is not Selector.ALIAS:
            raise invalid("ref", f"{ref!r} is no alias; of those alone the log tells what they meant, as {_EXAMPLE}")
        with session.client() as client:
            alias = client.get_alias(named.model, named.value, at=at)
        told = f"{short(alias.version)}  {alias.digest}  since {alias.update_time:%Y-%m-%d %H:%M} UTC"
        session.show({"alias": alias}, plain(f"{told} by {alias.updated_by}"))
        return
    with session.client() as client:
        resolution = client.resolve(ref)
    session.show(resolution, plain(f"{short(resolution.version.name)}  {resolution.version.digest}"))


@with_session
def ls(
    session: Session,
    what: Annotated[
        str | None, typer.Argument(metavar="[NAMESPACE | MODEL]", help="As team or team/fraud.", show_default=False)
    ] = None,
    matching: Annotated[
        str,
        typer.Option(
            "--filter", "-f", metavar="FILTER", help="Only those, as 'metrics.auc > 0.9 AND labels.team = nlp'."
        ),
    ] = "",
    sort: Annotated[
        str, typer.Option("--sort", "-s", metavar="FIELD", help="In this order, as 'metrics.auc desc'.")
    ] = "",
    deleted: Annotated[
        bool, typer.Option("--deleted", help="With those that are deleted and can be restored.")
    ] = False,
) -> None:
    """Lists namespaces, the models of a namespace, or the versions of a model or, as team/-, of all, newest first.

    Without an argument: the namespaces; for people the models of the only one, if there is but one.
    """
    with session.client() as client:
        if what is None and (matching or sort or _is_one_namespace(session, client)):
            what = DEFAULT_NAMESPACE if matching or sort else next(iter(client.list_namespaces())).id
        if what is None:
            session.show_list("namespaces", client.list_namespaces(), render.namespaces, "there are no namespaces")
        elif "/" in what:
            versions = client.list_versions(what, filter=matching, order_by=sort, show_deleted=deleted)
            none = f"{what} has no versions" if not matching else f"{what} has no versions that match"
            session.show_list("versions", versions, render.versions, none)
        else:
            models = client.list_models(what, filter=matching, order_by=sort, show_deleted=deleted)
            none = f"there are no models in {what}" if not matching else f"no models in {what} match"
            session.show_list("models", models, render.models, none)


@with_session
def search(
    session: Session,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="Each begins a word of what is looked for.")],
    namespace: Annotated[str, typer.Option("--namespace", metavar="NAMESPACE")] = DEFAULT_NAMESPACE,
) -> None:
    """Finds models by words of their ids, names, descriptions and labels, the best first."""
    with session.client() as client:
        found = client.search_models(" ".join(words), namespace)
    session.show_list("models", found, render.models, f"no models in {namespace} match")


@with_session
def diff(
    session: Session,
    base: Annotated[str, typer.Argument(metavar="REF", help="What to compare with, as team/fraud@production.")],
    other: Annotated[str, typer.Argument(metavar="REF", help="What to compare, as team/fraud@9.")],
) -> None:
    """Tells what is different between two versions: params, metrics, data sets, source, packages, files."""
    with session.client() as client:
        comparison = client.compare_versions(base, other)
    session.show(comparison, render.comparison(comparison))


@with_session
def lineage(
    session: Session,
    ref: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="A version, as team/fraud@7.", show_default=False)
    ] = None,
    down: Annotated[bool, typer.Option("--down", "-d", help="What was made from it instead.")] = False,
    dataset: Annotated[
        str | None, typer.Option(metavar="DATASET", help="All that was made from a data set.", show_default=False)
    ] = None,
    commit: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="All that was made from a commit.", show_default=False)
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="All that a run made.", show_default=False)] = None,
    namespace: Annotated[str, typer.Option("--namespace", metavar="NAMESPACE")] = DEFAULT_NAMESPACE,
    depth: Annotated[
        int, typer.Option(min=1, max=MAX_LINEAGE_DEPTH, help="Steps from version to version.")
    ] = DEFAULT_LINEAGE_DEPTH,
) -> None:
    """Tells what a version was made from, or what was made from it or from a data set, a commit or a run."""
    with session.client() as client:
        found = client.lineage(
            ref, downstream=down, dataset=dataset, commit=commit, run=run, namespace=namespace, depth=depth
        )
    if not found.nodes:
        session.note("nothing was made from it")
    session.show(found, render.lineage(found, downstream=down or ref is None))


@with_session
def show(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="REF | MODEL", help="As team/fraud@7 or team/fraud.")],
) -> None:
    """Tells all about a model with its aliases, or about a version: files, where it came from, who uses it."""
    whole_model = reference(what).selector is Selector.DEFAULT
    with session.client() as client:
        if whole_model:
            model, aliases = client.get_model(what), list(client.list_aliases(what))
            session.show({"model": model, "aliases": aliases}, render.model_page(model, aliases))
        else:
            version = client.get_version(what)
            evaluations = list(islice(client.list_evaluations(version.name), _SHOWN))
            usage = client.usage(version.name)
            served_by = list(
                islice(client.deployments.list(version.name.model, filter=f"version = {version.number}"), _SHOWN)
            )
            document = {"version": version, "evaluations": evaluations, "usage": usage, "deployments": served_by}
            session.show(document, render.version_page(version, evaluations, usage, served_by))


def _is_one_namespace(session: Session, client: Client) -> bool:
    """Whether a person may be spared to name it."""
    return session.output is Output.TABLE and len(list(islice(client.list_namespaces(), 2))) == 1
