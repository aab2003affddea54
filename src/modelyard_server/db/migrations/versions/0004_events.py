"""Stores events as the bytes that their hashes cover, and adds the id of the namespace to log heads."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

# Types are written out, not imported, because a migration must never change.
ID = sa.String().with_variant(sa.TEXT(collation="C"), "postgresql")
PAGE = 500

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EVENTS = sa.table(
    "events",
    *map(sa.column, ("namespace_key", "revision", "type", "resource", "actor", "request_id", "reason", "time")),
    *(sa.column(name, sa.JSON) for name in ("changes", "snapshot")),
    sa.column("previous_hash"),
    sa.column("payload", sa.LargeBinary),
)
_PLACE = sa.tuple_(_EVENTS.c.namespace_key, _EVENTS.c.revision)


def upgrade() -> None:
    op.add_column("events", sa.Column("payload", sa.LargeBinary(), nullable=True))
    _write_payloads(op.get_bind())
    with op.batch_alter_table("events") as events:
        events.alter_column("payload", nullable=False)
        for column in ("changes", "snapshot", "previous_hash"):
            events.drop_column(column)
    op.add_column("log_heads", sa.Column("namespace_id", ID, nullable=True))
    op.execute(
        "UPDATE log_heads SET namespace_id ="
        " (SELECT namespaces.id FROM namespaces WHERE namespaces.key = log_heads.namespace_key)"
    )
    with op.batch_alter_table("log_heads") as heads:
        heads.alter_column("namespace_id", nullable=False)
        heads.create_unique_constraint("uq_log_heads_namespace_id", ["namespace_id"])


def _write_payloads(connection: sa.Connection) -> None:
    """Stores the hashed bytes of each event, page by page. No hash changes."""
    update = (
        sa.update(_EVENTS)
        .where(
            _EVENTS.c.namespace_key == sa.bindparam("of_namespace"), _EVENTS.c.revision == sa.bindparam("of_revision")
        )
        .values(payload=sa.bindparam("bytes"))
    )
    last: tuple[int, int] | None = None
    while True:
        query = sa.select(_EVENTS).order_by(_EVENTS.c.namespace_key, _EVENTS.c.revision).limit(PAGE)
        if last is not None:
            query = query.where(sa.tuple_(*last) < _PLACE)
        page = list(connection.execute(query))
        if not page:
            return
        connection.execute(
            update,
            [{"of_namespace": row.namespace_key, "of_revision": row.revision, "bytes": _payload(row)} for row in page],
        )
        last = page[-1].namespace_key, page[-1].revision


def _payload(row: Any) -> bytes:
    """The canonical JSON of earlier releases. It has no ``schema``, which readers treat as 0."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.time)
    fields = {
        "previous": row.previous_hash,
        "revision": row.revision,
        "type": row.type,
        "resource": row.resource,
        "actor": row.actor,
        "request_id": row.request_id,
        "reason": row.reason,
        "time": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "changes": row.changes,
        "snapshot": row.snapshot,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
