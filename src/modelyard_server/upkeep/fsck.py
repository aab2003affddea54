"""Whether everything that the registry says is so: aliases, versions, files, blobs, sizes, bytes, and the log.

Nothing is ever repaired here. It may run beside a server: what it reads page by page can change meanwhile, so if
something looks wrong everything is looked at again, and only what is wrong both times is told.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from modelyard.core.manifest import manifest_digest
from modelyard_server.blobs.store import BlobKey, BlobStore
from modelyard_server.calls.errors import RegistryError
from modelyard_server.log.values import GENESIS, Event, LogHead
from modelyard_server.upkeep.inventory import (
    Inventory,
    Logged,
    ModelRecord,
    NamespaceRecord,
    Unreadable,
    VersionRecord,
)

T = TypeVar("T")

_MAX_TOLD: Final = 1000
"""Faults and notes that are kept, of each. All are counted."""
_READ_BYTES: Final = 1 << 20
# Aliases move without a change of the versions that they leave and reach.
_NOT_COMPARED: Final = frozenset({"aliases"})


class Kind(StrEnum):
    """What can be found. For programs: a name never changes once published."""

    ROW_UNREADABLE = "ROW_UNREADABLE"
    ROWS_ORPHANED = "ROWS_ORPHANED"
    ROW_MISSING = "ROW_MISSING"
    NOT_LOGGED = "NOT_LOGGED"
    NUMBER_WRONG = "NUMBER_WRONG"
    ALIAS_DANGLING = "ALIAS_DANGLING"
    FILES_MISSING = "FILES_MISSING"
    SIZE_WRONG = "SIZE_WRONG"
    MANIFEST_CHANGED = "MANIFEST_CHANGED"
    FILE_WITHOUT_BLOB = "FILE_WITHOUT_BLOB"
    BLOB_NOT_STORED = "BLOB_NOT_STORED"
    BLOB_MISSING = "BLOB_MISSING"
    BLOB_SIZE_WRONG = "BLOB_SIZE_WRONG"
    BLOB_CHANGED = "BLOB_CHANGED"
    EVENT_MISSING = "EVENT_MISSING"
    EVENT_CHANGED = "EVENT_CHANGED"
    CHAIN_BROKEN = "CHAIN_BROKEN"
    HEAD_WRONG = "HEAD_WRONG"
    UPLOAD_WITHOUT_BLOB = "UPLOAD_WITHOUT_BLOB"
    WEBHOOK_AHEAD = "WEBHOOK_AHEAD"
    DELIVERY_LOST = "DELIVERY_LOST"
    DELIVERY_STUCK = "DELIVERY_STUCK"
    # Of no harm: what crashes, and uploads that are under way or given up, leave until the sweep.
    BLOB_UNREFERENCED = "BLOB_UNREFERENCED"
    UPLOAD_EXPIRED = "UPLOAD_EXPIRED"
    STAGED_UNREFERENCED = "STAGED_UNREFERENCED"


class Finding(NamedTuple):
    """One thing that is not as it should be."""

    kind: Kind
    resource: str
    detail: str


@dataclass(slots=True)
class Report:
    """What a check saw."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    fault_count: int = 0
    notes: list[Finding] = field(default_factory=list)
    """True, and no fault."""
    note_count: int = 0

    @property
    def clean(self) -> bool:
        return not self.fault_count

    def fault(self, kind: Kind, resource: str, detail: str) -> None:
        self.fault_count += 1
        if len(self.faults) < _MAX_TOLD:
            self.faults.append(Finding(kind, resource, detail))

    def note(self, kind: Kind, resource: str, detail: str) -> None:
        self.note_count += 1
        if len(self.notes) < _MAX_TOLD:
            self.notes.append(Finding(kind, resource, detail))

    def confirming(self, earlier: "Report") -> "Report":
        """Only the faults that the earlier report tells too. Details may differ: a log that is wrong still grows."""
        before = {(finding.kind, finding.resource) for finding in earlier.faults}
        faults = [finding for finding in self.faults if (finding.kind, finding.resource) in before]
        return Report(earlier.checked, faults, len(faults), self.notes, self.note_count)


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
        first = await self._look(lambda _digest: read_data)
        if first.clean or first.fault_count > _MAX_TOLD:  # so many that no passing change explains them
            return first
        changed = {finding.resource for finding in first.faults if finding.kind is Kind.BLOB_CHANGED}
        return (await self._look(changed.__contains__)).confirming(first)

    async def _look(self, reads: Callable[[str], bool]) -> Report:
        look = _Look(self.inventory, self.store, self.clock(), self.progress, reads)
        await look.at_everything()
        return look.report


