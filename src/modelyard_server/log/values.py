"""Events: one for each change of one resource, chained by hash. A namespace's events are its log: the truth."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from modelyard.core.names import AliasName, ModelName, NamespaceName, VersionName
from modelyard_server.log.codec import Json, format_time, snapshot
from modelyard_server.registry.values import AnyResource

GENESIS: Final = "0" * 64
"""What the first event of a namespace is chained to."""

EVENT_TYPES: Final = frozenset(
    {
        *("namespace.created", "namespace.updated", "log.compacted"),
        *("model.created", "model.updated", "model.deleted", "model.restored"),
        *("version.created", "version.updated", "version.deprecated", "version.deleted", "version.restored"),
        *("alias.created", "alias.moved", "alias.rolled_back", "alias.deleted"),
        "evaluation.created",
        *("deployment.created", "deployment.moved", "deployment.mismatched", "deployment.deleted"),
        "deployment.expired",
        *("webhook.created", "webhook.updated", "webhook.secret_rotated", "webhook.deleted"),
    }
)
"""All that there are."""

# They change with everything else, and say nothing of their own.
_FOLLOWERS: Final = frozenset({"update_time", "row_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transaction did to one resource, before it has a revision."""

    namespace_key: int
    type: str
    """`model.created`, `alias.moved` and the like."""
    resource: str
    actor: str
    request_id: str
    reason: str
    time: datetime
    changes: Json
    """Field to [before, after]."""
    snapshot: Json
    """The resource after the change; before it, for one that was removed."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A change at its place in the log."""

    revision: int
    change: Change
    previous_hash: str
    hash: str

    def is_intact(self) -> bool:
        """Whether it is what was written."""
        try:
            return self.hash == event_hash(self.previous_hash, self.revision, self.change)
        except ValueError:  # it holds what is no JSON, as NaN
            return False


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where a namespace's log ends, and where what is kept of it begins."""

    namespace_key: int
    revision: int
    hash: str
    floor: int
    """The last revision that is not kept any more; 0 if all are."""
    floor_hash: str


Place = NamespaceName | ModelName | VersionName | AliasName
"""What events are asked for: of a namespace all, of a model those of all that is in it, else those of one resource."""


def change(
    namespace_key: int,
    type_: str,
    *,
    before: AnyResource | None,
    after: AnyResource | None,
    actor: str,
    request_id: str,
    time: datetime,
    reason: str = "",
) -> Change:
    """Describes the step from ``before`` to ``after``; one of them may be None."""
    assert type_ in EVENT_TYPES, type_
    subject = after if after is not None else before
    assert subject is not None
    old = snapshot(before) if before is not None else {}
    new = snapshot(after) if after is not None else {}
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return Change(
        namespace_key=namespace_key,
        type=type_,
        resource=str(subject.name),
        actor=actor,
        request_id=request_id,
        reason=reason,
        time=time,
        # A created resource is told by its snapshot; twice would only make the log longer.
        changes={n: [old.get(n), new.get(n)] for n in changed if n not in _FOLLOWERS} if before and after else {},
        snapshot=new or old,
    )


def event_hash(previous: str, revision: int, event: Change) -> str:
    """SHA-256, in hexadecimal, of the event's canonical JSON, the hash of the one before included."""
    fields: dict[str, Any] = {
        "previous": previous,
        "revision": revision,
        "type": event.type,
        "resource": event.resource,
        "actor": event.actor,
        "request_id": event.request_id,
        "reason": event.reason,
        "time": format_time(event.time),
        "changes": event.changes,
        "snapshot": event.snapshot,
    }
    canonical = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    # b"\x00": a leaf, should the chain be anchored in a Merkle tree one day (RFC 6962).
    return hashlib.sha256(b"\x00" + canonical.encode()).hexdigest()
