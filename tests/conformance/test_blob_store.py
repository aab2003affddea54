"""What every store of bytes promises, whatever it is made of.

A driver joins by a line in ``DRIVERS``. Nothing here may know more than the Protocol: a store may, for one, keep less
of an unfinished upload than it was given, as long as it says how much.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import google_crc32c
import pytest
from tests.support.blobs import (
    KIB,
    MIB,
    cancel_after,
    chunks_of,
    finish,
    joined,
    key_of,
    new_upload,
    read_bytes,
    read_chunks,
    some_bytes,
    store_bytes,
)

from modelyard_server.blobs.local import LocalStore
from modelyard_server.blobs.store import BlobKey, BlobStore, BlobWriter, Chunk
from modelyard_server.calls.errors import Aborted, DataLoss, InvalidArgument

OpenStore = Callable[[], Awaitable[BlobStore]]


async def open_local(folder: Path) -> BlobStore:
    return await LocalStore.open(folder / "store")


DRIVERS = [pytest.param(open_local, id="local")]


class Stores:
    """A store, and the means to close it and to open it on the same bytes again, as a server does that restarts."""

    def __init__(self, open_store: OpenStore) -> None:
        self._open_store = open_store
        self._opened: BlobStore | None = None

    async def open(self) -> BlobStore:
        await self.close()
        self._opened = await self._open_store()
        return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.close()


@pytest.fixture(params=DRIVERS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    stores = Stores(lambda: request.param(tmp_path))
    yield stores
    await stores.close()


@pytest.fixture
async def store(stores: Stores) -> BlobStore:
    return await stores.open()


async def staged(store: BlobStore) -> set[str]:
    return {upload async for upload in store.staged()}


async def assert_fenced(writer: BlobWriter) -> None:
    with pytest.raises(Aborted) as append:
        await writer.append(chunks_of(b"more"))
    assert append.value.reason == "UPLOAD_BUSY"
    with pytest.raises(Aborted) as publish:
        await writer.publish(key_of(b"more"), field="digest")
    assert publish.value.reason == "UPLOAD_BUSY"


# Writing and reading back.


@pytest.mark.parametrize("size", [0, 1, 256 * KIB, 256 * KIB + 1, 9 * MIB + 17])
async def test_what_was_written_is_read_back(store: BlobStore, size: int) -> None:
    data = some_bytes(size)

    key = await store_bytes(store, data)

    assert await read_bytes(store, key) == data
    assert await store.size(key) == size


async def test_position_counts_appended_bytes(store: BlobStore) -> None:
    writer = await store.open_writer(new_upload(), epoch=1)
    assert writer.position == 0

    await writer.append(chunks_of(some_bytes(600 * KIB)))
    assert writer.position == 600 * KIB

    await writer.append([])
    await writer.append([Chunk(b"", None), Chunk(b"no checksum", None)])
    assert writer.position == 600 * KIB + 11
    await writer.close()


async def test_chunks_read_are_as_small_as_asked_and_carry_their_checksums(store: BlobStore) -> None:
    data = some_bytes(300 * KIB)
    key = await store_bytes(store, data)

    chunks = await read_chunks(store, key, chunk_bytes=7000)

    assert max(len(chunk.data) for chunk in chunks) <= 7000
    assert [chunk.crc32c for chunk in chunks] == [google_crc32c.value(chunk.data) for chunk in chunks]
    assert joined(chunks) == data


@pytest.mark.parametrize(
    ("offset", "limit"),
    [(0, 1), (0, 10 * MIB), (1, 10 * MIB - 1), (10 * MIB - 1, 1), (4 * MIB - 1, 2), (3 * MIB, 5 * MIB), (17, 0)],
)
async def test_a_range_is_that_range(store: BlobStore, offset: int, limit: int) -> None:
    data = some_bytes(10 * MIB)
    key = await store_bytes(store, data)

    assert joined(await read_chunks(store, key, offset, limit, MIB)) == data[offset : offset + limit]


async def test_the_empty_blob_is_a_blob(store: BlobStore) -> None:
    key = await store_bytes(store, b"")

    assert await store.size(key) == 0
    assert await read_chunks(store, key) == []


async def test_a_published_blob_survives_a_restart(stores: Stores) -> None:
    data = some_bytes(3 * MIB)
    key = await store_bytes(await stores.open(), data)

    assert await read_bytes(await stores.open(), key) == data


async def test_a_reader_may_leave_early(store: BlobStore) -> None:
    data = some_bytes(20 * MIB)
    key = await store_bytes(store, data)

    async with aclosing(store.read(key, offset=0, limit=key.size, chunk_bytes=MIB)) as batches:
        first = await anext(batches)

    assert data.startswith(joined(first))
    assert await read_bytes(store, key) == data


async def test_a_cancelled_reader_leaves_the_blob_readable(store: BlobStore) -> None:
    data = some_bytes(12 * MIB)
    key = await store_bytes(store, data)

    async def read() -> None:
        await read_bytes(store, key)

    for steps in range(12):
        await cancel_after(steps, asyncio.create_task(read()))

    assert await read_bytes(store, key) == data


async def test_sixteen_uploads_at_once_do_not_mix(store: BlobStore) -> None:
    contents = [some_bytes(MIB + number * 1000, seed=number) for number in range(16)]

    keys = await asyncio.gather(*(store_bytes(store, data) for data in contents))

    assert await asyncio.gather(*(read_bytes(store, key) for key in keys)) == contents


# Resuming.


async def test_an_upload_goes_on_where_it_was_closed(store: BlobStore) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    first = await store.open_writer(upload, epoch=1)
    await first.append(chunks_of(data[: 8 * MIB]))
    await first.close()
    persisted = await store.persisted_size(upload)
    assert 0 < persisted <= 8 * MIB

    second = await store.open_writer(upload, epoch=2)
    assert second.position == persisted
    await finish(second, data, key := key_of(data))
    await second.close()

    assert await read_bytes(store, key) == data


async def test_an_upload_goes_on_after_a_restart(stores: Stores) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    store = await stores.open()
    first = await store.open_writer(upload, epoch=1)
    await first.append(chunks_of(data[: 8 * MIB]))
    await first.close()
    persisted = await store.persisted_size(upload)

    store = await stores.open()
    assert await store.persisted_size(upload) == persisted
    second = await store.open_writer(upload, epoch=2)
    assert second.position == persisted
    await finish(second, data, key := key_of(data))
    await second.close()

    assert await read_bytes(store, key) == data


async def test_persisted_size_never_shrinks_while_an_upload_is_written_and_opened_again(store: BlobStore) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    seen = [await store.persisted_size(upload)]
    for epoch in range(1, 4):
        opening = asyncio.create_task(store.open_writer(upload, epoch=epoch))
        while not opening.done():
            seen.append(await store.persisted_size(upload))
            await asyncio.sleep(0)
        writer = opening.result()
        await writer.append(chunks_of(data[writer.position : writer.position + 3 * MIB]))
        seen.append(await store.persisted_size(upload))
        await writer.close()
        seen.append(await store.persisted_size(upload))

    assert seen == sorted(seen)
    assert seen[0] == 0


async def test_nothing_is_persisted_of_an_unknown_upload(store: BlobStore) -> None:
    assert await store.persisted_size(new_upload()) == 0


async def test_closing_a_writer_twice_is_closing_it_once(store: BlobStore) -> None:
    upload = new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.close()
    await writer.close()

    again = await store.open_writer(upload, epoch=1)
    await writer.close()
    await again.append(chunks_of(b"the late close of another did not close this one"))
    await again.close()


# What must not be stored.


async def test_a_damaged_chunk_is_refused_and_those_before_it_are_kept(store: BlobStore) -> None:
    data = some_bytes(MIB)
    good = chunks_of(data)
    writer = await store.open_writer(new_upload(), epoch=1)
    damaged = Chunk(good[2].data, google_crc32c.value(b"other bytes"))

    with pytest.raises(Aborted) as caught:
        await writer.append([good[0], good[1], damaged, good[3]])

    assert caught.value.reason == "CHUNK_CORRUPT"
    assert caught.value.metadata == {"persistedSize": str(512 * KIB)}
    assert writer.position == 512 * KIB
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_an_upload_of_the_wrong_size_is_not_published_and_may_be_completed(store: BlobStore) -> None:
    data = some_bytes(MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    await writer.append(chunks_of(data)[:3])
    key = key_of(data)

    with pytest.raises(InvalidArgument) as caught:
        await writer.publish(key, field="write_offset")

    assert caught.value.reason == "SIZE_MISMATCH"
    assert caught.value.violations[0].field == "write_offset"
    assert (caught.value.metadata["expected"], caught.value.metadata["actual"]) == (str(MIB), str(768 * KIB))
    assert await store.size(key) is None
    await finish(writer, data, key)
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_an_upload_with_another_digest_is_not_published_and_gone(store: BlobStore) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    writer = await store.open_writer(upload, epoch=1)
    key = key_of(data)

    with pytest.raises(InvalidArgument) as caught:
        await finish(writer, damaged, key)

    assert caught.value.reason == "DIGEST_MISMATCH"
    assert caught.value.violations[0].field == "digest"
    assert caught.value.metadata["expected"] == key.digest
    assert caught.value.metadata["actual"] == key_of(damaged).digest
    assert await store.size(key) is None
    assert await store.persisted_size(upload) == 0
    await writer.close()
    again = await store.open_writer(upload, epoch=2)
    assert again.position == 0
    await finish(again, data, key)
    await again.close()
    assert await read_bytes(store, key) == data


# One writer at a time.


async def test_a_later_epoch_fences_the_writer_before(store: BlobStore) -> None:
    data, upload = some_bytes(MIB), new_upload()
    older = await store.open_writer(upload, epoch=1)
    await older.append(chunks_of(data)[:2])

    newer = await store.open_writer(upload, epoch=2)

    await assert_fenced(older)
    await older.close()
    await finish(newer, data, key := key_of(data))
    await newer.close()
    assert await read_bytes(store, key) == data


@pytest.mark.parametrize("epoch", [1, 2])
async def test_no_epoch_but_a_later_one_takes_an_open_upload_over(store: BlobStore, epoch: int) -> None:
    upload = new_upload()
    writer = await store.open_writer(upload, epoch=2)

    with pytest.raises(Aborted) as caught:
        await store.open_writer(upload, epoch=epoch)

    assert caught.value.reason == "UPLOAD_BUSY"
    await writer.append(chunks_of(b"still the one"))
    await writer.close()


async def test_of_many_that_open_an_upload_at_once_the_last_epoch_wins(store: BlobStore) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    first = await store.open_writer(upload, epoch=1)
    await first.append(chunks_of(data[: 8 * MIB]))

    outcomes = await asyncio.gather(
        *(store.open_writer(upload, epoch=epoch) for epoch in (2, 4, 3, 6, 5)), return_exceptions=True
    )

    *_, winner, late = outcomes
    assert isinstance(late, Aborted)
    assert not isinstance(winner, BaseException)
    await assert_fenced(first)
    await first.close()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, Aborted)
        elif outcome is not winner:
            await assert_fenced(outcome)
            await outcome.close()
    await finish(winner, data, key := key_of(data))
    await winner.close()
    assert await read_bytes(store, key) == data


async def test_a_takeover_in_the_middle_of_an_append_harms_nothing(store: BlobStore) -> None:
    data, upload = some_bytes(8 * MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    for epoch in range(2, 10):
        appending = asyncio.create_task(writer.append(chunks_of(data[writer.position :])[:4]))
        for _ in range(epoch):
            await asyncio.sleep(0)
        newer = await store.open_writer(upload, epoch=epoch)
        await asyncio.wait((appending,))
        if (error := appending.exception()) is not None:
            assert isinstance(error, Aborted)
        await assert_fenced(writer)
        await writer.close()
        writer = newer

    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_discarding_forgets_the_bytes_and_fences_the_writer(store: BlobStore) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    writer = await store.open_writer(upload, epoch=5)
    await writer.append(chunks_of(data))

    await store.discard(upload)
    await store.discard(upload)

    await assert_fenced(writer)
    assert await store.persisted_size(upload) == 0
    assert upload not in await staged(store)
    again = await store.open_writer(upload, epoch=1)
    await writer.close()
    assert again.position == 0
    await finish(again, data, key := key_of(data))
    await again.close()
    assert await read_bytes(store, key) == data


async def test_what_is_staged_can_be_listed_until_it_is_discarded(stores: Stores) -> None:
    store = await stores.open()
    uploads = {new_upload() for _ in range(5)}
    for upload in uploads:
        writer = await store.open_writer(upload, epoch=1)
        await writer.append(chunks_of(some_bytes(6 * MIB)))
        await writer.close()

    store = await stores.open()
    assert await staged(store) == uploads

    for upload in uploads:
        await store.discard(upload)
    assert await staged(store) == set()


@pytest.mark.parametrize("first_steps", range(8))
async def test_appends_that_are_cancelled_leave_a_true_prefix(store: BlobStore, first_steps: int) -> None:
    data, upload = some_bytes(8 * MIB), new_upload()
    for epoch, steps in enumerate(range(first_steps, 40, 8), start=1):
        writer = await store.open_writer(upload, epoch=epoch)
        before = writer.position
        batch = chunks_of(data[before:])[:4]
        await cancel_after(steps, asyncio.create_task(writer.append(batch)))
        assert before <= writer.position <= before + sum(len(chunk.data) for chunk in batch)
        await writer.close()

    writer = await store.open_writer(upload, epoch=1000)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_writer_goes_on_after_an_append_that_was_cancelled(store: BlobStore) -> None:
    data = some_bytes(8 * MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    for steps in range(12):
        await cancel_after(steps, asyncio.create_task(writer.append(chunks_of(data[writer.position :])[:2])))

    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_an_opening_that_is_cancelled_leaves_the_upload_free(store: BlobStore) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.append(chunks_of(data[: 8 * MIB]))
    await writer.close()

    async def open_and_close() -> None:
        await (await store.open_writer(upload, epoch=1)).close()

    for steps in range(16):
        await cancel_after(steps, asyncio.create_task(open_and_close()))

    writer = await store.open_writer(upload, epoch=1)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


# Publications.


async def test_publishing_twice_is_publishing_once(store: BlobStore) -> None:
    data = some_bytes(MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    await finish(writer, data, key := key_of(data))

    await writer.publish(key, field="digest")

    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_finish_that_is_retried_after_a_restart_publishes_the_same(stores: Stores) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    store = await stores.open()
    first = await store.open_writer(upload, epoch=1)
    await finish(first, data, key := key_of(data))
    await first.close()

    store = await stores.open()
    second = await store.open_writer(upload, epoch=2)
    await finish(second, data, key)
    await second.close()
    await store.discard(upload)

    assert await read_bytes(store, key) == data


async def test_a_published_blob_takes_no_more_bytes(store: BlobStore) -> None:
    data = some_bytes(MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    await finish(writer, data, key := key_of(data))

    with pytest.raises(Aborted):
        await writer.append(chunks_of(b"more"))

    await writer.close()
    assert await read_bytes(store, key) == data


async def test_discarding_an_upload_keeps_its_published_blob(store: BlobStore) -> None:
    data, upload = some_bytes(MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await finish(writer, data, key := key_of(data))
    await store.discard(upload)
    await writer.close()

    assert await read_bytes(store, key) == data


async def test_removing_one_publication_leaves_the_others_of_the_same_bytes(store: BlobStore) -> None:
    data = some_bytes(MIB)
    older, newer = await store_bytes(store, data), await store_bytes(store, data)

    await store.remove(older)
    await store.remove(older)

    assert await store.size(older) is None
    assert await read_bytes(store, newer) == data


async def test_a_blob_that_is_missing_is_reported_as_damage(store: BlobStore) -> None:
    key = key_of(b"never stored")

    assert await store.size(key) is None
    with pytest.raises(DataLoss) as caught:
        await read_bytes(store, key)
    assert caught.value.reason == "BLOB_CORRUPT"
    assert caught.value.metadata == {"digest": key.digest}


async def test_damage_is_found_without_reading(store: BlobStore) -> None:
    parts = [await store_bytes(store, data) for data in (b"ab", b"cd")]
    small, whole = key_of(b"small"), key_of(b"abcd")
    await store.put([(small, b"small")])
    await store.compose(whole, parts, field="blob")
    missing, longer = key_of(b"missing"), BlobKey(small.digest, small.generation, small.size + 1)

    assert await store.find_damaged([*parts, small, whole]) == {}
    assert await store.find_damaged([small, missing, longer]) == {missing: "missing", longer: "resized"}


async def test_a_blob_of_another_size_is_reported_as_damage(store: BlobStore) -> None:
    key = await store_bytes(store, some_bytes(MIB))

    with pytest.raises(DataLoss):
        await read_bytes(store, BlobKey(key.digest, key.generation, key.size + 1))


async def listed(store: BlobStore) -> list[BlobKey]:
    return sorted([key async for keys in store.published() for key in keys], key=str)


async def test_every_publication_is_listed_with_its_size(stores: Stores) -> None:
    store = await stores.open()
    assert await listed(store) == []
    uploaded = await store_bytes(store, some_bytes(MIB))
    small = [key_of(some_bytes(size, seed=size)) for size in (0, 1, 100)]
    await store.put([(key, some_bytes(key.size, seed=key.size)) for key in small])
    again, removed = await store_bytes(store, some_bytes(MIB)), await store_bytes(store, some_bytes(MIB, seed=1))
    await store.remove(removed)
    writer = await store.open_writer(new_upload(), epoch=1)
    await writer.append(chunks_of(b"not published"))
    await writer.close()

    assert await listed(store) == sorted([uploaded, again, *small], key=str)
    assert await listed(await stores.open()) == sorted([uploaded, again, *small], key=str)


async def test_publications_may_go_while_they_are_listed(store: BlobStore) -> None:
    blobs = [(key_of(data), data) for data in (bytes([number]) for number in range(40))]
    await store.put(blobs)

    async def remove_all() -> None:
        for key, _ in blobs:
            await store.remove(key)

    removing = asyncio.create_task(remove_all())
    while not removing.done():
        assert set(await listed(store)) <= {key for key, _ in blobs}
    await removing
    assert await listed(store) == []


async def test_who_leaves_a_listing_early_may_list_again(store: BlobStore) -> None:
    key = await store_bytes(store, b"x")

    async with aclosing(store.published()) as batches:
        assert list(await anext(batches)) == [key]

    assert await listed(store) == [key]


async def test_small_blobs_are_put_together(store: BlobStore) -> None:
    contents = [some_bytes(size, seed=size) for size in (0, 1, 100, 5000, 70_000)]
    blobs = [(key_of(data), data) for data in contents]

    await store.put(blobs)
    await store.put(blobs)
    await store.put([])

    assert [await read_bytes(store, key) for key, _ in blobs] == contents


async def test_small_blobs_are_got_together(store: BlobStore) -> None:
    contents = [some_bytes(size, seed=size) for size in (70_000, 0, 1)]
    keys = [await store_bytes(store, data) for data in contents]

    got = await store.get([*keys, keys[0]])

    assert [chunk.data for chunk in got] == [*contents, contents[0]]
    assert [chunk.crc32c for chunk in got[:3]] == [google_crc32c.value(data) for data in contents]
    assert list(await store.get([])) == []


async def test_a_missing_small_blob_is_reported(store: BlobStore) -> None:
    kept, gone = [await store_bytes(store, some_bytes(100, seed=seed)) for seed in (1, 2)]
    await store.remove(gone)

    with pytest.raises(DataLoss):
        await store.get([kept, gone])


# Composition.


async def test_parts_are_joined_in_order(store: BlobStore) -> None:
    contents = [some_bytes(size, seed=size) for size in (6 * MIB, 5 * MIB, 0, 5 * MIB + 3, 10)]
    parts = [await store_bytes(store, data) for data in contents]
    whole = b"".join(contents)

    await store.compose(key := key_of(whole), parts, field="blob")

    assert await read_bytes(store, key) == whole
    assert await read_bytes(store, parts[0]) == contents[0]


async def test_one_part_may_be_used_twice_and_the_composition_repeated(store: BlobStore) -> None:
    part = await store_bytes(store, some_bytes(MIB))
    key = key_of(some_bytes(MIB) * 2)

    await store.compose(key, [part, part], field="blob")
    await store.compose(key, [part, part], field="blob")

    assert await read_bytes(store, key) == some_bytes(MIB) * 2


@pytest.mark.parametrize("position", [0, 1])
async def test_a_missing_part_is_reported_as_damage(store: BlobStore, position: int) -> None:
    part, missing = await store_bytes(store, some_bytes(MIB)), key_of(some_bytes(MIB, seed=1))
    parts = [part]
    parts.insert(position, missing)
    key = key_of(some_bytes(2 * MIB))

    with pytest.raises(DataLoss) as caught:
        await store.compose(key, parts, field="blob")

    assert caught.value.metadata == {"digest": missing.digest}
    assert await store.size(key) is None


async def test_a_composition_of_another_size_is_refused(store: BlobStore) -> None:
    part = await store_bytes(store, some_bytes(MIB))
    key = key_of(some_bytes(MIB + 1))

    with pytest.raises(InvalidArgument) as caught:
        await store.compose(key, [part], field="blob.size_bytes")

    assert caught.value.reason == "SIZE_MISMATCH"
    assert caught.value.violations[0].field == "blob.size_bytes"
    assert await store.size(key) is None


async def test_a_composition_with_another_digest_is_refused(store: BlobStore) -> None:
    first, second = await store_bytes(store, some_bytes(MIB)), await store_bytes(store, some_bytes(MIB, seed=1))
    key = key_of(some_bytes(MIB) + some_bytes(MIB, seed=1))

    with pytest.raises(InvalidArgument) as caught:
        await store.compose(key, [second, first], field="blob")

    assert caught.value.reason == "DIGEST_MISMATCH"
    assert caught.value.metadata["expected"] == key.digest
    assert await store.size(key) is None


async def test_a_composition_that_is_cancelled_can_be_repeated(store: BlobStore) -> None:
    data = some_bytes(6 * MIB)
    part = await store_bytes(store, data)
    key = key_of(data * 2)

    for steps in range(0, 24, 2):
        await cancel_after(steps, asyncio.create_task(store.compose(key, [part, part], field="blob")))
    await store.compose(key, [part, part], field="blob")

    assert await read_bytes(store, key) == data * 2


# Its id.


async def test_a_new_store_has_no_id(store: BlobStore) -> None:
    assert await store.identity() is None


async def test_a_store_keeps_the_first_id_that_it_was_given(stores: Stores) -> None:
    first, second = "1" * 32, "2" * 32
    store = await stores.open()

    assert await store.identify(first) == first
    assert await store.identify(second) == first

    assert await (await stores.open()).identity() == first


async def test_bytes_come_and_go_and_the_id_stays(store: BlobStore) -> None:
    await store.identify("1" * 32)

    await store.remove(await store_bytes(store, b"some"))

    assert await store.identity() == "1" * 32
