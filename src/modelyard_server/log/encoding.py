"""The bytes of an event: written once, hashed, and never encoded again. ``docs/explanation/log.md`` specifies them.

An event is stored as the bytes that its hash covers. So older and newer code can verify an event, and read the fields
that it knows.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from modelyard_server.log.values import Change, Event, Json, model_of

# The prefix of leaves in a Merkle tree (RFC 6962), so that the chain can be anchored in one later.
_LEAF: Final = b"\x00"
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


def format_time(moment: datetime) -> str:
    """Formats a time as RFC 3339 in UTC with microseconds. It sorts as text like it does as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def canonical(fields: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8 without spaces, keys sorted by code points. Raises ``ValueError`` for NaN and infinities."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.encode()


def without_empty(fields: Mapping[str, Any]) -> Json:
    """The fields that have a value. Null, and empty texts, lists and maps, equal an absent field. 0 and false don't."""
    return {name: value for name, value in fields.items() if value not in _EMPTY}


def bare(value: Any) -> Any:
    """A value whose records, at any depth, are without their empty members."""
    if isinstance(value, Mapping):
        return without_empty({name: bare(each) for name, each in value.items()})
    return [bare(each) for each in value] if isinstance(value, list) else value


def encode(previous: str, revision: int, change: Change) -> bytes:
    """The bytes of a change at its place in the log."""
    return canonical(
        {
            "schema": change.schema,
            "previous": previous,
            "revision": revision,
            "type": change.type,
            "resource": change.resource,
            "actor": change.actor,
            "request_id": change.request_id,
            "reason": change.reason,
            "time": format_time(change.time),
            "changes": change.changes,
            "snapshot": change.snapshot,
        }
    )


def event_hash(payload: bytes) -> str:
    """SHA-256, in hexadecimal, of a zero byte and the bytes of an event."""
    return hashlib.sha256(_LEAF + payload).hexdigest()


def decode(payload: bytes, *, namespace_key: int, stored_hash: str) -> Event:
    """Decodes an event of this release's schema or any other. Raises ``ValueError`` if the bytes are no event."""
    try:
        fields = json.loads(payload)
        change = Change(
            namespace_key=namespace_key,
            schema=fields.get("schema", 0),
            type=fields["type"],
            resource=fields["resource"],
            actor=fields.get("actor", ""),
            request_id=fields.get("request_id", ""),
            reason=fields.get("reason", ""),
            time=datetime.fromisoformat(fields["time"]),
            changes=fields.get("changes", {}),
            snapshot=fields.get("snapshot", {}),
        )
        return Event(fields["revision"], change, fields["previous"], stored_hash, payload)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these bytes are no event: {error!r}") from error


COPIED: Final = ("namespace_key", "type", "resource", "model_id", "actor", "request_id", "reason", "time")
"""Columns with copies of an event's fields, for searches."""


def columns_of(change: Change) -> dict[str, Any]:
    """The values of the :data:`COPIED` columns."""
    return {
        "namespace_key": change.namespace_key,
        "type": change.type,
        "resource": change.resource,
        "model_id": model_of(change.resource),
        "actor": change.actor,
        "request_id": change.request_id,
        "reason": change.reason,
        "time": change.time,
    }
