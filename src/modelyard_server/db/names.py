"""The names of resources, as expressions over the columns of their tables."""

from typing import Final

from sqlalchemy import ColumnElement, String, cast, literal

from modelyard_server.db import tables

NAMESPACE: Final[ColumnElement[str]] = literal("namespaces/") + tables.namespaces.c.id
MODEL: Final[ColumnElement[str]] = NAMESPACE + "/models/" + tables.models.c.id
VERSION: Final[ColumnElement[str]] = MODEL + "/versions/" + cast(tables.versions.c.number, String)
EVALUATION: Final[ColumnElement[str]] = VERSION + "/evaluations/" + tables.evaluations.c.uid
ALIAS: Final[ColumnElement[str]] = MODEL + "/aliases/" + tables.aliases.c.id
DEPLOYMENT: Final[ColumnElement[str]] = MODEL + "/deployments/" + tables.deployments.c.uid
WEBHOOK: Final[ColumnElement[str]] = NAMESPACE + "/webhooks/" + tables.webhooks.c.id
