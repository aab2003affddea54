"""The fields of a filter of deployments."""

from typing import Final

from modelyard_server.query.terms import Fields, Kind

FIELDS: Final[Fields] = {
    "model": Kind.TEXT,
    "version": Kind.NUMBER,
    "service": Kind.TEXT,
    "environment": Kind.TEXT,
    "instance": Kind.TEXT,
    "reference": Kind.TEXT,
    "observed_digest": Kind.TEXT,
    "created_by": Kind.TEXT,
    "create_time": Kind.TIME,
    "update_time": Kind.TIME,
    "heartbeat_time": Kind.TIME,
}
