"""What the registry asks of capabilities above it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from modelyard_server.calls.errors import PreconditionViolation
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version


@runtime_checkable
class DeleteGuard(Protocol):
    """May object to a deletion: raises ``FAILED_PRECONDITION`` and says what has to be done first.

    It is asked in the transaction that deletes, which has locked the row.
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
    """Knows the bytes that namespaces hold."""

    async def held_sizes(
        self, transaction: Transaction, namespace_key: int, digests: Collection[str], *, lock: bool = False
    ) -> Mapping[str, int]:
        """Digest to size in bytes of those that the namespace holds; with ``lock`` it holds them until the commit."""
        ...


@runtime_checkable
class UseListener(Protocol):
    """Hears of the use of versions. It must not fail, and must take no time."""

    def used(self, version_key: int) -> None:
        """A reference was resolved to a version, or something of it is read."""
        ...

    def downloaded(self, version_key: int) -> None:
        """A version is fetched by somebody who had nothing of it."""
        ...
