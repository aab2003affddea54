"""Comparisons as messages."""

from dataclasses import replace

from modelyard import wire
from modelyard.v1 import registry_pb2
from modelyard_server.comparison.values import Comparison, Section
from modelyard_server.registry.versions.messages import version_message

_SECTIONS = wire.EnumMapping(registry_pb2.Difference.Section, Section)


def comparison_message(comparison: Comparison, size: int) -> registry_pb2.CompareVersionsResponse:
    """The message, with differences up to about ``size`` bytes."""
    message = registry_pb2.CompareVersionsResponse(
        base=version_message(replace(comparison.base, files=None)),
        other=version_message(replace(comparison.other, files=None)),
        shared_bytes=comparison.shared_bytes,
        removed_bytes=comparison.removed_bytes,
        added_bytes=comparison.added_bytes,
    )
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
