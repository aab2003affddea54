"""Keeps namespaces that have unfinished uploads."""

from collections.abc import Sequence

from modelyard_server.calls.errors import PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.transfers.uploads.repository import UploadRepository


class UploadsKeepNamespaces:
    """See :class:`~modelyard_server.registry.guards.NamespaceContents`."""

    async def contents(
        self, transaction: Transaction, namespace_key: int, limit: int
    ) -> Sequence[PreconditionViolation]:
        found = await UploadRepository(transaction).unfinished(namespace_key, after=None, limit=limit)
        return [PreconditionViolation("UPLOAD", str(each.name), "is unfinished") for each in found]
