"""Whether everything that the registry says is so: aliases, versions, files, blobs, sizes, bytes, and the log.

Nothing is ever repaired here. It may run beside a server: what it reads page by page can change meanwhile, so whatever
looks wrong is looked at twice, and only what is wrong both times is told.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Protocol, TypeVar

from modelyard.manifest import File, manifest_digest
from modelyard_server.domain.errors import RegistryError
from modelyard_server.domain.events import GENESIS, Change, event_hash
from modelyard_server.services.blob_store import BlobKey, BlobStore

T = TypeVar("T")

_MAX_TOLD: Final = 1000
"""Faults and notes that are kept, of each. All are counted."""
_READ_BYTES: Final = 1 << 20


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: str
    """For programs: never changes once published."""
    resource: str
    detail: str


class VersionRecord(NamedTuple):
    """A version as its row says, and as its files are."""

    key: int
    name: str
    file_count: int
    total_size: int
    manifest_digest: str
    row_version: int
    logged_row_version: int | None
    """What the last event about it says; None if there is none."""


class EventRecord(NamedTuple):
    revision: int
    change: Change
    previous_hash: str
    hash: str


class LogHead(NamedTuple):
    namespace_key: int
    namespace: str
    revision: int
    hash: str


class UploadRecord(NamedTuple):
    name: str
    id: str
    expire_time: datetime


class Inventory(Protocol):
    """What there is, in pages in the order of a key. ``after`` is the last key of the page before."""

    async def broken_references(self, limit: int) -> list[Finding]:
        """Rows that contradict each other where one statement can see it."""
        ...

    async def versions(self, after: int) -> list[VersionRecord]: ...
    async def files(self, version_key: int) -> tuple[File, ...]: ...
    async def blobs(self, after: str) -> list[BlobKey]: ...
    async def known_blobs(self, keys: Sequence[BlobKey]) -> set[tuple[str, str]]:
        """Digest and generation of those publications that have a row."""
        ...

    async def log_heads(self, after: int) -> list[LogHead]: ...
    async def events(self, namespace_key: int, after: int) -> list[EventRecord]: ...
    async def uploads(self, after: str) -> list[UploadRecord]: ...
    async def known_uploads(self, ids: Sequence[str]) -> set[str]: ...


@dataclass(slots=True)
class Report:
    """What a check saw."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    fault_count: int = 0
    notes: list[Finding] = field(default_factory=list)
    """True, and no fault: what crashes and abandoned uploads leave until the sweep."""
    note_count: int = 0

    @property
    def clean(self) -> bool:
        return not self.fault_count

    def fault(self, kind: str, resource: str, detail: str) -> None:
        self.fault_count += 1
        if len(self.faults) < _MAX_TOLD:
            self.faults.append(Finding(kind, resource, detail))

    def note(self, kind: str, resource: str, detail: str) -> None:
        self.note_count += 1
        if len(self.notes) < _MAX_TOLD:
            self.notes.append(Finding(kind, resource, detail))

    def count(self, what: str, number: int = 1) -> None:
        self.checked[what] = self.checked.get(what, 0) + number

    def confirmed_by(self, other: "Report") -> "Report":
        """Only what both saw."""
        again = set(other.faults)
        faults = [finding for finding in self.faults if finding in again]
        # Where not all were kept, they are so many that no passing change explains them.
        total = len(faults) if self.fault_count <= _MAX_TOLD else other.fault_count
        return Report(other.checked, faults, total, other.notes, other.note_count)


