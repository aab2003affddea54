"""Uploads: sessions that turn a stream into one blob. The only code that joins published bytes to a row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from modelyard.core.names import NamespaceName, UploadName
from modelyard_server import failpoints
from modelyard_server.blobs.store import BlobKey, BlobStore, BlobWriter, Chunk
from modelyard_server.calls.errors import (
    Aborted,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotFound,
    RegistryError,
    ResourceExhausted,
    invalid,
    offset_mismatch,
    upload_fenced,
)
from modelyard_server.db.protocols import Transaction
from modelyard_server.log.changes import Attempt, Mutations, request_id_reused
from modelyard_server.registry import lookup
from modelyard_server.registry.values import Upload, UploadState
from modelyard_server.transfers.blobs.service import Blobs, new_generation

# One thread hop hashes and writes this much, while as much again is received. Half of it, or twice, measured slower.
_BATCH_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of an upload's stream."""

    upload: UploadName | None
    offset: int
    data: bytes
    crc32c: int | None
    finish: bool
    digest: str


def _not_found(name: UploadName) -> NotFound:
    return NotFound(
        f"there is no upload {name.upload}: it was cancelled, refused for its bytes, or it expired; start another",
        reason="UPLOAD_NOT_FOUND",
        kind="Upload",
        name=str(name),
    )


