"""What people read: tables and pages."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from modelyard.cli.text import age, ago, consumer, escape, escape_lines, files, number, plain, short, size
from modelyard.facts import Param
from modelyard.names import VersionName
from modelyard.types import (
    Alias,
    Comparison,
    Delivery,
    DeliveryState,
    Deployment,
    Difference,
    Evaluation,
    Event,
    Lineage,
    Model,
    Namespace,
    Rollout,
    Section,
    Usage,
    Version,
    VersionState,
    Webhook,
)

_METRICS_IN_A_ROW = 3


def namespaces(rows: Sequence[Namespace]) -> Table:
    table = _table("NAMESPACE", "DISPLAY NAME", "AGE")
    for row in rows:
        table.add_row(plain(row.id, "bold"), plain(row.display_name), plain(age(row.create_time)))
    return table


def models(rows: Sequence[Model]) -> Table:
    table = _table("MODEL", "ALIASES", "DISPLAY NAME", "OWNER", "AGE", "STATE")
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
    table = _table("VERSION", "ALIASES", "METRICS", "FILES", "SIZE", "AGE", "STATE")
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


def deployments(rows: Sequence[Deployment]) -> Table:
    table = _table("SERVICE", "ENVIRONMENT", "INSTANCE", "SERVES", "FOLLOWS", "SINCE", "HEARD OF", "BYTES")
    for row in rows:
        table.add_row(
            plain(row.service, "bold"),
            plain(row.environment),
            plain(row.instance),
            plain(short(row.version)),
            plain(row.reference),
            plain(ago(row.update_time)),
            plain(ago(row.heartbeat_time) if row.heartbeat_time else ""),
            plain(*_bytes(row)),
        )
    return table


def _bytes(row: Deployment) -> tuple[str, str]:
    """Whether a consumer has the bytes of the version, and how to colour it."""
    if row.mismatched:
        return "OTHER", "red"
    return ("verified" if row.observed_digest else "not told"), ""


def rollout(rollout: Rollout, environment: str = "") -> RenderableType:
    alias = rollout.alias
    what = f"{short(alias.name.model)}@{alias.name.alias} is version {alias.version.number}"
    total = rollout.matching_count + rollout.differing_count
    nobody = f"nobody follows it in {environment}" if environment else "nobody follows it"
    told = f"{rollout.matching_count} of {total} serve it" if total else nobody
    more = rollout.differing_count - len(rollout.differing)
    return _page(
        plain(f"{what}: {told}"),
        _section("differing", deployments(rollout.differing) if rollout.differing else None),
        plain(f"and {more} more", "dim") if more else None,
    )


def events(rows: Sequence[Event]) -> Table:
    table = _table("REVISION", "TIME", "ACTOR", "EVENT", "RESOURCE", "CHANGE", "REASON")
    for row in rows:
        cells = (_when(row.time), row.actor, row.type, _resource(row.resource), _change(row), row.reason)
        table.add_row(plain(row.revision, "bold"), *map(plain, cells))
    return table


def _resource(name: str) -> str:
    """As a person types it, where a person would."""
    _, namespace, *rest = name.split("/")
    match rest:
        case ["models", model]:
            return f"{namespace}/{model}"
        case ["models", model, "versions" | "aliases", identity, *_]:
            return f"{namespace}/{model}@{identity}"
        case ["webhooks", webhook]:
            return f"{namespace}/{webhook}"
        case ["models", model, "deployments", _]:
            return f"{namespace}/{model}"
        case _:
            return namespace


def webhooks(rows: Sequence[Webhook]) -> Table:
    table = _table("WEBHOOK", "URL", "TYPES", "MODEL", "AGE", "STATE")
    for row in rows:
        table.add_row(
            plain(short(row.name), "bold"),
            plain(row.url),
            plain(", ".join(row.types) or "all"),
            plain(short(row.model) if row.model else ""),
            plain(age(row.create_time)),
            plain("DISABLED" if row.disabled else "ENABLED"),
        )
    return table


def deliveries(rows: Sequence[Delivery]) -> Table:
    table = _table("DELIVERY", "REVISION", "EVENT", "RESOURCE", "STATE", "ATTEMPTS", "LAST", "NEXT", "ANSWER")
    for row in rows:
        answer = row.error or (str(row.status_code) if row.status_code else "")
        last = _when(row.attempt_time) if row.attempt_time else ""
        event = (row.revision, row.type, _resource(row.resource))
        cells = (*event, row.state.value, row.attempt_count, last, _next(row), answer)
        table.add_row(plain(row.name.delivery, "bold"), *map(plain, cells))
    return table


def _next(row: Delivery) -> str:
    """When it is tried; of one that waits for those before it nobody knows."""
    if row.state is not DeliveryState.PENDING:
        return ""
    return _when(row.next_attempt_time) if row.next_attempt_time else "in its turn"


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
    if not comparison.differences:
        return plain(f"{base} and {other} are alike")
    sections = []
    for section in Section:
        table = _table("", base, other)
        for each in comparison.differences:
            if each.section is section:
                table.add_row(plain(each.name), *_both(each))
        sections.append(_section(section.value.lower(), table if table.row_count else None))
    bytes_ = (
        f"{size(comparison.shared_bytes)} in both, {size(comparison.removed_bytes)} only in {base},"
        f" {size(comparison.added_bytes)} only in {other}"
    )
    more = plain("there are more differences than a message holds") if comparison.truncated else None
    return _page(*sections, _section("bytes", bytes_), more)


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
        steps.setdefault(near, []).append((far, edge.relation))
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
    return _page(*trees, plain("the graph goes on behind this", "dim") if lineage.truncated else None)


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
        "created": _when(model.create_time),
        "changed": _when(model.update_time),
        "deleted": _deletion(model),
    }
    pointers = _table("ALIAS", "VERSION", "MOVED", "BY")
    for alias in aliases:
        pointers.add_row(
            plain(alias.name.alias, "bold"),
            plain(short(alias.version)),
            plain(ago(alias.update_time)),
            plain(alias.updated_by),
        )
    return _page(
        _pairs(facts),
        _section("description", model.description),
        _section("labels", _sorted(model.labels)),
        _section("annotations", _sorted(model.annotations)),
        _section("aliases", pointers if aliases else None),
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
        "state": " ".join(filter(None, (version.state.value, version.deprecation_reason))),
        "aliases": ", ".join(version.aliases),
        "digest": version.digest,
        "size": f"{size(version.total_size)} in {files(version.file_count)}",
        "format": version.format,
        "framework": " ".join(filter(None, (version.framework.name, version.framework.version)))
        if version.framework
        else "",
        "created": " by ".join(filter(None, (_when(version.create_time), version.created_by))),
        "deleted": _deletion(version),
        **(_used(usage) if usage is not None else {}),
    }
    return _page(
        _pairs(facts),
        _section("description", version.description),
        _section("served by", deployments(served_by) if served_by else None),
        _section("labels", _sorted(version.labels)),
        _section("annotations", _sorted(version.annotations)),
        _section("metrics", _sorted({name: number(value) for name, value in version.metrics.items()})),
        _section("evaluations", _evaluations(evaluations)),
        _section("params", _sorted(version.params)),
        *_origin(version),
        _section("files", _files(version)),
    )


def _used(usage: Usage) -> Mapping[str, str]:
    downloads = f"{usage.download_count}, the last {ago(usage.download_time)}" if usage.download_time else "none"
    return {
        "downloads": downloads,
        "last used": ago(usage.use_time) if usage.use_time else "never",
        "served by": f"{usage.deployment_count}" if usage.deployment_count else "nobody",
    }


def _origin(version: Version) -> Iterable[RenderableType | None]:
    """Where a version came from."""
    datasets = _table("NAME", "ROLE", "ROWS", "DIGEST", "URI")
    for each in version.datasets:
        cells = (each.name, each.role.value, "" if each.rows is None else each.rows, each.digest, each.uri)
        datasets.add_row(*map(plain, cells))
    yield _section("datasets", datasets if version.datasets else None)
    parents = {short(VersionName.parse(parent.version)): parent.relation.value for parent in version.parents}
    yield _section("parents", _pairs(parents))
    if version.run:
        yield _section("run", _pairs({"tracker": version.run.tracker, "id": version.run.id, "url": version.run.url}))
    if version.source:
        source = version.source
        facts = {
            "repository": source.repository,
            "commit": f"{source.commit}{' + changes' if source.dirty else ''}",
            "branch": source.branch,
            "changes": source.diff_digest,
            "entry point": source.entry_point,
            "arguments": " ".join(source.arguments),
        }
        yield _section("source", _pairs(facts))
    if version.environment:
        environment = version.environment
        facts = {
            "python": environment.python,
            "os": environment.os,
            "image": environment.image,
            **dict(sorted({**environment.hardware, **environment.job}.items())),
            "packages": f"{len(environment.packages)}, listed by --output json" if environment.packages else "",
        }
        yield _section("environment", _pairs(facts))


def _evaluations(rows: Sequence[Evaluation]) -> Table | None:
    """Those that nothing corrects."""
    table = _table("DATA SET", "METRICS", "HARNESS", "BY", "TIME")
    for row in rows:
        if row.superseded_by is None:
            metrics = "  ".join(f"{name}={number(row.metrics[name])}" for name in sorted(row.metrics))
            cells = (row.dataset.name, metrics, row.harness, row.created_by, _when(row.create_time))
            table.add_row(*map(plain, cells))
    return table if table.row_count else None


def _files(version: Version) -> Table | None:
    table = _table("PATH", "SIZE", "DIGEST")
    for file in version.files:
        table.add_row(plain(file.path), plain(size(file.size)), plain(file.digest))
    return table if version.files else None


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        right = column in {"REVISION", "SIZE", "FILES", "ROWS", "AGE"}
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def _pairs(facts: Mapping[str, Any]) -> Table | None:
    """Names and values without those that are empty; None if that is all of them."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in {"", None}:
            table.add_row(plain(name, "dim"), plain(value))
    return table if table.row_count else None


def _sorted(facts: Mapping[str, Any]) -> Table | None:
    """The same for a map, which has no order of its own."""
    return _pairs(dict(sorted(facts.items())))


def _section(title: str, body: RenderableType | None) -> RenderableType | None:
    if isinstance(body, str):
        body = Text(escape_lines(body)) if body else None
    return Group("", Text(title.upper(), style="bold"), body) if body else None


def _page(*parts: RenderableType | None) -> RenderableType:
    return Group(*(part for part in parts if part is not None))


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _deletion(resource: Model | Version) -> str:
    if not resource.delete_time or not resource.purge_time:
        return ""
    return f"{_when(resource.delete_time)}; can be restored until {_when(resource.purge_time)}"
