"""Times between Python and protobuf."""

from datetime import UTC, datetime, timedelta

from google.protobuf import timestamp_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    delta = moment - _EPOCH
    return timestamp_pb2.Timestamp(seconds=delta.days * 86_400 + delta.seconds, nanos=delta.microseconds * 1000)


def moment(stamp: timestamp_pb2.Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def optional_moment(stamp: timestamp_pb2.Timestamp, *, is_set: bool) -> datetime | None:
    return moment(stamp) if is_set else None
