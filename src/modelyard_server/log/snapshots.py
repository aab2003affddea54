"""The snapshot fields of every kind of resource."""

from datetime import datetime
from typing import Any, Final

from modelyard_server.calls.resource import Resource
from modelyard_server.log.encoding import format_time
from modelyard_server.log.values import Json

COMMON: Final = frozenset({"name", "uid", "create_time", "update_time", "row_version"})


def common(resource: Resource, name: object) -> Json:
    return {
        "name": str(name),
        "uid": resource.uid,
        "create_time": format_time(resource.create_time),
        "update_time": format_time(resource.update_time),
        "row_version": resource.row_version,
    }


def common_from(stored: Json) -> dict[str, Any]:
    """The fields of :class:`Resource`. Raises ``KeyError`` or ``ValueError`` if the snapshot lacks them."""
    return {
        "uid": stored["uid"],
        "create_time": datetime.fromisoformat(stored["create_time"]),
        "update_time": datetime.fromisoformat(stored["update_time"]),
        "row_version": stored.get("row_version", 1),
    }


def optional_time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def optional_time_from(stored: Json, name: str) -> datetime | None:
    value = stored.get(name)
    return None if value is None else datetime.fromisoformat(value)
