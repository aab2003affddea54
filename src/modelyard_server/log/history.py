"""Finds the log of a namespace, and its floor."""

from modelyard.core.names import NamespaceName
from modelyard.core.suggestions import MOST_COMPARED, did_you_mean
from modelyard_server.calls.errors import NotFound, OutOfRange
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.repository import EventRepository
from modelyard_server.log.values import LogHead


async def log_of(transaction: Transaction, name: NamespaceName, *, lock: bool = False) -> LogHead:
    """The log of a namespace. ``lock`` prevents new events until the commit."""
    found = await EventRepository(transaction).head(name, lock=lock)
    if found is None:
        raise await namespace_not_found(transaction, name)
    return found


async def namespace_not_found(transaction: Transaction, name: NamespaceName) -> NotFound:
    """The error that names the namespace which was probably meant."""
    near = await EventRepository(transaction).namespaces_like(name.namespace, limit=MOST_COMPARED)
    advice = did_you_mean(name.namespace, near) or " The first push to it creates it."
    return NotFound(
        f"There is no namespace {name.namespace!r}.{advice}",
        reason="NAMESPACE_NOT_FOUND",
        kind="Namespace",
        name=str(name),
    )


def compacted(floor: int, consequence: str) -> OutOfRange:
    return OutOfRange(
        f"The log begins at revision {floor + 1}: {consequence}.",
        reason="REVISION_COMPACTED",
        metadata={"compactedRevision": str(floor), "oldestRevision": str(floor + 1)},
    )
