"""The protobuf mapping that the SDK and the server share: files, facts, JSON values and times, both ways."""

from modelyard.wire.facts import (
    dataset_from_proto,
    dataset_to_proto,
    environment_to_proto,
    facts_from_proto,
    facts_into_proto,
    files_from_proto,
    files_to_proto,
    param_from_proto,
    param_to_proto,
    parent_to_proto,
    run_from_proto,
    run_to_proto,
    source_from_proto,
    source_to_proto,
)
from modelyard.wire.structs import struct_from_proto, struct_to_proto, value_from_proto
from modelyard.wire.times import moment, optional_moment, timestamp

__all__ = [
    "dataset_from_proto",
    "dataset_to_proto",
    "environment_to_proto",
    "facts_from_proto",
    "facts_into_proto",
    "files_from_proto",
    "files_to_proto",
    "moment",
    "optional_moment",
    "param_from_proto",
    "param_to_proto",
    "parent_to_proto",
    "run_from_proto",
    "run_to_proto",
    "source_from_proto",
    "source_to_proto",
    "struct_from_proto",
    "struct_to_proto",
    "timestamp",
    "value_from_proto",
]
