"""Uploads: sessions that turn a stream into one blob. No other code links published bytes to a row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from prometheus_client import Counter

from modelyard.core.names import NamespaceName, UploadName
from modelyard_server import failpoints
from modelyard_server.blobs.budget import Budget
from modelyard_server.blobs.store import BlobKey, BlobStore
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import (
    Aborted,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotFound,
    RegistryError,
    ResourceExhausted,
    invalid,
    upload_fenced,
)
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations, request_id_reused
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.transfers.blobs.repository import BlobRepository
from modelyard_server.transfers.blobs.service import Blobs, new_generation
from modelyard_server.transfers.uploads.pump import Frame, Pump
from modelyard_server.transfers.uploads.repository import UploadRepository
from modelyard_server.transfers.uploads.values import Upload, UploadState

_RECEIVED_BYTES: Final = 128 << 20
"""Bytes that all uploads together hold in memory. Beyond it each message is written as it comes."""


def _not_found(name: UploadName) -> NotFound:
    return NotFound(
        f"There is no upload {name.upload}. It was cancelled or expired, or its bytes were wrong. Start another.",
        reason="UPLOAD_NOT_FOUND",
        kind="Upload",
        name=str(name),
    )


class Uploads:
    """Starts, writes, finishes and cancels uploads."""

    def __init__(self, mutations: Mutations, blobs: Blobs, store: BlobStore, rehashed: Counter) -> None:
        """``rehashed`` counts the bytes that were read again because their hash was not known."""
        self._rehashed = rehashed
        self._mutations = mutations
        self._blobs = blobs
        self._store = store
        self._live: dict[str, Pump] = {}
        self._received = Budget(_RECEIVED_BYTES)
        self._finishing: set[asyncio.Task[Any]] = set()

    async def start(self, attempt: Attempt, parent: NamespaceName, size: int, digest: str) -> Upload:
        """Opens a session, or returns COMMITTED if the namespace already has the blob, undamaged."""
        limits = self._mutations.limits
        now = self._mutations.clock()
        # The id is derived from the request_id, so that a retry finds its session.
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

        damaged = await self._blobs.damaged.damaged_among(parent, [digest]) if digest else set()

        async def work(transaction: Transaction) -> Upload:
            namespace = await lookup.namespace(transaction, parent, hold=True)
            existing = await UploadRepository(transaction).find(upload.name)
            if existing is not None:
                if existing.size != size or (digest and existing.digest and existing.digest != digest):
                    raise request_id_reused()
                return existing
            held = await BlobRepository(transaction).visible(namespace.key, {digest} - {""} - damaged)
            if held.get(digest) == size:
                until = self._mutations.later(limits.lease_ttl)
                await BlobRepository(transaction).lease(namespace.key, [digest], until)
                committed = replace(upload, state=UploadState.COMMITTED)
                await UploadRepository(transaction).add(committed, namespace.key)
                return committed
            if await UploadRepository(transaction).count_open(namespace.key) >= limits.open_uploads:
                raise ResourceExhausted(
                    f"{parent} has {limits.open_uploads} open uploads, the maximum. Finish or cancel some.",
                    reason="TOO_MANY_UPLOADS",
                    metadata={"limit": str(limits.open_uploads)},
                    retry_after=30.0,
                )
            await UploadRepository(transaction).add(upload, namespace.key)
            return upload

        started = await self._mutations.database.write(work)
        failpoints.hit("upload.after_start")
        return await self._with_progress(started)

    async def get(self, caller: Caller, name: UploadName) -> Upload:
        return await self._with_progress(await self._find(name))

    async def page(
        self, caller: Caller, parent: NamespaceName, *, after: tuple[datetime, str] | None, size: int
    ) -> Page[Upload]:
        """Unfinished uploads, oldest first."""

        async def work(transaction: Transaction) -> Page[Upload]:
            namespace = await lookup.namespace(transaction, parent)
            found = await UploadRepository(transaction).unfinished(namespace.key, after=after, limit=size + 1)
            return Page.of(found, size, lambda upload: (upload.create_time.isoformat(), upload.name.upload))

        page = await self._mutations.database.read(work)
        return page.cut([await self._with_progress(upload) for upload in page.items])

    async def cancel(self, caller: Caller, name: UploadName) -> None:
        upload = await self._find(name)
        await self._mutations.database.write(lambda transaction: UploadRepository(transaction).remove(name))
        failpoints.hit("upload.after_cancel")
        if upload.state is UploadState.OPEN:
            await self._store.discard(name.upload)

    async def _find(self, name: UploadName) -> Upload:
        found = await self._mutations.database.look(lambda transaction: UploadRepository(transaction).find(name))
        if found is None or (found.state is UploadState.OPEN and found.expire_time <= self._mutations.clock()):
            raise _not_found(name)
        return found

    async def _with_progress(self, upload: Upload) -> Upload:
        if upload.state is UploadState.COMMITTED:
            return replace(upload, persisted_size=upload.size)
        identity = upload.name.upload
        return replace(
            upload,
            persisted_size=await self._store.persisted_size(identity),
            rehashed_size=self._store.rehashed_size(identity),
        )

    async def write(self, caller: Caller, frames: AsyncIterator[Frame]) -> Upload:
        """Receives the stream of an upload. Only a frame with ``finish`` commits, because a stream may also be cut."""
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
        # From here on it runs to its end, also if the caller is cancelled: nothing else would finish the work.
        task = asyncio.create_task(self._finish(pump, finish))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Waits for the uploads that are being published."""
        if self._finishing:
            await asyncio.wait(self._finishing)

    async def _open(self, upload: Upload) -> Pump:
        identity = upload.name.upload
        limits = self._mutations.limits
        if (live := self._live.get(identity)) is not None and live.idle() < limits.writer_stall:
            raise Aborted(
                "Another stream is writing this upload. Wait until it ends or stalls.",
                reason="UPLOAD_BUSY",
                retry_after=1.0,
            )
        expire_time = self._mutations.later(limits.upload_ttl)
        epoch = await self._mutations.database.write(
            lambda transaction: UploadRepository(transaction).claim(upload.name, expire_time)
        )
        if epoch is None:
            raise _not_found(upload.name)
        failpoints.hit("upload.after_claim")
        try:
            writer = await self._store.open_writer(identity, epoch=epoch, rehashed=self._rehashed.inc)
        except RegistryError as error:
            await self._make_room(upload, error)
            raise
        pump = self._live[identity] = Pump(replace(upload, epoch=epoch), writer, self._received)
        return pump

    async def _release(self, pump: Pump) -> None:
        try:
            await pump.close()
        finally:
            if self._live.get(pump.upload.name.upload) is pump:
                del self._live[pump.upload.name.upload]

    async def _make_room(self, upload: Upload, error: BaseException) -> None:
        """After a write to a full disk, removes the staged bytes. Otherwise they would keep the disk full."""
        if isinstance(error, RegistryError) and error.reason == "STORAGE_FULL":
            with suppress(RegistryError):  # the sweep removes them later
                await self._store.discard(upload.name.upload)

    async def _finish(self, pump: Pump, frame: Frame) -> Upload:
        upload = pump.upload
        try:
            digest = _declared(upload, frame)
            if pump.writer.position != upload.size:
                text = f"{pump.writer.position} of {upload.size} bytes have arrived. Send the rest, then finish."
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
                    await self._mutations.database.write(
                        lambda transaction: UploadRepository(transaction).remove(upload.name)
                    )
                raise
            failpoints.hit("finish.after_publish")
            await self._commit(upload, key)
            failpoints.hit("finish.after_commit")
        finally:
            await self._release(pump)
        await self._store.discard(upload.name.upload)
        return await self._with_progress(replace(upload, digest=digest, state=UploadState.COMMITTED))

    async def _commit(self, upload: Upload, key: BlobKey) -> None:
        damaged = await self._blobs.damaged.of({key.digest})

        async def work(transaction: Transaction) -> list[BlobKey]:
            current = await UploadRepository(transaction).find(upload.name, lock=True)
            if current is None:
                raise _not_found(upload.name)
            if current.epoch != upload.epoch:
                raise upload_fenced()
            await UploadRepository(transaction).commit(upload.name, key.digest)
            return await self._blobs.enter(transaction, NamespaceName(upload.name.namespace), [key], damaged)

        await self._blobs.clear(await self._mutations.database.write(work), damaged)


def _declared(upload: Upload, frame: Frame) -> str:
    digest = frame.digest or upload.digest
    if not digest:
        raise invalid("digest", "StartUpload declared no digest. Declare it with finish_write.")
    if upload.digest and upload.digest != digest:
        raise invalid("digest", f"StartUpload declared {upload.digest}, but finish_write declares {digest}")
    return digest


def _committed_otherwise(upload: Upload) -> FailedPrecondition:
    return FailedPrecondition(
        f"The upload is already committed as {upload.digest}.",
        reason="UPLOAD_COMMITTED",
        metadata={"digest": upload.digest},
    )
