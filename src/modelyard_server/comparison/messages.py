"""Comparisons as messages."""

from dataclasses import replace

from modelyard import wire
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.comparison.values import Comparison, Section
from modelyard_server.registry.versions.messages import version_message
from modelyard_server.registry.versions.recorded import NO_FACTS
from modelyard_server.registry.versions.values import Version

_SECTIONS = wire.EnumMapping(registry_pb2.Difference.Section, Section)


def comparison_message(comparison: Comparison, size: int) -> registry_pb2.CompareVersionsResponse:
    """The message, with differences up to about ``size`` bytes."""
    message = registry_pb2.CompareVersionsResponse(
        base=_heading(comparison.base),
        other=_heading(comparison.other),
        shared_bytes=comparison.shared_bytes,
        removed_bytes=comparison.removed_bytes,
        added_bytes=comparison.added_bytes,
    )
    for missing in comparison.not_compared:
        missing_message = registry_pb2.NotCompared(
            section=_SECTIONS.to_proto(missing.section), name=missing.name, before=missing.before, after=missing.after
        )
        size -= missing_message.ByteSize()
        if size < 0:
            message.truncated = True
            return message
        message.not_compared.append(missing_message)
    for difference in comparison.differences:
        difference_message = registry_pb2.Difference(
            section=_SECTIONS.to_proto(difference.section),
            name=difference.name,
            before=None if difference.before is None else wire.param_to_proto(difference.before),
            after=None if difference.after is None else wire.param_to_proto(difference.after),
        )
        size -= difference_message.ByteSize()
        if size < 0:
            message.truncated = True
            break
        message.differences.append(difference_message)
    return message


def _heading(version: Version) -> pb.Version:
    """A version without what can be long: two of them, and their differences, have to fit into one message."""
    return version_message(replace(version, files=None, recorded=NO_FACTS, description="", labels={}, annotations={}))
