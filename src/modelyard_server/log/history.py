"""Finds the log of a namespace, and its floor."""

from modelyard.core.names import NamespaceName
from modelyard_server.calls.errors import OutOfRange, namespace_not_found
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.repository import EventRepository
from modelyard_server.log.values import LogHead


async def log_of(transaction: Transaction, name: NamespaceName, *, lock: bool = False) -> LogHead:
    """The log of a namespace. ``lock`` prevents new events until the commit."""
    found = await EventRepository(transaction).head(name, lock=lock)
    if found is None:
        raise namespace_not_found(name)
    return found


def compacted(floor: int, consequence: str) -> OutOfRange:
    return OutOfRange(
        f"The log begins at revision {floor + 1}: {consequence}.",
        reason="REVISION_COMPACTED",
        metadata={"compactedRevision": str(floor), "oldestRevision": str(floor + 1)},
    )