Progress = Callable[[str, int], None]
"""Told what is being checked, and how many of it are done."""


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    inventory: Inventory
    store: BlobStore
    clock: Callable[[], datetime]
    progress: Progress = lambda what, done: None  # noqa: ARG005 (nobody listens)

    async def run(self, *, read_data: bool) -> Report:
        """Checks everything; with ``read_data`` also that each blob's bytes are those of its digest."""
        first = await self._once(read_data=read_data)
        return first if first.clean else first.confirmed_by(await self._once(read_data=read_data))

    async def _once(self, *, read_data: bool) -> Report:
        report = Report()
        for finding in await self.inventory.broken_references(_MAX_TOLD):
            report.fault(*finding)
        await self._check_versions(report)
        await self._check_blobs(report, read_data=read_data)
        await self._check_strays(report)
        await self._check_logs(report)
        await self._check_uploads(report)
        return report

    async def _each(
        self, report: Report, what: str, page: Callable[[T | None], Awaitable[list[T]]]
    ) -> AsyncIterator[T]:
        """All records, page by page, counted."""
        last: T | None = None
        while records := await page(last):
            report.count(what, len(records))
            self.progress(what, report.checked[what])
            for record in records:
                yield record
            last = records[-1]

    async def _check_versions(self, report: Report) -> None:
        async def page(last: VersionRecord | None) -> list[VersionRecord]:
            return await self.inventory.versions(last.key if last else 0)

        async for version in self._each(report, "versions", page):
            files = await self.inventory.files(version.key)
            report.count("files", len(files))
            if len(files) != version.file_count:
                text = f"has {len(files)} files, and was committed with {version.file_count}"
                report.fault("FILES_MISSING", version.name, text)
            elif sum(file.size for file in files) != version.total_size:
                report.fault("SIZE_WRONG", version.name, f"its files are not {version.total_size} bytes together")
            elif manifest_digest(files) != version.manifest_digest:
                text = f"its files make the digest {manifest_digest(files)}, not {version.manifest_digest}"
                report.fault("MANIFEST_CHANGED", version.name, text)
            if version.logged_row_version != version.row_version:
                text = f"is at change {version.row_version}, and its log at {version.logged_row_version or 'none'}"
                report.fault("NOT_LOGGED", version.name, text)

    async def _check_blobs(self, report: Report, *, read_data: bool) -> None:
        async def page(last: BlobKey | None) -> list[BlobKey]:
            return await self.inventory.blobs(last.digest if last else "")

        async for key in self._each(report, "blobs", page):
            size = await self.store.size(key)
            if size is None:
                report.fault("BLOB_MISSING", key.digest, "is not in the store")
            elif size != key.size:
                report.fault("BLOB_SIZE_WRONG", key.digest, f"has {size} bytes in the store, not {key.size}")
            elif read_data and (actual := await self._hash(key)) != key.digest:
                report.fault("BLOB_CHANGED", key.digest, f"the stored bytes are {actual}")

    async def _hash(self, key: BlobKey) -> str:
        digest = hashlib.sha256()
        try:
            async with aclosing(self.store.read(key, offset=0, limit=key.size, chunk_bytes=_READ_BYTES)) as batches:
                async for batch in batches:
                    for chunk in batch:
                        digest.update(chunk.data)
        except RegistryError as error:
            return f"unreadable: {error}"
        return f"sha256:{digest.hexdigest()}"

    async def _check_strays(self, report: Report) -> None:
        """Publications without a row: of no harm but the room they take."""
        async for keys in self.store.published():
            known = await self.inventory.known_blobs(keys)
            for key in keys:
                if (key.digest, key.generation) not in known:
                    text = f"{key.size} bytes in the store that no row names, as a crash before a commit leaves them"
                    report.note("BLOB_UNREFERENCED", f"{key.digest}.{key.generation}", text)

    async def _check_logs(self, report: Report) -> None:
        async def heads(last: LogHead | None) -> list[LogHead]:
            return await self.inventory.log_heads(last.namespace_key if last else 0)

        async for head in self._each(report, "namespaces", heads):
            await self._check_log(report, head)

    async def _check_log(self, report: Report, head: LogHead) -> None:
        async def page(last: EventRecord | None) -> list[EventRecord]:
            return await self.inventory.events(head.namespace_key, last.revision if last else 0)

        expected, previous = 1, GENESIS
        async for event in self._each(report, "events", page):
            name = f"{head.namespace}/events/{event.revision}"
            if event.revision != expected:
                report.fault("EVENT_MISSING", f"{head.namespace}/events/{expected}", f"the next is {event.revision}")
            elif event.previous_hash != previous:
                report.fault("CHAIN_BROKEN", name, "is not chained to the event before it")
            elif event_hash(previous, event.revision, event.change) != event.hash:
                report.fault("EVENT_CHANGED", name, "does not have the hash that it was written with")
            expected, previous = event.revision + 1, event.hash
            if event.revision == head.revision and event.hash != head.hash:
                report.fault("HEAD_WRONG", head.namespace, f"its head does not have the hash of event {event.revision}")
        if expected <= head.revision:
            report.fault("EVENT_MISSING", f"{head.namespace}/events/{expected}", f"the head is at {head.revision}")

    async def _check_uploads(self, report: Report) -> None:
        async def page(last: UploadRecord | None) -> list[UploadRecord]:
            return await self.inventory.uploads(last.id if last else "")

        async for upload in self._each(report, "uploads", page):
            if upload.expire_time <= self.clock():
                report.note("UPLOAD_EXPIRED", upload.name, "will be removed by the next sweep")
        async for staged in self.store.staged():
            if not await self.inventory.known_uploads([staged]):
                report.note("STAGED_UNREFERENCED", staged, "staged bytes of no upload; the next sweep removes them")
