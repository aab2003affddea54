"""Resources that by the log are there, and that have no row."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, select, tuple_

from modelyard.core.names import AliasName, DeploymentName, EvaluationName, ModelName, VersionName, WebhookName
from modelyard_server.db import names, tables
from modelyard_server.db.connection import Connection

REMOVALS: Final = ("alias.deleted", "deployment.deleted", "deployment.expired", "webhook.deleted")
"""The types of events after which a resource has no row any more."""

_PAGE: Final = 200

_MODELS = tables.models.c
_EVENTS = tables.events.c
_LATER = tables.events.alias()
# The last event of each resource that is there after it.
_STANDING: Final[Select[Any]] = select(_EVENTS.revision, _EVENTS.type, _EVENTS.resource).where(
    _EVENTS.type.not_in(REMOVALS),
    ~select(_LATER.c.revision)
    .where(
        _LATER.c.namespace_key == _EVENTS.namespace_key,
        _LATER.c.resource == _EVENTS.resource,
        _LATER.c.revision > _EVENTS.revision,
    )
    .exists(),
)


class _Family(NamedTuple):
    """How resources of one kind are found, many at once: the index is over their ids, not over their names."""

    ids: Callable[[str], tuple[object, ...]]
    """``ValueError`` if the name is none."""
    columns: tuple[ColumnElement[Any], ...]
    rows: Select[Any]


def _ids_of_model(name: str) -> tuple[object, ...]:
    return (ModelName.parse(name).model,)


def _ids_of_version(name: str) -> tuple[object, ...]:
    parsed = VersionName.parse(name)
    return parsed.model.model, parsed.number


def _ids_of_alias(name: str) -> tuple[object, ...]:
    parsed = AliasName.parse(name)
    return parsed.model.model, parsed.alias


def _ids_of_evaluation(name: str) -> tuple[object, ...]:
    return (EvaluationName.parse(name).evaluation,)


def _ids_of_deployment(name: str) -> tuple[object, ...]:
    return (DeploymentName.parse(name).deployment,)


def _ids_of_webhook(name: str) -> tuple[object, ...]:
    return (WebhookName.parse(name).webhook,)


_OF_MODELS = select(names.MODEL).select_from(tables.models).join(tables.namespaces)
_OF_VERSIONS = (
    select(names.VERSION)
    .select_from(tables.models)
    .join(tables.namespaces)
    .join(tables.versions, tables.versions.c.model_key == _MODELS.key)
)
_OF_ALIASES = (
    select(names.ALIAS)
    .select_from(tables.models)
    .join(tables.namespaces)
    .join(tables.aliases, tables.aliases.c.model_key == _MODELS.key)
)
_OF_EVALUATIONS = (
    select(names.EVALUATION)
    .select_from(tables.models)
    .join(tables.namespaces)
    .join(tables.versions, tables.versions.c.model_key == _MODELS.key)
    .join(tables.evaluations, tables.evaluations.c.version_key == tables.versions.c.key)
)
_OF_DEPLOYMENTS = (
    select(names.DEPLOYMENT)
    .select_from(tables.models)
    .join(tables.namespaces)
    .join(tables.deployments, tables.deployments.c.model_key == _MODELS.key)
)
_OF_WEBHOOKS = select(names.WEBHOOK).select_from(tables.webhooks).join(tables.namespaces)
_FAMILIES: Final = {
    "model": _Family(_ids_of_model, (_MODELS.id,), _OF_MODELS),
    "version": _Family(_ids_of_version, (_MODELS.id, tables.versions.c.number), _OF_VERSIONS),
    "evaluation": _Family(_ids_of_evaluation, (tables.evaluations.c.uid,), _OF_EVALUATIONS),
    "deployment": _Family(_ids_of_deployment, (tables.deployments.c.uid,), _OF_DEPLOYMENTS),
    "webhook": _Family(_ids_of_webhook, (tables.webhooks.c.id,), _OF_WEBHOOKS),
    "alias": _Family(_ids_of_alias, (_MODELS.id, tables.aliases.c.id), _OF_ALIASES),
}
"""By the first part of an event's type."""


async def page(connection: Connection, *, namespace_key: int, after: int) -> tuple[list[str], int | None]:
    """Names that the next events behind revision ``after`` tell; the last revision seen, None at the end.

    Events and rows are to be read in one snapshot, or what is removed between the two would seem to be missing.
    """
    query = _STANDING.where(_EVENTS.namespace_key == namespace_key, _EVENTS.revision > after)
    events = list(await connection.execute(query.order_by(_EVENTS.revision).limit(_PAGE)))
    missing: list[str] = []
    for kind, family in _FAMILIES.items():
        wanted = _ids(events, kind, family)
        if wanted:
            query = family.rows.where(
                tables.namespaces.c.key == namespace_key, tuple_(*family.columns).in_(list(wanted.values()))
            )
            there = set((await connection.execute(query)).scalars())
            missing += [name for name in wanted if name not in there]
    return missing, events[-1].revision if len(events) == _PAGE else None


def _ids(events: Sequence[Row[Any]], kind: str, family: _Family) -> dict[str, tuple[object, ...]]:
    found = {}
    for event in events:
        if event.type.partition(".")[0] == kind:
            with suppress(ValueError):  # it was edited, as its hash tells
                found[event.resource] = family.ids(event.resource)
    return found
