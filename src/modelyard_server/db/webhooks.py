"""Webhooks."""

from typing import Any, Final

from sqlalchemy import Row, Select, select

from modelyard.names import WebhookName
from modelyard_server.db import rows, tables
from modelyard_server.domain.resources import Webhook

_WEBHOOKS = tables.webhooks.c
EVERY: Final[Select[Any]] = select(tables.webhooks, tables.namespaces.c.id.label("namespace_id")).join_from(
    tables.webhooks, tables.namespaces
)


def from_row(row: Row[Any]) -> Webhook:
    return Webhook(
        **rows.common(row),
        name=WebhookName(row.namespace_id, row.id),
        url=row.url,
        types=tuple(row.types),
        model_id=row.model_id,
        description=row.description,
        disabled=row.disabled,
        secret_generation=row.secret_generation,
        overlap_end_time=row.overlap_end_time,
        created_by=row.created_by,
        cursor=row.cursor,
        namespace_key=row.namespace_key,
    )
