"""Finds the blobs of a namespace, and stores small blobs."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from modelyard.core.names import NamespaceName
from modelyard_server import failpoints
from modelyard_server.blobs.store import BlobKey, BlobStore, Damage
from modelyard_server.calls.caller import Caller
from modelyard_server.calls.errors import (
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    PreconditionViolation,
    RegistryError,
    digest_mismatch,
)
from modelyard_server.calls.limits import Limits
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry import lookup
from modelyard_server.transfers.blobs.damage import DamagedBlobs
from modelyard_server.transfers.blobs.repository import BlobRepository
from modelyard_server.transfers.blobs.values import BlobRef


@dataclass(frozen=True, slots=True)
class Found:
    missing: list[BlobRef]
    known_sizes: list[int]
    lease_expire_time: datetime


def new_generation() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Blobs:
    mutations: Mutations
    store: BlobStore
    damaged: DamagedBlobs

    @property
    def _database(self) -> Database:
        return self.mutations.database

    @property
    def _limits(self) -> Limits:
        return self.mutations.limits

    async def find_missing(
        self, caller: Caller, parent: NamespaceName, blobs: Sequence[BlobRef], sizes: Sequence[int]
    ) -> Found:
        """Finds blobs of this namespace only, and renews their lease. Damaged blobs are missing."""
        damaged = await self.damaged.damaged_among(parent, {blob.digest for blob in blobs}) if blobs else set()
        until = self.mutations.later(self._limits.lease_ttl)

        async def work(transaction: Transaction) -> Found:
            namespace = await lookup.namespace(transaction, parent)
            held = await BlobRepository(transaction).visible(namespace.key, {blob.digest for blob in blobs})
            present = {blob.digest for blob in blobs if held.get(blob.digest) == blob.size} - damaged
            if present:
                await BlobRepository(transaction).lease(namespace.key, present, until)
            known = await BlobRepository(transaction).known_sizes(namespace.key, set(sizes)) if sizes else set()
            return Found(
                missing=[blob for blob in blobs if blob.digest not in present],
                known_sizes=[size for size in sizes if size in known],
                lease_expire_time=until,
            )

        return await (self._database.write(work) if blobs else self._database.read(work))

    async def write_batch(
        self, caller: Caller, parent: NamespaceName, items: Sequence[tuple[BlobRef, bytes]]
    ) -> list[RegistryError | None]:
        """Stores small blobs. Returns in order an error, or None for a stored blob."""
        await self._database.look(lambda transaction: lookup.namespace(transaction, parent))
        results = await asyncio.to_thread(_verify, items)
        good = {
            blob.digest: (BlobKey(blob.digest, new_generation(), blob.size), data)
            for (blob, data), error in zip(items, results, strict=True)
            if error is None
        }
        if good:
            await self.store.put(list(good.values()))
            failpoints.hit("batch.after_publish")
            await self.adopt(parent, [key for key, _ in good.values()])
        return results

    async def adopt(self, parent: NamespaceName, keys: Sequence[BlobKey]) -> None:
        """Records published blobs for a namespace. If the digest is already published, one of the copies is removed:
        the older one if it is damaged, else the new one.

        A namespace can't observe the difference: in each case it sent all bytes, and they were hashed and written.
        """
        damaged = await self.damaged.of({key.digest for key in keys})

        async def work(transaction: Transaction) -> list[BlobKey]:
            return await self.enter(transaction, parent, keys, damaged)

        await self.clear(await self._database.write(work), damaged)

    async def clear(self, surplus: Sequence[BlobKey], damaged: Mapping[BlobKey, Damage]) -> None:
        """Removes the copies that :meth:`enter` returned."""
        self.damaged.count_healed([key for key in surplus if key in damaged])
        for key in surplus:
            await self.store.remove(key)

    async def enter(
        self,
        transaction: Transaction,
        parent: NamespaceName,
        keys: Sequence[BlobKey],
        damaged: Mapping[BlobKey, Damage],
    ) -> list[BlobKey]:
        """The same as :meth:`adopt`, within a transaction. Returns the copies for :meth:`clear` after the commit."""
        namespace = await lookup.namespace(transaction, parent)
        now, until = self.mutations.clock(), self.mutations.later(self._limits.lease_ttl)
        # In the same order everywhere, so that two transactions can't deadlock.
        keys = sorted(keys, key=lambda key: key.digest)
        blobs = BlobRepository(transaction)
        if damaged:
            before = await blobs.live({key.digest for key in damaged})
            # Another push may have replaced one meanwhile. A retry after a crash may find its own.
            stale = set(before.values()) - set(keys)
            damaged = {key: damage for key, damage in damaged.items() if key in stale}
            # Only to namespaces that had the blob: to others it would tell what is in the rest of the registry.
            held = await blobs.visible(namespace.key, {key.digest for key in damaged})
            known = {key: damage for key, damage in damaged.items() if key.digest in held}
            self.damaged.record_healing(transaction, parent, namespace.key, known)
            await blobs.drop(damaged.keys())
        await blobs.add(keys, now)
        live = await blobs.live({key.digest for key in keys})
        await blobs.grant(namespace.key, keys, at=now, until=until)
        return [*damaged, *(key for key in keys if live.get(key.digest) != key)]

    async def compose(
        self, caller: Caller, parent: NamespaceName, whole: BlobRef, parts: Sequence[BlobRef]
    ) -> AsyncGenerator[int, None]:
        """Joins blobs of the namespace into one. Yields the number of hashed bytes every few seconds."""
        _check_sum(whole, parts)
        damaged = await self.damaged.damaged_among(parent, {whole.digest, *(part.digest for part in parts)})

        async def work(transaction: Transaction) -> tuple[bool, list[BlobKey]]:
            namespace = await lookup.namespace(transaction, parent)
            digests = {part.digest for part in parts}
            held = await BlobRepository(transaction).visible(namespace.key, digests | {whole.digest})
            held = {digest: size for digest, size in held.items() if digest not in damaged}
            _check_parts(parts, held)
            live = await BlobRepository(transaction).live(digests)
            keys = [live[part.digest] for part in parts if part.digest in live]
            return held.get(whole.digest) == whole.size, keys

        present, keys = await self._database.read(work)
        if present:
            return
        key = BlobKey(whole.digest, new_generation(), whole.size)
        failpoints.hit("compose.before_publish")
        async with aclosing(self._composing(key, keys)) as composing:
            async for hashed in composing:
                yield hashed
        failpoints.hit("compose.after_publish")
        await self.adopt(parent, [key])

    async def _composing(self, key: BlobKey, parts: Sequence[BlobKey]) -> AsyncGenerator[int, None]:
        hashed = 0

        def note(position: int) -> None:
            nonlocal hashed
            hashed = position

        task = asyncio.create_task(self.store.compose(key, parts, field="blob.digest", progress=note))
        try:
            while not (await asyncio.wait([task], timeout=self._limits.compose_progress))[0]:
                yield hashed
            await task
        finally:
            task.cancel()
            await asyncio.wait([task])


def _verify(items: Sequence[tuple[BlobRef, bytes]]) -> list[RegistryError | None]:
    results: list[RegistryError | None] = []
    for index, (blob, data) in enumerate(items):
        if len(data) != blob.size:
            field = f"items[{index}].blob.size_bytes"
            text = f"the data has {len(data)} bytes, not {blob.size}"
            results.append(
                InvalidArgument(
                    [FieldViolation(field, text)],
                    reason="SIZE_MISMATCH",
                    metadata={"expected": str(blob.size), "actual": str(len(data))},
                )
            )
            continue
        actual = f"sha256:{hashlib.sha256(data).hexdigest()}"
        same = actual == blob.digest
        results.append(None if same else digest_mismatch(f"items[{index}].blob.digest", blob.digest, actual))
    return results


def _check_sum(whole: BlobRef, parts: Sequence[BlobRef]) -> None:
    total = sum(part.size for part in parts)
    if total != whole.size:
        text = f"the parts have {total} bytes in total, not {whole.size}"
        raise InvalidArgument(
            [FieldViolation("blob.size_bytes", text)],
            reason="SIZE_MISMATCH",
            metadata={"expected": str(whole.size), "actual": str(total)},
        )


def _check_parts(parts: Sequence[BlobRef], held: dict[str, int]) -> None:
    missing = sorted({(part.digest, part.size) for part in parts if held.get(part.digest) != part.size})
    if missing:
        raise FailedPrecondition(
            f"{len(missing)} of the parts are not stored in this namespace. Upload them, then compose again.",
            reason="MISSING_BLOBS",
            violations=[
                PreconditionViolation("MISSING", f"blobs/{digest}/{size}", "not stored in this namespace")
                for digest, size in missing
            ],
            metadata={"missingCount": str(len(missing))},
        )
