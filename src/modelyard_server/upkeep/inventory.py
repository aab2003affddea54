"""What there is, as a check reads it: each row beside what others say of it. ``db`` implements it.

Everything is streamed, page by page: nothing of it grows with the registry. Each page is a snapshot of its own. One for
all would make a check that reads terabytes hold up, for hours, what a running database throws away meanwhile.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from modelyard.core.manifest import File
from modelyard_server.blobs.store import BlobKey
from modelyard_server.log.codec import Json
from modelyard_server.log.values import Event, LogHead


class Unreadable(NamedTuple):
    """A row whose columns don't hold what they are for."""

    key: object
    resource: str


class Logged(NamedTuple):
    """A resource, without what is of no meaning outside the database."""

    row: Json
    event: Json | None
    """As its last event left it; None if none did, or if that one removed it."""
    compacted: bool = False
    """There may have been an event, and it is not kept any more."""


class NamespaceRecord(NamedTuple):
    key: int
    name: str
    logged: Logged


class ModelRecord(NamedTuple):
    name: str
    logged: Logged
    last_number: int
    version_count: int
    lowest: int
    """Of its versions' numbers, as ``highest``; 0 without versions."""
    highest: int


class VersionRecord(NamedTuple):
    key: int
    name: str
    logged: Logged
    file_count: int
    total_size: int
    manifest_digest: str


class FileRecord(NamedTuple):
    file: File
    held: int | None
    """The size of the blob that its namespace holds under that digest."""


class AliasRecord(NamedTuple):
    name: str
    logged: Logged | None
    """None if what it points at has no row."""
    dangling: bool
    """It doesn't point at a version of its own model that is there and not deleted."""


class EvaluationRecord(NamedTuple):
    name: str
    logged: Logged


class DeploymentRecord(NamedTuple):
    name: str
    logged: Logged


class WebhookRecord(NamedTuple):
    name: str
    logged: Logged
    ahead: bool
    """It has queued events that its namespace's log does not have."""
    lost: int
    """Deliveries that wait for events which are not stored any more."""
    stuck: int
    """Lanes whose deliveries wait, and none of them for a time."""


class HeldBlob(NamedTuple):
    """What a namespace may name."""

    name: str
    size: int
    stored: int | None
    """The size of the live publication, as its row says; None without one."""


class UploadRecord(NamedTuple):
    id: str
    name: str
    expire_time: datetime
    blob_lost: bool
    """It is committed, and its namespace doesn't hold what it became."""


class Inventory(Protocol):
    """All that the database says, in the order of some key."""

    async def orphans(self) -> list[tuple[str, str, int]]:
        """Two tables, and how many rows of the first name a row of the second that is not there."""
        ...

    def namespaces(self) -> AsyncGenerator[NamespaceRecord | Unreadable, None]: ...
    def models(self) -> AsyncGenerator[ModelRecord | Unreadable, None]: ...
    def versions(self) -> AsyncGenerator[VersionRecord | Unreadable, None]: ...
    def files(self, version_key: int) -> AsyncGenerator[FileRecord | Unreadable, None]: ...
    def aliases(self) -> AsyncGenerator[AliasRecord | Unreadable, None]: ...
    def evaluations(self) -> AsyncGenerator[EvaluationRecord | Unreadable, None]: ...
    def deployments(self) -> AsyncGenerator[DeploymentRecord | Unreadable, None]: ...
    def webhooks(self) -> AsyncGenerator[WebhookRecord | Unreadable, None]: ...
    def held(self, namespace_key: int) -> AsyncGenerator[HeldBlob | Unreadable, None]: ...
    def blobs(self) -> AsyncGenerator[BlobKey | Unreadable, None]:
        """The live ones."""
        ...

    async def known_blobs(self, keys: Sequence[BlobKey]) -> set[tuple[str, str]]:
        """Digest and generation of those publications that have a row."""
        ...

    async def head(self, namespace_key: int) -> LogHead | None: ...
    def events(self, namespace_key: int) -> AsyncGenerator[Event | Unreadable, None]: ...
    def forgotten(self, namespace_key: int) -> AsyncGenerator[str, None]:
        """Resources that by their last event are there, and have no row."""
        ...

    def uploads(self) -> AsyncGenerator[UploadRecord | Unreadable, None]: ...
    async def known_uploads(self, ids: Sequence[str]) -> set[str]: ...
