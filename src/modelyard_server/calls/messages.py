"""Fields that many messages have."""

from datetime import datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from modelyard import wire
from modelyard_server.calls.resource import Resource


def common(resource: Resource) -> dict[str, Any]:
    return {
        "uid": resource.uid,
        "create_time": wire.timestamp(resource.create_time),
        "update_time": wire.timestamp(resource.update_time),
        "etag": resource.etag,
    }


def optional_times(**moments: datetime | None) -> dict[str, Any]:
    return {name: wire.timestamp(moment) for name, moment in moments.items() if moment is not None}


def duration(seconds: float) -> Duration:
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made
