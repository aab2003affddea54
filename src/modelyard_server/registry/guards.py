"""Interfaces that capabilities above the registry implement."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from modelyard.core.names import NamespaceName
from modelyard_server.calls.errors import PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version


@runtime_checkable
class DeleteGuard(Protocol):
    """May refuse a deletion: raises ``FAILED_PRECONDITION`` with a message that says what to do first.

    It is called in the transaction of the deletion, which has locked the row.
    """

    async def check_version_deletion(
        self, mutations: Mutations, transaction: Transaction, version: Version
    ) -> None: ...
    async def check_model_deletion(self, mutations: Mutations, transaction: Transaction, model: Model) -> None: ...


@runtime_checkable
class NamespaceContents(Protocol):
    """Knows what a namespace holds beside models, and what has to go before the namespace can be deleted."""

    async def contents(
        self, transaction: Transaction, namespace_key: int, limit: int
    ) -> Sequence[PreconditionViolation]:
        """Names at most ``limit`` of the resources. Asked in the transaction that deletes, which has locked the row."""
        ...


@runtime_checkable
class StoredBlobs(Protocol):
    """Finds the blobs of namespaces."""

    async def held_sizes(
        self, transaction: Transaction, namespace_key: int, digests: Collection[str], *, lock: bool = False
    ) -> Mapping[str, int]:
        """Digest to size in bytes, for the blobs that the namespace has. ``lock`` keeps them until the commit."""
        ...


@runtime_checkable
class BlobDamage(Protocol):
    """Compares blobs with the store of bytes. It opens a transaction of its own, so it is asked outside of any."""

    async def damaged_among(self, parent: NamespaceName, digests: Collection[str]) -> Collection[str]:
        """The digests of the namespace's own blobs whose stored bytes are missing or damaged."""
        ...


@runtime_checkable
class UseListener(Protocol):
    """Is called at each use of a version. It must not fail or block."""

    def used(self, version_key: int) -> None:
        """A reference was resolved to the version, or a file of it is read."""
        ...

    def downloaded(self, version_key: int) -> None:
        """The version is downloaded by a client that had none of its files."""
        ...