class Uploads:
    """The life of uploads."""

    def __init__(self, mutations: Mutations, blobs: Blobs, store: BlobStore) -> None:
        self._mutations = mutations
        self._blobs = blobs
        self._store = store
        self._live: dict[str, _Pump] = {}
        self._finishing: set[asyncio.Task[Any]] = set()

    async def start(self, attempt: Attempt, parent: NamespaceName, size: int, digest: str) -> Upload:
        """Opens a session, or answers COMMITTED if the namespace holds the blob already."""
        limits = self._mutations.limits
        now = self._mutations.clock()
        # The id follows from the request_id, so that a retry finds the session that it opened.
        seed = f"{attempt.actor}/{parent}/{attempt.request_id}"
        identity = str(uuid5(NAMESPACE_URL, seed) if attempt.request_id else uuid4())
        upload = Upload(
            name=UploadName(parent.namespace, identity),
            size=size,
            digest=digest,
            state=UploadState.OPEN,
            generation=new_generation(),
            epoch=0,
            create_time=now,
            expire_time=now + timedelta(seconds=limits.upload_ttl),
        )

        async def work(transaction: Transaction) -> Upload:
            namespace = await lookup.namespace(transaction, parent)
            existing = await transaction.uploads.find(upload.name)
            if existing is not None:
                if existing.size != size or (digest and existing.digest and existing.digest != digest):
                    raise request_id_reused()
                return existing
            if digest and (await transaction.blobs.visible(namespace.key, [digest])).get(digest) == size:
                until = self._mutations.later(limits.lease_ttl)
                await transaction.blobs.lease(namespace.key, [digest], until)
                committed = replace(upload, state=UploadState.COMMITTED)
                await transaction.uploads.add(committed, namespace.key)
                return committed
            if await transaction.uploads.count_open(namespace.key) >= limits.open_uploads:
                raise ResourceExhausted(
                    f"{limits.open_uploads} uploads are open in {parent}; finish or cancel some",
                    reason="TOO_MANY_UPLOADS",
                    metadata={"limit": str(limits.open_uploads)},
                    retry_after=30.0,
                )
            await transaction.uploads.add(upload, namespace.key)
            return upload

        started = await self._mutations.database.write(work)
        failpoints.hit("upload.after_start")
        return await self._with_progress(started)

    async def get(self, name: UploadName) -> Upload:
        return await self._with_progress(await self._find(name))

    async def cancel(self, name: UploadName) -> None:
        upload = await self._find(name)
        await self._mutations.database.write(lambda transaction: transaction.uploads.remove(name))
        failpoints.hit("upload.after_cancel")
        if upload.state is UploadState.OPEN:
            await self._store.discard(name.upload)

    async def _find(self, name: UploadName) -> Upload:
        found = await self._mutations.database.look(lambda transaction: transaction.uploads.find(name))
        if found is None or (found.state is UploadState.OPEN and found.expire_time <= self._mutations.clock()):
            raise _not_found(name)
        return found

    async def _with_progress(self, upload: Upload) -> Upload:
        if upload.state is UploadState.COMMITTED:
            return replace(upload, persisted_size=upload.size)
        return replace(upload, persisted_size=await self._store.persisted_size(upload.name.upload))

    async def write(self, frames: AsyncIterator[Frame]) -> Upload:
        """Takes an upload's stream. Nothing but a frame that says ``finish`` commits: streams also end by being cut."""
        first = await anext(frames, None)
        if first is None or first.upload is None:
            raise invalid("upload", "the first message must name the upload")
        upload = await self._find(first.upload)
        if upload.state is UploadState.COMMITTED:
            if first.digest and first.digest != upload.digest:
                raise _committed_otherwise(upload)
            return await self._with_progress(upload)
        pump = await self._open(upload)
        try:
            finish = await pump.run(first, frames)
        except BaseException as error:
            await self._release(pump)
            await self._make_room(upload, error)
            raise
        if finish is None:
            await self._release(pump)
            return await self._with_progress(upload)
        # From here on it runs to its end: a caller that goes away now would leave work that nobody takes up.
        task = asyncio.create_task(self._finish(pump, finish))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Waits for the uploads that are being published."""
        if self._finishing:
            await asyncio.wait(self._finishing)

    async def _open(self, upload: Upload) -> "_Pump":
        identity = upload.name.upload
        limits = self._mutations.limits
        if (live := self._live.get(identity)) is not None and live.idle() < limits.writer_stall:
            raise Aborted(
                "another stream is writing this upload; wait for it, or for it to stall",
                reason="UPLOAD_BUSY",
                retry_after=1.0,
            )
        expire_time = self._mutations.later(limits.upload_ttl)
        epoch = await self._mutations.database.write(
            lambda transaction: transaction.uploads.claim(upload.name, expire_time)
        )
        if epoch is None:
            raise _not_found(upload.name)
        failpoints.hit("upload.after_claim")
        try:
            writer = await self._store.open_writer(identity, epoch=epoch)
        except RegistryError as error:
            await self._make_room(upload, error)
            raise
        pump = self._live[identity] = _Pump(replace(upload, epoch=epoch), writer)
        return pump

    async def _release(self, pump: "_Pump") -> None:
        try:
            await pump.close()
        finally:
            if self._live.get(pump.upload.name.upload) is pump:
                del self._live[pump.upload.name.upload]

    async def _make_room(self, upload: Upload, error: BaseException) -> None:
        """After a write that found the disk full, gives back what is staged: kept for a resume, it keeps it full."""
        if isinstance(error, RegistryError) and error.reason == "STORAGE_FULL":
            with suppress(RegistryError):  # the sweep removes it then
                await self._store.discard(upload.name.upload)

    async def _finish(self, pump: "_Pump", frame: Frame) -> Upload:
        upload = pump.upload
        try:
            digest = _declared(upload, frame)
            if pump.writer.position != upload.size:
                text = f"{pump.writer.position} of {upload.size} bytes have arrived; send the rest, then finish"
                raise InvalidArgument(
                    [FieldViolation("finish_write", text)],
                    reason="SIZE_MISMATCH",
                    metadata={"expected": str(upload.size), "actual": str(pump.writer.position)},
                )
            key = BlobKey(digest, upload.generation, upload.size)
            failpoints.hit("finish.before_publish")
            try:
                await pump.writer.publish(key, field="digest")
            except RegistryError as error:
                await self._make_room(upload, error)
                if error.reason == "DIGEST_MISMATCH":
                    await self._mutations.database.write(lambda transaction: transaction.uploads.remove(upload.name))
                raise
            failpoints.hit("finish.after_publish")
            await self._commit(upload, key)
            failpoints.hit("finish.after_commit")
        finally:
            await self._release(pump)
        await self._store.discard(upload.name.upload)
        return await self._with_progress(replace(upload, digest=digest, state=UploadState.COMMITTED))

    async def _commit(self, upload: Upload, key: BlobKey) -> None:
        async def work(transaction: Transaction) -> list[BlobKey]:
            current = await transaction.uploads.find(upload.name, lock=True)
            if current is None:
                raise _not_found(upload.name)
            if current.epoch != upload.epoch:
                raise upload_fenced()
            await transaction.uploads.commit(upload.name, key.digest)
            return await self._blobs.enter(transaction, NamespaceName(upload.name.namespace), [key])

        for surplus in await self._mutations.database.write(work):
            await self._store.remove(surplus)


class _Pump:
    """One live writer of one upload: receives a batch while the last one is hashed and written."""

    def __init__(self, upload: Upload, writer: BlobWriter) -> None:
        self.upload = upload
        self.writer = writer
        self._expected = writer.position
        self._batch: list[Chunk] = []
        self._batch_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._clock = asyncio.get_running_loop().time
        self._moved = self._clock()

    def idle(self) -> float:
        """Seconds since it last received something."""
        return self._clock() - self._moved

    async def run(self, first: Frame, frames: AsyncIterator[Frame]) -> Frame | None:
        """Stages all that comes; the frame that finishes, or None if the stream ended without one."""
        try:
            await self._take(first)
            if first.finish:
                return first
            async for frame in frames:
                await self._take(frame)
                if frame.finish:
                    return frame
            return None
        finally:
            # Also when the stream broke: what did arrive is not asked for again.
            await self._flush()
            await self._written()

    async def _take(self, frame: Frame) -> None:
        self._moved = self._clock()
        if frame.upload is not None and frame.upload != self.upload.name:
            raise invalid("upload", f"the stream began with {self.upload.name}; one stream writes one upload")
        if frame.offset != self._expected:
            raise offset_mismatch(frame.offset, self._expected)
        if self._expected + len(frame.data) > self.upload.size:
            arrived = self._expected + len(frame.data)
            text = f"the upload was started for {self.upload.size} bytes, and {arrived} have arrived"
            raise InvalidArgument(
                [FieldViolation("data", text)],
                reason="SIZE_MISMATCH",
                metadata={"expected": str(self.upload.size), "actual": str(arrived)},
            )
        self._expected += len(frame.data)
        if frame.data:
            self._batch.append(Chunk(frame.data, frame.crc32c))
            self._batch_bytes += len(frame.data)
            if self._batch_bytes >= _BATCH_BYTES:
                await self._flush()

    async def _flush(self) -> None:
        await self._written()
        if self._batch:
            self._writing = asyncio.create_task(self.writer.append(self._batch))
            self._batch, self._batch_bytes = [], 0

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            try:
                await writing
            except BaseException:
                # What came behind the batch that failed has no place to go: the client sends it again.
                self._batch, self._batch_bytes = [], 0
                raise

    async def close(self) -> None:
        await self.writer.close()


def _declared(upload: Upload, frame: Frame) -> str:
    digest = frame.digest or upload.digest
    if not digest:
        raise invalid("digest", "the digest was not declared with StartUpload; declare it with finish_write")
    if upload.digest and upload.digest != digest:
        raise invalid("digest", f"StartUpload declared {upload.digest}, and finish_write {digest}")
    return digest


def _committed_otherwise(upload: Upload) -> FailedPrecondition:
    return FailedPrecondition(
        f"the upload is committed already, as {upload.digest}",
        reason="UPLOAD_COMMITTED",
        metadata={"digest": upload.digest},
    )
