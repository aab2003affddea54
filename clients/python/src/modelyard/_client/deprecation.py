"""Warns a program that uses a deprecated version."""

from modelyard import _convert
from modelyard._client.events import AsyncEvents
from modelyard._connection import Connection
from modelyard.core.references import Reference, Selector
from modelyard.errors import ModelyardError
from modelyard.types import Version
from modelyard.v1 import resources_pb2 as pb


def notice(version: Version, reference: Reference, by: str = "") -> str:
    """The version, not the alias that points at it, is deprecated. ``by`` says when and by whom."""
    moves = reference.selector not in {Selector.NUMBER, Selector.DIGEST}
    meant = f"{reference} is version {version.number}, which" if moves else f"{version.reference}"
    why = f": {version.deprecation_reason}" if version.deprecation_reason else ""
    return f"{meant} is deprecated{by}{why}"


async def notice_with_actor(connection: Connection, message: pb.Version, reference: Reference) -> str | None:
    """The same with who deprecated it, as the log tells; None if a version is not deprecated."""
    if message.state != pb.Version.STATE_DEPRECATED:
        return None
    version, by = _convert.version(message), ""
    try:
        events = AsyncEvents(connection).list(
            version.name, filter='type = "version.deprecated"', newest_first=True, page_size=1
        )
        async for event in events:
            by = f" since {event.time:%Y-%m-%d} by {event.actor}"
            break
    except ModelyardError:
        pass  # a log that can't be read, or begins later, keeps nobody from being warned
    return notice(version, reference, by)
