"""The log of each namespace: gap-free revisions, chained by hash."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from modelyard_server.db import tables
from modelyard_server.db.engine import Connection
from modelyard_server.domain.events import Change, event_hash

_HEADS = tables.log_heads.c
_OF_NAMESPACE = _HEADS.namespace_key == bindparam("of_namespace")
_LOCK = select(_HEADS.revision, _HEADS.hash).where(_OF_NAMESPACE).with_for_update()
_MOVE = update(tables.log_heads).where(_OF_NAMESPACE)
_INSERT = insert(tables.events)


async def append(connection: Connection, namespace_key: int, changes: Sequence[Change]) -> None:
    """Gives the changes of one transaction their revisions. Its lock on the head lasts until the commit: call it last.

    A number drawn earlier could become visible after a higher one, and a reader that tails the log would miss it.
    """
    row = (await connection.execute(_LOCK, {"of_namespace": namespace_key})).one()
    revision, previous = row.revision, row.hash
    values = []
    for change in changes:
        revision += 1
        digest = event_hash(previous, revision, change)
        values.append(
            {
                "namespace_key": namespace_key,
                "revision": revision,
                "type": change.type,
                "resource": change.resource,
                "actor": change.actor,
                "request_id": change.request_id,
                "reason": change.reason,
                "time": change.time,
                "changes": change.changes,
                "snapshot": change.snapshot,
                "previous_hash": previous,
                "hash": digest,
            }
        )
        previous = digest
    await connection.execute(_INSERT, values)
    await connection.execute(_MOVE, {"of_namespace": namespace_key, "revision": revision, "hash": previous})
