"""What people read: tables and pages."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from modelyard.cli.layout import columns, ordered, page, pairs, section, when
from modelyard.cli.render_consumers import deployments
from modelyard.cli.text import age, ago, consumer, escape, files, number, plain, resource, short, size
from modelyard.core.facts import Environment, Param, Source
from modelyard.core.names import VersionName
from modelyard.types import (
    Alias,
    Comparison,
    Deployment,
    Difference,
    Evaluation,
    Event,
    Lineage,
    Model,
    Namespace,
    Section,
    Usage,
    Version,
    VersionState,
)

_METRICS_IN_A_ROW = 3


def namespaces(rows: Sequence[Namespace]) -> Table:
    table = columns("NAMESPACE", "DISPLAY NAME", "AGE")
    for row in rows:
        table.add_row(plain(row.id, "bold"), plain(row.display_name), plain(age(row.create_time)))
    return table


def models(rows: Sequence[Model]) -> Table:
    table = columns("MODEL", "ALIASES", "DISPLAY NAME", "OWNER", "AGE", "STATE")
    for row in rows:
        table.add_row(
            plain(short(row.name), "bold"),
            plain(", ".join(f"{alias}@{number}" for alias, number in sorted(row.aliases.items()))),
            plain(row.display_name),
            plain(row.owner),
            plain(age(row.create_time)),
            plain("DELETED" if row.delete_time else "READY"),
        )
    return table


def versions(rows: Sequence[Version]) -> Table:
    table = columns("VERSION", "ALIASES", "METRICS", "FILES", "SIZE", "AGE", "STATE")
    for row in rows:
        metrics = [f"{name}={number(row.metrics[name])}" for name in sorted(row.metrics)]
        more = ["…"] if len(metrics) > _METRICS_IN_A_ROW else []
        table.add_row(
            plain(short(row.name), "bold"),
            plain(", ".join(row.aliases)),
            plain("  ".join(metrics[:_METRICS_IN_A_ROW] + more)),
            plain(row.file_count),
            plain(size(row.total_size)),
            plain(age(row.create_time)),
            plain(row.state.value),
        )
    return table


def events(rows: Sequence[Event]) -> Table:
    table = columns("REVISION", "TIME", "ACTOR", "EVENT", "RESOURCE", "CHANGE", "REASON")
    for row in rows:
        cells = (when(row.time), row.actor, row.type, resource(row.resource), _change(row), row.reason)
        table.add_row(plain(row.revision, "bold"), *map(plain, cells))
    return table


def _change(event: Event) -> str:
    """What moved, in a word; of other changes the names of the fields."""
    match event.snapshot:
        case Alias(version=version):
            return _move(event, version)
        case Deployment(version=version):
            return f"{consumer(event.snapshot)}: {_move(event, version)}"
        case _:
            return ", ".join(sorted(event.changes))


def _move(event: Event, version: VersionName) -> str:
    """From which version to which, by number."""
    before, _ = event.changes.get("version", ("", ""))
    after = str(version.number)
    return f"{before.rpartition('/')[2]} → {after}" if before else after


def comparison(comparison: Comparison) -> RenderableType:
    """Two versions side by side, without what is alike."""
    base, other = short(comparison.base.name), short(comparison.other.name)
    if not comparison.differences and not comparison.not_compared:
        return plain(f"{base} and {other} are alike")
    sections = []
    for kind in Section:
        table = columns("", base, other)
        for each in comparison.differences:
            if each.section is kind:
                table.add_row(plain(each.name), *_both(each))
        sections.append(section(kind.value.lower(), table if table.row_count else None))
    bytes_ = (
        f"{size(comparison.shared_bytes)} in both, {size(comparison.removed_bytes)} only in {base},"
        f" {size(comparison.added_bytes)} only in {other}"
    )
    more = plain("there are more differences than a message holds") if comparison.truncated else None
    return page(*sections, section("not compared", _not_compared(comparison)), section("bytes", bytes_), more)


def _not_compared(comparison: Comparison) -> Table | None:
    """Facts of which one version has no record, and why."""
    table = columns("", short(comparison.base.name), short(comparison.other.name))
    for each in comparison.not_compared:
        reasons = (f"not collected: {reason}" if reason else "collected" for reason in (each.before, each.after))
        table.add_row(plain(each.name), *map(plain, reasons))
    return table if table.row_count else None


def _both(difference: Difference) -> tuple[Text, Text]:
    """The two values; of numbers also by how much they differ."""
    before, after = difference.before, difference.after
    told = ["" if value is None else _value(value) for value in (before, after)]
    if difference.section is Section.METRICS and isinstance(before, float) and isinstance(after, float):
        told[1] += f"  ({after - before:+.6g})"
    return plain(told[0], "red"), plain(told[1], "green")


def _value(value: Param) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return number(value)
        case _:
            return str(value)


def lineage(lineage: Lineage, *, downstream: bool) -> RenderableType:
    """A tree from where the question began; what is reached twice is drawn once, and named then."""
    things = {node.id: node.thing for node in lineage.nodes}
    steps: dict[str, list[tuple[str, str]]] = {}
    for edge in lineage.edges:
        near, far = (edge.source, edge.target) if downstream else (edge.target, edge.source)
        steps.setdefault(near, []).append((far, edge.relation.value))
    drawn: set[str] = set()

    def grow(branch: Tree, id_: str) -> None:
        for far, relation in sorted(steps.get(id_, ())):
            label = Text.assemble((relation.lower().replace("_", " "), "dim"), " ", _thing(far, things.get(far)))
            again = far in drawn
            drawn.add(far)
            twig = branch.add(label.append(" (see above)", "dim") if again else label)
            if not again:
                grow(twig, far)

    trees: list[RenderableType] = []
    for node in lineage.nodes:
        if node.distance == 0:
            trees.append(tree := Tree(_thing(node.id, node.thing)))
            grow(tree, node.id)
    return page(*trees, plain("the graph goes on behind this", "dim") if lineage.truncated else None)


def _thing(id_: str, thing: object) -> Text:
    if not isinstance(thing, Version):
        return plain(id_)
    told = ", ".join((*thing.aliases, *([thing.state.value] if thing.state is not VersionState.READY else [])))
    return Text.assemble((escape(short(thing.name)), "bold"), f"  {escape(told)}" if told else "")


def model_page(model: Model, aliases: Sequence[Alias]) -> RenderableType:
    """All about a model."""
    facts = {
        "model": short(model.name),
        "display name": model.display_name,
        "owner": model.owner,
        "created": when(model.create_time),
        "changed": when(model.update_time),
        "deleted": _deletion(model),
    }
    pointers = columns("ALIAS", "VERSION", "MOVED", "BY")
    for alias in aliases:
        pointers.add_row(
            plain(alias.name.alias, "bold"),
            plain(short(alias.version)),
            plain(ago(alias.update_time)),
            plain(alias.updated_by),
        )
    return page(
        pairs(facts),
        section("description", model.description),
        section("labels", ordered(model.labels)),
        section("annotations", ordered(model.annotations)),
        section("aliases", pointers if aliases else None),
    )


def version_page(
    version: Version,
    evaluations: Sequence[Evaluation] = (),
    usage: Usage | None = None,
    served_by: Sequence[Deployment] = (),
) -> RenderableType:
    """All about a version, down to its files."""
    facts = {
        "version": short(version.name),
        "state": " ".join(filter(None, (version.state.value, version.quarantine_reason or version.deprecation_reason))),
        "aliases": ", ".join(version.aliases),
        "digest": version.digest,
        "size": f"{size(version.total_size)} in {files(version.file_count)}",
        "format": version.format,
        "framework": " ".join(filter(None, (version.framework.name, version.framework.version)))
        if version.framework
        else "",
        "created": " by ".join(filter(None, (when(version.create_time), version.created_by))),
        "deleted": _deletion(version),
        **(_used(usage) if usage is not None else {}),
    }
    return page(
        pairs(facts),
        section("description", version.description),
        section("served by", deployments(served_by) if served_by else None),
        section("labels", ordered(version.labels)),
        section("annotations", ordered(version.annotations)),
        section("metrics", ordered({name: _metric(version, name) for name in version.metrics})),
        section("evaluations", _evaluations(evaluations)),
        section("params", ordered({name: _value(value) for name, value in version.params.items()})),
        *_origin(version),
        section("files", _files(version)),
    )


def _metric(version: Version, name: str) -> str:
    value, direction = number(version.metrics[name]), version.directions.get(name)
    return value if direction is None else f"{value}, {direction.value.lower().replace('_', ' ')}"


def _used(usage: Usage) -> Mapping[str, str]:
    downloads = f"{usage.download_count}, the last {ago(usage.download_time)}" if usage.download_time else "none"
    return {
        "downloads": downloads,
        "last used": ago(usage.use_time) if usage.use_time else "never",
        "served by": f"{usage.deployment_count}" if usage.deployment_count else "nobody",
    }


def _origin(version: Version) -> Iterable[RenderableType | None]:
    """Where a version came from."""
    datasets = columns("NAME", "ROLE", "ROWS", "DIGEST", "URI")
    for each in version.datasets:
        cells = (each.name, each.role.value, "" if each.rows is None else each.rows, each.digest, each.uri)
        datasets.add_row(*map(plain, cells))
    yield section("datasets", datasets if version.datasets else None)
    parents = {short(VersionName.parse(parent.version)): parent.relation.value for parent in version.parents}
    yield section("parents", pairs(parents))
    if version.run:
        yield section("run", pairs({"tracker": version.run.tracker, "id": version.run.id, "url": version.run.url}))
    if version.source:
        source = version.source
        facts = {
            "repository": source.repository,
            "commit": f"{source.commit}{_changes(source)}" if source.commit else "",
            "branch": source.branch,
            "changes": source.diff_digest,
            "entry point": source.entry_point,
            "arguments": " ".join(source.arguments),
            **_not_collected(source),
        }
        yield section("source", pairs(facts))
    if version.environment:
        environment = version.environment
        facts = {
            "python": environment.python,
            "os": environment.os,
            "image": environment.image,
            **dict(sorted({**environment.hardware, **environment.job}.items())),
            "packages": f"{len(environment.packages)}, listed by --output json" if environment.packages else "",
            **_not_collected(environment),
        }
        yield section("environment", pairs(facts))


def _changes(source: Source) -> str:
    if "dirty" in source.not_collected:
        return ", changes not checked"
    return " + changes" if source.dirty else ""


def _not_collected(facts: Source | Environment) -> Mapping[str, str]:
    names = {"entry_point": "entry point", "dirty": "changes", "diff_digest": "changes"}
    return {names.get(name, name): f"not collected: {reason}" for name, reason in sorted(facts.not_collected.items())}


def _evaluations(rows: Sequence[Evaluation]) -> Table | None:
    """Those that nothing corrects."""
    table = columns("DATA SET", "METRICS", "HARNESS", "BY", "TIME")
    for row in rows:
        if row.superseded_by is None:
            metrics = "  ".join(f"{name}={number(row.metrics[name])}" for name in sorted(row.metrics))
            cells = (row.dataset.name, metrics, row.harness, row.created_by, when(row.create_time))
            table.add_row(*map(plain, cells))
    return table if table.row_count else None


def _files(version: Version) -> Table | None:
    table = columns("PATH", "SIZE", "DIGEST")
    for file in version.files:
        table.add_row(plain(file.path), plain(size(file.size)), plain(file.digest))
    return table if version.files else None


def _deletion(resource: Model | Version) -> str:
    if not resource.delete_time or not resource.purge_time:
        return ""
    return f"{when(resource.delete_time)}; can be restored until {when(resource.purge_time)}"
