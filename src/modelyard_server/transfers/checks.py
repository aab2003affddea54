"""Checks that the store has the bytes in the database, and no others."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import StrEnum
from typing import Final

from modelyard_server.blobs.store import BlobKey, StoreError
from modelyard_server.calls.errors import RegistryError
from modelyard_server.checking.look import Look
from modelyard_server.db.inspection import Unreadable
from modelyard_server.transfers import inventory

_READ_BYTES: Final = 1 << 20


class Kind(StrEnum):
    """Kinds of faults of stored bytes."""

    STORE_MISMATCH = "STORE_MISMATCH"
    BLOB_NOT_STORED = "BLOB_NOT_STORED"
    BLOB_MISSING = "BLOB_MISSING"
    BLOB_SIZE_WRONG = "BLOB_SIZE_WRONG"
    BLOB_CHANGED = "BLOB_CHANGED"
    UPLOAD_WITHOUT_BLOB = "UPLOAD_WITHOUT_BLOB"
    # A note, not a fault: a server that starts records the store.
    STORE_NOT_RECORDED = "STORE_NOT_RECORDED"
    # Notes, not faults: crashes and unfinished uploads leave these until the sweep.
    BLOB_UNREFERENCED = "BLOB_UNREFERENCED"
    UPLOAD_EXPIRED = "UPLOAD_EXPIRED"
    STAGED_UNREFERENCED = "STAGED_UNREFERENCED"


async def check(look: Look) -> None:
    """Checks that this is the store of the database, the blobs of namespaces, every stored blob, and every upload."""
    await _at_store(look)
    keys: AsyncGenerator[int | Unreadable, None] = look.rows.each(inventory.NAMESPACE_KEYS)
    async with aclosing(keys):
        async for key in keys:
            if isinstance(key, int):  # unreadable rows are reported by the registry's check
                await _at_held(look, key)
    async for blob in look.each("blobs", inventory.LIVE_BLOBS):
        await _at_blob(look, blob)
    await _at_strays(look)
    await _at_uploads(look)


async def _at_store(look: Look) -> None:
    try:
        present = await look.store.identity()
    except StoreError as error:
        look.fault(Kind.STORE_MISMATCH, "store", str(error))
        return
    recorded = await inventory.recorded_store(look.rows)
    if recorded is None:
        if present is not None:
            look.note(Kind.STORE_NOT_RECORDED, "store", f"is {present}; the database has no id of a store")
    elif present != recorded:
        found = "has no id" if present is None else f"is {present}"
        look.fault(Kind.STORE_MISMATCH, "store", f"{found}; the database belongs with {recorded}")


async def _at_held(look: Look, namespace_key: int) -> None:
    async for held in look.each("held blobs", inventory.HELD_BLOBS, of_namespace=namespace_key):
        if held.stored != held.size:
            found = "none" if held.stored is None else f"{held.stored} bytes"
            look.fault(Kind.BLOB_NOT_STORED, held.name, f"of {held.size} bytes; the live publication: {found}")


async def _at_blob(look: Look, key: BlobKey) -> None:
    try:
        size = await look.store.size(key)
    except ValueError as error:
        look.fault(Kind.BLOB_MISSING, key.digest, f"has an invalid key: {error}")
        return
    if size is None:
        look.fault(Kind.BLOB_MISSING, key.digest, "is not in the store")
    elif size != key.size:
        look.fault(Kind.BLOB_SIZE_WRONG, key.digest, f"has {size} bytes in the store, not {key.size}")
    elif look.reads(key.digest):
        await _at_bytes(look, key)


async def _at_bytes(look: Look, key: BlobKey) -> None:
    digest = hashlib.sha256()
    try:
        async with aclosing(look.store.read(key, offset=0, limit=key.size, chunk_bytes=_READ_BYTES)) as batches:
            async for batch in batches:
                for chunk in batch:
                    digest.update(chunk.data)
                look.count("bytes", sum(len(chunk.data) for chunk in batch))
    except RegistryError as error:
        look.fault(Kind.BLOB_CHANGED, key.digest, f"can't be read: {error}")
        return
    if (actual := f"sha256:{digest.hexdigest()}") != key.digest:
        look.fault(Kind.BLOB_CHANGED, key.digest, f"the stored bytes are {actual}")


async def _at_strays(look: Look) -> None:
    async with aclosing(look.store.published()) as batches:
        async for keys in batches:
            known = await inventory.known_blobs(look.rows, keys)
            for key in keys:
                if (key.digest, key.generation) not in known:
                    text = f"{key.size} bytes in the store without a row, as before a commit or after a crash"
                    look.note(Kind.BLOB_UNREFERENCED, f"{key.digest}.{key.generation}", text)


async def _at_uploads(look: Look) -> None:
    # An upload without staged bytes is no fault: it has not begun, or its bytes were wrong and removed.
    async for upload in look.each("uploads", inventory.UPLOADS):
        if upload.blob_lost:
            text = "is committed, but its namespace does not have its blob"
            look.fault(Kind.UPLOAD_WITHOUT_BLOB, upload.name, text)
        if upload.expire_time <= look.now:
            look.note(Kind.UPLOAD_EXPIRED, upload.name, "will be removed by the next sweep")
    async for staged in look.store.staged():
        if not await inventory.known_uploads(look.rows, [staged]):
            text = "staged bytes without an upload; the next sweep removes them"
            look.note(Kind.STAGED_UNREFERENCED, staged, text)