class _Look:
    """One pass over everything."""

    def __init__(
        self, inventory: Inventory, store: BlobStore, now: datetime, progress: Progress, reads: Callable[[str], bool]
    ) -> None:
        self.report = Report()
        self._inventory = inventory
        self._store = store
        self._now = now
        self._progress = progress
        self._reads = reads
        """Of which digests the bytes are read."""

    async def at_everything(self) -> None:
        for table, parent, count in await self._inventory.orphans():
            text = f"rows that belong to a row of {parent} which is not there: {count}"
            self.report.fault(Kind.ROWS_ORPHANED, table, text)
        await self._at_namespaces()
        await self._at_models()
        await self._at_versions()
        await self._at_aliases()
        await self._at_evaluations()
        await self._at_consumers()
        await self._at_blobs()
        await self._at_strays()
        await self._at_uploads()

    def _count(self, what: str, number: int = 1) -> None:
        self.report.checked[what] = done = self.report.checked.get(what, 0) + number
        self._progress(what, done)

    async def _each(self, what: str, records: AsyncGenerator[T | Unreadable, None]) -> AsyncGenerator[T, None]:
        """Those that can be read, counted; the others are faults."""
        self._count(what, 0)
        async with aclosing(records):
            async for record in records:
                self._count(what)
                if isinstance(record, Unreadable):
                    self._unreadable(record)
                else:
                    yield record

    def _unreadable(self, row: Unreadable) -> None:
        self.report.fault(Kind.ROW_UNREADABLE, row.resource, "its columns don't hold what they are for")

    def _compare(self, name: str, logged: Logged) -> None:
        row, event = logged.row, logged.event
        if event is None and logged.compacted:
            return
        if event is None:
            self.report.fault(Kind.NOT_LOGGED, name, "by its namespace's log it is not there")
            return
        names = (row.keys() | event.keys()) - _NOT_COMPARED
        if changed := sorted(name for name in names if row.get(name) != event.get(name)):
            text = f"not as its last event left it: {', '.join(changed)}"
            self.report.fault(Kind.NOT_LOGGED, name, text)

    async def _at_namespaces(self) -> None:
        async for namespace in self._each("namespaces", self._inventory.namespaces()):
            self._compare(namespace.name, namespace.logged)
            await self._at_log(namespace)
            async for name in self._inventory.forgotten(namespace.key):
                self.report.fault(Kind.ROW_MISSING, name, "by its namespace's log it is there, and it has no row")
            async for held in self._each("held blobs", self._inventory.held(namespace.key)):
                if held.stored != held.size:
                    text = f"of {held.size} bytes; the live publication: {_bytes(held.stored)}"
                    self.report.fault(Kind.BLOB_NOT_STORED, held.name, text)

    async def _at_log(self, namespace: NamespaceRecord) -> None:
        head = await self._inventory.head(namespace.key)
        last = await self._at_events(namespace, head)
        # What came since the first look has moved the head too.
        head = await self._inventory.head(namespace.key)
        if head is None:
            self.report.fault(Kind.HEAD_WRONG, namespace.name, f"its log has no head; its last event is {last}")
        elif head.revision < last:
            text = f"its head is at {head.revision}, and its last event is {last}"
            self.report.fault(Kind.HEAD_WRONG, namespace.name, text)

    async def _at_events(self, namespace: NamespaceRecord, head: LogHead | None) -> int:
        """Checks the chain of what is kept; the last revision."""
        expected, previous = _beginning(head)
        self._count("events", 0)
        async for event in self._inventory.events(namespace.key):
            self._count("events")
            if isinstance(event, Unreadable):
                self._unreadable(event)
                expected, previous = int(str(event.key)) + 1, None
                continue
            if event.revision != expected:
                # Perhaps what is missing was compacted meanwhile, and what is there is soon to go.
                beginning = _beginning(await self._inventory.head(namespace.key))
                expected, previous = max((expected, previous), beginning, key=lambda place: place[0])
            if event.revision < expected:
                continue
            if event.revision != expected:
                self._gap(namespace, expected, f"the next is {event.revision}")
                previous = None
            self._at_event(f"{namespace.name}/events/{event.revision}", event, previous)
            expected, previous = event.revision + 1, event.hash
            if head is not None and event.revision == head.revision and event.hash != head.hash:
                text = f"its head does not have the hash of event {event.revision}"
                self.report.fault(Kind.HEAD_WRONG, namespace.name, text)
        if head is not None and expected <= head.revision:
            self._gap(namespace, expected, f"the head is at {head.revision}")
        return expected - 1

    def _gap(self, namespace: NamespaceRecord, revision: int, text: str) -> None:
        self.report.fault(Kind.EVENT_MISSING, f"{namespace.name}/events/{revision}", text)

    def _at_event(self, name: str, event: Event, previous: str | None) -> None:
        if previous is not None and event.previous_hash != previous:
            self.report.fault(Kind.CHAIN_BROKEN, name, "is not chained to the event before it")
        elif not event.is_intact():
            self.report.fault(Kind.EVENT_CHANGED, name, "does not have the hash that it was written with")

    async def _at_models(self) -> None:
        async for model in self._each("models", self._inventory.models()):
            self._compare(model.name, model.logged)
            if not _numbered(model):
                text = (
                    f"has {model.version_count} versions, numbered {model.lowest} to {model.highest}; it gave out"
                    f" {model.last_number} numbers"
                )
                self.report.fault(Kind.NUMBER_WRONG, model.name, text)

    async def _at_versions(self) -> None:
        async for version in self._each("versions", self._inventory.versions()):
            self._compare(version.name, version.logged)
            await self._at_files(version)

    async def _at_files(self, version: VersionRecord) -> None:
        files = []
        async for file, held in self._each("files", self._inventory.files(version.key)):
            files.append(file)
            if held != file.size:
                text = f"{file.digest} of {file.size} bytes; its namespace holds under that digest: {_bytes(held)}"
                self.report.fault(Kind.FILE_WITHOUT_BLOB, f"{version.name} {file.path}", text)
        if len(files) != version.file_count or not files:
            text = f"has {len(files)} files, and was committed with {version.file_count}"
            self.report.fault(Kind.FILES_MISSING, version.name, text)
        elif (size := sum(file.size for file in files)) != version.total_size:
            text = f"its files are {size} bytes together, not {version.total_size}"
            self.report.fault(Kind.SIZE_WRONG, version.name, text)
        elif (digest := manifest_digest(files)) != version.manifest_digest:
            text = f"its files make the digest {digest}, not {version.manifest_digest}"
            self.report.fault(Kind.MANIFEST_CHANGED, version.name, text)

    async def _at_aliases(self) -> None:
        async for alias in self._each("aliases", self._inventory.aliases()):
            if alias.dangling:
                self.report.fault(Kind.ALIAS_DANGLING, alias.name, "points at no version of its model that is there")
            if alias.logged is not None:
                self._compare(alias.name, alias.logged)

    async def _at_evaluations(self) -> None:
        async for evaluation in self._each("evaluations", self._inventory.evaluations()):
            self._compare(evaluation.name, evaluation.logged)

    async def _at_consumers(self) -> None:
        async for deployment in self._each("deployments", self._inventory.deployments()):
            self._compare(deployment.name, deployment.logged)
        async for webhook in self._each("webhooks", self._inventory.webhooks()):
            self._compare(webhook.name, webhook.logged)
            if webhook.ahead:
                self.report.fault(Kind.WEBHOOK_AHEAD, webhook.name, "is to be told of what its log does not have yet")
            if webhook.lost:
                text = f"deliveries that wait for events which are not stored: {webhook.lost}"
                self.report.fault(Kind.DELIVERY_LOST, webhook.name, text)
            if webhook.stuck:
                text = f"models whose deliveries wait, and none of them for a time: {webhook.stuck}"
                self.report.fault(Kind.DELIVERY_STUCK, webhook.name, text)

    async def _at_blobs(self) -> None:
        async for key in self._each("blobs", self._inventory.blobs()):
            try:
                size = await self._store.size(key)
            except ValueError as error:
                self.report.fault(Kind.BLOB_MISSING, key.digest, f"can't be in the store: {error}")
                continue
            if size is None:
                self.report.fault(Kind.BLOB_MISSING, key.digest, "is not in the store")
            elif size != key.size:
                text = f"has {size} bytes in the store, not {key.size}"
                self.report.fault(Kind.BLOB_SIZE_WRONG, key.digest, text)
            elif self._reads(key.digest):
                await self._at_bytes(key)

    async def _at_bytes(self, key: BlobKey) -> None:
        digest = hashlib.sha256()
        try:
            async with aclosing(self._store.read(key, offset=0, limit=key.size, chunk_bytes=_READ_BYTES)) as batches:
                async for batch in batches:
                    for chunk in batch:
                        digest.update(chunk.data)
                    self._count("bytes", sum(len(chunk.data) for chunk in batch))
        except RegistryError as error:
            self.report.fault(Kind.BLOB_CHANGED, key.digest, f"can't be read: {error}")
            return
        if (actual := f"sha256:{digest.hexdigest()}") != key.digest:
            self.report.fault(Kind.BLOB_CHANGED, key.digest, f"the stored bytes are {actual}")

    async def _at_strays(self) -> None:
        async with aclosing(self._store.published()) as batches:
            async for keys in batches:
                known = await self._inventory.known_blobs(keys)
                for key in keys:
                    if (key.digest, key.generation) not in known:
                        text = f"{key.size} bytes in the store that no row names, as before a commit, or a crash there"
                        self.report.note(Kind.BLOB_UNREFERENCED, f"{key.digest}.{key.generation}", text)

    async def _at_uploads(self) -> None:
        # That nothing is staged for one is no fault: it may not have begun, or its bytes were wrong and removed.
        async for upload in self._each("uploads", self._inventory.uploads()):
            if upload.blob_lost:
                text = "is committed, and its namespace does not hold what it became"
                self.report.fault(Kind.UPLOAD_WITHOUT_BLOB, upload.name, text)
            if upload.expire_time <= self._now:
                self.report.note(Kind.UPLOAD_EXPIRED, upload.name, "will be removed by the next sweep")
        async for staged in self._store.staged():
            if not await self._inventory.known_uploads([staged]):
                text = "staged bytes of no upload; the next sweep removes them"
                self.report.note(Kind.STAGED_UNREFERENCED, staged, text)


def _bytes(size: int | None) -> str:
    return "none" if size is None else f"{size} bytes"


def _numbered(model: ModelRecord) -> bool:
    """Whether its versions are 1, 2, 3 …; two of one number can't be, and none is ever removed."""
    counted = model.version_count == model.highest == model.last_number
    return counted and (model.lowest == 1 or not model.version_count)


def _beginning(head: LogHead | None) -> tuple[int, str | None]:
    """The first revision that is kept, and what it is chained to."""
    return (1, GENESIS) if head is None else (head.floor + 1, head.floor_hash)
