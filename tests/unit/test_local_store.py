"""What is particular to the store in a folder: its files, its durability, and what a failing disk does to it."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from itertools import groupby
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.blobs import (
    KIB,
    MIB,
    cancel_after,
    chunks_of,
    finish,
    key_of,
    new_upload,
    read_bytes,
    some_bytes,
    store_bytes,
)

from modelyard_server.blobs import checksums, local, sha256
from modelyard_server.blobs import staging as staging_module
from modelyard_server.blobs.local import LocalStore
from modelyard_server.blobs.resuming import HashedPrefix, HashedPrefixes
from modelyard_server.blobs.store import BlobKey, Chunk
from modelyard_server.calls.errors import (
    Aborted,
    DataLoss,
    InvalidArgument,
    RegistryError,
    ResourceExhausted,
    Unavailable,
)

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "store"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[LocalStore]:
    store = await LocalStore.open(root)
    yield store
    await store.close()


def published(root: Path, key: BlobKey) -> Path:
    digits = key.digest.removeprefix("sha256:")
    return root / "blobs" / "sha256" / digits[:2] / f"{digits}.{key.generation}"


def cut(path: Path, size: int) -> None:
    path.chmod(0o600)
    os.truncate(path, size)


def staging(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "staging").iterdir())


def open_files() -> set[str]:
    """What this process has open, of files and folders."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:  # the descriptor that lists the folder
            continue
    return {path for path in found if path.startswith("/") and not path.startswith(("/dev", "/proc"))}


class Fault:
    """Makes the n-th call of a function of ``os`` fail, and all after it, until it is healed."""

    def __init__(self, real: Callable[..., int | None], number: int, after: int) -> None:
        self._real = real
        self._number = number
        self._after = after
        self.calls = 0
        self.healed = False

    def __call__(self, *args: object) -> int | None:
        self.calls += 1
        if not self.healed and self.calls > self._after:
            raise OSError(self._number, os.strerror(self._number), "/secret/path")
        return self._real(*args)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fault]:
    def install(name: str, number: int, after: int = 0) -> Fault:
        fault = Fault(getattr(os, name), number, after)
        monkeypatch.setattr(os, name, fault)
        return fault

    return install


class Gate:
    """Lets some calls of a function of ``os`` pass, then holds them in their thread until it is opened."""

    def __init__(self, real: Callable[..., int | bytes], free: int) -> None:
        self._real = real
        self._free = free
        self._entered = threading.Event()
        self._released = threading.Event()

    def __call__(self, *args: object) -> int | bytes:
        self._free -= 1
        if self._free < 0:
            self._entered.set()
            assert self._released.wait(30)
        return self._real(*args)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 30)

    def release(self) -> None:
        self._released.set()


@contextmanager
def gate(name: str, free: int = 0) -> Iterator[Gate]:
    with pytest.MonkeyPatch.context() as patch:
        held = Gate(getattr(os, name), free)
        patch.setattr(os, name, held)
        try:
            yield held
        finally:
            held.release()


def _leave_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Pretends that the disk has ``size`` free bytes."""
    real = os.statvfs

    def statvfs(path: Path) -> os.statvfs_result:
        fields = list(real(path))
        fields[4] = size // fields[1]  # f_bavail, in units of f_frsize
        return os.statvfs_result(fields)

    monkeypatch.setattr(os, "statvfs", statvfs)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# Files.


async def test_folders_are_private_and_blobs_read_only(store: LocalStore, root: Path) -> None:
    key = await store_bytes(store, some_bytes(MIB))
    small = key_of(b"small")
    await store.put([(small, b"small")])

    for folder in (root, root / "staging", root / "blobs", published(root, key).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for blob in (key, small):
        assert stat.S_IMODE(published(root, blob).stat().st_mode) == 0o444
    assert published(root, key).read_bytes() == some_bytes(MIB)


async def test_nothing_but_blobs_is_left_when_all_is_done(store: LocalStore, root: Path) -> None:
    part = await store_bytes(store, some_bytes(MIB))
    await store.put([(key_of(b"small"), b"small")])
    await store.compose(key_of(some_bytes(MIB) * 2), [part, part], field="blob")
    with pytest.raises(RegistryError):
        await store.compose(key_of(some_bytes(2 * MIB)), [part, part], field="blob")
    with pytest.raises(DataLoss):
        await store.compose(key_of(some_bytes(2 * MIB)), [part, key_of(some_bytes(MIB, seed=1))], field="blob")
    for steps in range(10):
        composing = store.compose(key_of(some_bytes(MIB) * 3), [part] * 3, field="blob")
        await cancel_after(steps, asyncio.create_task(composing))

    assert staging(root) == []


async def test_opening_removes_unfinished_files_but_no_upload(store: LocalStore, root: Path) -> None:
    upload = new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.append(chunks_of(b"some bytes"))
    await writer.close()
    (root / "staging" / "tmp-0123").write_bytes(b"half a blob")

    again = await LocalStore.open(root)

    assert await again.persisted_size(upload) == 10
    assert staging(root) == [upload, f"{upload}.mark"]
    await again.close()


async def test_an_upload_of_which_only_the_mark_is_left_is_listed_and_discarded(store: LocalStore, root: Path) -> None:
    upload = new_upload()
    await (await store.open_writer(upload, epoch=1)).close()
    (root / "staging" / upload).unlink()

    assert [found async for found in store.staged()] == [upload]

    await store.discard(upload)
    assert staging(root) == []


UPLOAD = "0c9bd6f8-3a55-4d0e-9a3f-6d2f0a9c11ee"


@pytest.mark.parametrize("upload", ["", "..", "../../etc/passwd", "tmp-1", UPLOAD.upper(), f"{UPLOAD}/", f"{UPLOAD}\n"])
async def test_an_id_that_leads_elsewhere_is_never_made_a_path(store: LocalStore, root: Path, upload: str) -> None:
    for call in (store.open_writer(upload, epoch=1), store.persisted_size(upload), store.discard(upload)):
        with pytest.raises(ValueError, match="upload id"):
            await call
    assert staging(root) == []


@pytest.mark.parametrize(
    "key",
    [
        BlobKey("sha256:" + "../" * 21 + "x", "0" * 32, 1),
        BlobKey("md5:" + "0" * 32, "0" * 32, 1),
        BlobKey("sha256:" + "0" * 64, "../" + "0" * 29, 1),
    ],
)
async def test_a_key_that_leads_elsewhere_is_never_made_a_path(store: LocalStore, key: BlobKey) -> None:
    for call in (store.size(key), store.remove(key), store.put([(key, b"x")]), store.compose(key, [key], field="blob")):
        with pytest.raises(ValueError, match=r"Invalid digest|is not a generation"):
            await call


async def test_a_blob_that_was_cut_is_reported_as_damage(store: LocalStore, root: Path) -> None:
    key = await store_bytes(store, some_bytes(9 * MIB))
    cut(published(root, key), 8 * MIB)

    with pytest.raises(DataLoss):
        await read_bytes(store, key)
    with pytest.raises(DataLoss):
        await store.compose(key_of(some_bytes(9 * MIB)), [key], field="blob")


async def test_a_blob_that_is_cut_while_it_is_read_is_reported_as_damage(store: LocalStore, root: Path) -> None:
    key = await store_bytes(store, some_bytes(20 * MIB))

    async with aclosing(store.read(key, offset=0, limit=key.size, chunk_bytes=MIB)) as batches:
        await anext(batches)
        cut(published(root, key), 10 * MIB)
        with pytest.raises(DataLoss):
            async for _ in batches:
                pass


@needs_linux
async def test_no_file_stays_open(store: LocalStore) -> None:
    data, upload = some_bytes(9 * MIB), new_upload()
    before = open_files()
    key = await store_bytes(store, data)
    for steps in range(10):
        await cancel_after(steps, asyncio.create_task(read_all(store, key)))
        await cancel_after(steps, asyncio.create_task(store.compose(key_of(data * 2), [key, key], field="blob")))
        writer = await store.open_writer(upload, epoch=1)
        await cancel_after(steps, asyncio.create_task(writer.append(chunks_of(data))))
        await cancel_after(steps, asyncio.create_task(store.discard(upload)))
        await writer.close()
    async with aclosing(store.read(key, offset=0, limit=key.size, chunk_bytes=MIB)) as batches:
        await anext(batches)
    with pytest.raises(DataLoss):
        await read_bytes(store, key_of(b"missing"))

    assert open_files() == before


async def read_all(store: LocalStore, key: BlobKey) -> None:
    await read_bytes(store, key)


async def test_the_event_loop_never_hashes(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    first, checksum = sha256.new_sha256, checksums.crc32c

    class Watched:
        def __init__(self) -> None:
            self._hash = first()

        def __getattr__(self, name: str) -> object:
            if name in {"update", "digest"}:
                threads.add(threading.get_ident())
            return getattr(self._hash, name)

    def watched_checksum(data: bytes) -> int:
        threads.add(threading.get_ident())
        return checksum(data)

    monkeypatch.setattr(staging_module, "new_sha256", Watched)
    monkeypatch.setattr(checksums, "crc32c", watched_checksum)
    key = await store_bytes(store, some_bytes(MIB))
    await store.compose(key_of(some_bytes(MIB)), [key], field="blob")
    await read_bytes(store, key)

    assert threads
    assert threading.get_ident() not in threads


# After a crash.


async def test_what_a_killed_process_had_appended_is_still_there(store: LocalStore, root: Path) -> None:
    data, upload = some_bytes(3 * MIB), new_upload()
    script = f"""
import asyncio, os, signal
from pathlib import Path
from modelyard_server.blobs.local import LocalStore
from tests.support.blobs import chunks_of, some_bytes

async def main():
    store = await LocalStore.open(Path({str(root)!r}))
    writer = await store.open_writer({upload!r}, epoch=1)
    await writer.append(chunks_of(some_bytes({3 * MIB})[:{2 * MIB}]))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -signal.SIGKILL

    assert await store.persisted_size(upload) == 2 * MIB
    writer = await store.open_writer(upload, epoch=2)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


def pretend_reboot(root: Path, upload: str) -> None:
    """Makes an upload's mark one of another boot of the machine."""
    mark = root / "staging" / f"{upload}.mark"
    _, durable, *state = mark.read_text().split()
    mark.write_text(" ".join(["another-boot", durable, *state]))


async def test_only_synced_bytes_of_an_upload_count_after_a_reboot(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "FLUSH_BYTES", MIB)
    data, upload = some_bytes(4 * MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.append(chunks_of(data[: 1280 * KIB]))
    await writer.close()  # waits for the sync that the append began
    monkeypatch.undo()
    writer = await store.open_writer(upload, epoch=2)
    await writer.append(chunks_of(data[1280 * KIB : 2 * MIB]))
    await writer.close()
    assert await store.persisted_size(upload) == 2 * MIB

    pretend_reboot(root, upload)
    with (root / "staging" / upload).open("r+b") as staged:
        staged.seek(1280 * KIB)
        staged.write(bytes(768 * KIB))  # blocks that were allotted but never written

    assert await store.persisted_size(upload) == 1280 * KIB
    await (await store.open_writer(upload, epoch=3)).close()
    assert await store.persisted_size(upload) == 1280 * KIB
    writer = await store.open_writer(upload, epoch=4)
    assert writer.position == 1280 * KIB
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


@pytest.mark.parametrize("mark", [None, "", "garbage", "boot -", "another-boot 0\n"])
async def test_of_an_upload_without_a_good_mark_nothing_is_believed(
    store: LocalStore, root: Path, mark: str | None
) -> None:
    data, upload = some_bytes(MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.append(chunks_of(data))
    await writer.close()
    path = root / "staging" / f"{upload}.mark"
    path.unlink() if mark is None else path.write_text(mark)

    assert await store.persisted_size(upload) == 0
    writer = await store.open_writer(upload, epoch=2)
    assert writer.position == 0
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_published_blob_is_not_cut_when_its_upload_is_opened_after_the_machine_restarted(
    store: LocalStore, root: Path
) -> None:
    data, upload = some_bytes(MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    pretend_reboot(root, upload)

    assert await store.persisted_size(upload) == MIB
    writer = await store.open_writer(upload, epoch=2)
    with pytest.raises(Aborted):
        await writer.append(chunks_of(b"more"))
    await writer.publish(key, field="digest")
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_blob_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_reply(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def watch(name: str, of_what: Callable[..., str]) -> None:
        real = getattr(os, name)

        def watched(*args: object) -> object:
            result = real(*args)
            steps.append(f"{name} {of_what(*args)}")
            return result

        monkeypatch.setattr(os, name, watched)

    def taken() -> list[str]:
        """The steps since the last call, repeated ones once."""
        shown = [step for step, _ in groupby(steps)]
        steps.clear()
        return shown

    watch("pwrite", lambda *_: "file")
    watch("fsync", lambda descriptor: "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
    watch("link", lambda *_: "name")
    data = some_bytes(MIB)
    key, small, whole = key_of(data), key_of(b"small"), key_of(data * 2)

    writer = await store.open_writer(new_upload(), epoch=1)
    await finish(writer, data, key)
    assert taken() == ["pwrite file", "fsync file", "link name", "fsync folder"]
    await writer.close()
    await store.put([(small, b"small")])
    assert taken() == ["pwrite file", "fsync file", "link name", "fsync folder"]
    await store.compose(whole, [key, key], field="blob")
    assert taken() == ["pwrite file", "fsync file", "link name", "fsync folder"]
    await store.remove(key)
    assert taken() == ["fsync folder"]


# A failing disk.


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, ResourceExhausted, "STORAGE_FULL"),
        (errno.EDQUOT, ResourceExhausted, "STORAGE_FULL"),
        (errno.EIO, Unavailable, "BACKEND_DOWN"),
        (errno.EROFS, Unavailable, "BACKEND_DOWN"),
        (errno.EMFILE, ResourceExhausted, "TOO_MANY_OPEN_FILES"),
    ],
)
@pytest.mark.parametrize("name", ["open", "pwrite", "link"])
async def test_errors_of_the_disk_become_errors_of_the_registry(
    store: LocalStore, fail: Callable[..., Fault], name: str, number: int, kind: type[RegistryError], reason: str
) -> None:
    fault = fail(name, number)

    for failing in (store_bytes(store, b"data"), store.put([(key_of(b"data"), b"data")])):
        with pytest.raises(kind) as caught:
            await failing
        assert caught.value.reason == reason
        assert caught.value.retry_after
        assert "secret" not in str(caught.value)

    fault.healed = True
    assert await read_bytes(store, await store_bytes(store, b"data")) == b"data"


async def test_a_disk_that_fills_up_keeps_the_prefix_that_fitted(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, upload = some_bytes(MIB), new_upload()
    free = 600 * KIB
    real = os.pwrite

    def pwrite(descriptor: int, some: bytes, offset: int) -> int:
        room = free - offset
        if room <= 0:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, some[:room], offset)

    writer = await store.open_writer(upload, epoch=1)
    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(ResourceExhausted) as caught:
        await writer.append(chunks_of(data))
    assert caught.value.reason == "STORAGE_FULL"
    assert writer.position == await store.persisted_size(upload) == 512 * KIB

    free = 700 * KIB
    with pytest.raises(ResourceExhausted):
        await finish(writer, data, key_of(data))
    await writer.close()
    free = 10 * MIB
    writer = await store.open_writer(upload, epoch=2)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_join_that_cannot_fit_is_refused_before_it_writes(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same part over and over: a small request for 39 GiB."""
    data = some_bytes(MIB)
    part = await store_bytes(store, data)
    times = 39 * 1024
    _leave_free(monkeypatch, 38 * 1024**3)
    monkeypatch.setattr(os, "pwrite", lambda *_: pytest.fail("it wrote"))
    whole = BlobKey(key_of(data).digest, part.generation, times * MIB)

    with pytest.raises(ResourceExhausted) as refused:
        await store.compose(whole, [part] * times, field="blob.digest")

    assert refused.value.reason == "STORAGE_FULL"


async def test_joins_that_run_keep_their_room(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two joins would fit alone: the second is refused before it writes, and fits when the first has failed."""
    data = some_bytes(MIB)
    part = await store_bytes(store, data)
    _leave_free(monkeypatch, 50 * MIB)
    key = key_of(data * 30)
    with gate("pwrite") as writing:
        first = asyncio.create_task(store.compose(key, [part] * 30, field="blob.digest"))
        await writing.entered()
        with pytest.raises(ResourceExhausted) as refused:
            await store.compose(key, [part] * 30, field="blob.digest")
        first.cancel()
    await asyncio.wait((first,))

    assert refused.value.reason == "STORAGE_FULL"
    assert first.cancelled()
    await store.compose(key, [part] * 30, field="blob.digest")
    assert await store.size(key) == 30 * MIB


async def test_two_joins_that_come_together_are_not_both_refused(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fits alone. A join that can't fit takes no room from the others, not even while it is checked."""
    data = some_bytes(MIB)
    part = await store_bytes(store, data)
    _leave_free(monkeypatch, 50 * MIB)
    key, hopeless = key_of(data * 30), BlobKey(part.digest, part.generation, 90 * MIB)

    outcomes = await asyncio.gather(
        store.compose(hopeless, [part] * 90, field="blob.digest"),
        store.compose(key, [part] * 30, field="blob.digest"),
        store.compose(hopeless, [part] * 90, field="blob.digest"),
        return_exceptions=True,
    )

    assert [isinstance(each, ResourceExhausted) for each in outcomes] == [True, False, True]
    assert await store.size(key) == 30 * MIB


async def test_what_a_failed_write_left_behind_is_not_published(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was told of 512 KiB, and then says that this is all, gets 512 KiB."""
    data = some_bytes(512 * KIB)
    real = os.pwrite

    def pwrite(descriptor: int, some: bytes, offset: int) -> int:
        if offset > len(data):
            raise OSError(errno.EIO, "broken")
        return real(descriptor, some[:1000] if offset == len(data) else some, offset)

    writer = await store.open_writer(new_upload(), epoch=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        with pytest.raises(Unavailable):
            await writer.append(chunks_of(data + some_bytes(MIB)))

    await writer.publish(key := key_of(data), field="digest")
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_after_a_failed_sync_the_upload_starts_from_zero(
    store: LocalStore, root: Path, fail: Callable[..., Fault]
) -> None:
    """The system marks pages that it could not write as clean: a second sync would succeed over a hole."""
    data, upload = some_bytes(MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    await writer.append(chunks_of(data))
    fault = fail("fsync", errno.EIO)

    with pytest.raises(Unavailable) as caught:
        await writer.publish(key := key_of(data), field="digest")
    assert caught.value.reason == "BACKEND_DOWN"
    with pytest.raises(Aborted):
        await writer.publish(key, field="digest")

    assert fault.calls == 1
    assert not published(root, key).exists()
    assert await store.persisted_size(upload) == 0
    await writer.close()
    assert staging(root) == []
    fault.healed = True
    writer = await store.open_writer(upload, epoch=2)
    assert writer.position == 0
    await finish(writer, data, key)
    await writer.close()
    assert await read_bytes(store, key) == data


@pytest.mark.parametrize("then", ["append", "publish", "close"])
async def test_after_a_failed_sync_in_the_background_the_upload_starts_from_zero(
    store: LocalStore, fail: Callable[..., Fault], monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(local, "FLUSH_BYTES", MIB)
    data, upload = some_bytes(2 * MIB), new_upload()
    writer = await store.open_writer(upload, epoch=1)
    fault = fail("fsync", errno.EIO)
    await writer.append(chunks_of(data))

    async def append_for_ever() -> None:
        while True:
            await writer.append(chunks_of(b"more"))

    if then == "append":
        with pytest.raises(Unavailable):
            await append_for_ever()
        with pytest.raises(Aborted):
            await writer.append(chunks_of(b"more"))
    elif then == "publish":
        with pytest.raises(Unavailable):
            await writer.publish(key_of(data), field="digest")
    await writer.close()

    assert fault.calls == 1
    fault.healed = True
    assert await store.persisted_size(upload) == 0
    writer = await store.open_writer(upload, epoch=2)
    await finish(writer, data, key := key_of(data))
    await writer.close()
    assert await read_bytes(store, key) == data


async def test_a_mark_that_cannot_be_written_costs_no_upload(
    store: LocalStore, fail: Callable[..., Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "FLUSH_BYTES", MIB)
    data = some_bytes(2 * MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    fault = fail("open", errno.ENOSPC)
    await writer.append(chunks_of(data))
    await turns()
    while not fault.calls:
        await writer.append([])
    fault.healed = True

    await writer.publish(key := key_of(data), field="digest")
    await writer.close()
    assert await read_bytes(store, key) == data


@pytest.mark.parametrize(("name", "after"), [("pwrite", 2), ("fsync", 2), ("open", 2), ("link", 0)])
async def test_a_put_that_fails_leaves_nothing(
    store: LocalStore, root: Path, fail: Callable[..., Fault], name: str, after: int
) -> None:
    blobs = [(key_of(data), data) for data in (b"one", b"two", b"three", b"four")]
    fault = fail(name, errno.ENOSPC, after=after)

    with pytest.raises(ResourceExhausted):
        await store.put(blobs)

    assert staging(root) == []
    assert [key for key, _ in blobs if published(root, key).exists()] == []
    fault.healed = True
    await store.put(blobs)
    assert [await read_bytes(store, key) for key, _ in blobs] == [data for _, data in blobs]


@pytest.mark.parametrize("name", ["pwrite", "fsync", "link"])
async def test_a_composition_that_fails_leaves_nothing(
    store: LocalStore, root: Path, fail: Callable[..., Fault], name: str
) -> None:
    part = await store_bytes(store, some_bytes(MIB))
    key = key_of(some_bytes(MIB) * 2)
    fail(name, errno.EIO)

    with pytest.raises(Unavailable):
        await store.compose(key, [part, part], field="blob")

    assert staging(root) == []
    assert not published(root, key).exists()


# Cancelled callers and their threads.


async def test_a_cancelled_append_ends_no_sooner_than_its_thread(store: LocalStore) -> None:
    data = some_bytes(MIB)
    writer = await store.open_writer(new_upload(), epoch=1)
    with gate("pwrite") as writing:
        appending = asyncio.create_task(writer.append(chunks_of(data)))
        await writing.entered()
        for _ in range(3):
            appending.cancel()
            await turns()
        closing = asyncio.create_task(writer.close())
        await turns()
        assert not appending.done()
        assert not closing.done()

    await asyncio.wait((appending, closing))
    assert appending.cancelled()
    assert closing.exception() is None
    assert writer.position == MIB


async def test_a_later_writer_waits_for_the_thread_of_the_one_before(store: LocalStore) -> None:
    data, upload = some_bytes(MIB), new_upload()
    older = await store.open_writer(upload, epoch=1)
    with gate("pwrite") as writing:
        appending = asyncio.create_task(older.append(chunks_of(data)))
        await writing.entered()
        opening = asyncio.create_task(store.open_writer(upload, epoch=2))
        given_up = asyncio.create_task(store.open_writer(upload, epoch=3))
        discarding = asyncio.create_task(store.discard(upload))
        await turns()
        given_up.cancel()
        await turns()
        assert not appending.done()
        assert not opening.done()
        assert not discarding.done()

    await asyncio.wait((appending, opening, given_up, discarding))
    assert isinstance(opening.exception(), Aborted)
    await older.close()
    assert await store.persisted_size(upload) == 0


async def test_a_reader_that_is_left_waits_for_its_thread(store: LocalStore) -> None:
    key = await store_bytes(store, some_bytes(20 * MIB))
    batches = store.read(key, offset=0, limit=key.size, chunk_bytes=5 * MIB)
    with gate("pread", free=1) as reading:
        await anext(batches)
        await reading.entered()
        leaving = asyncio.create_task(batches.aclose())
        await turns()
        assert not leaving.done()

    await leaving


async def test_closing_the_store_waits_for_its_writers(root: Path) -> None:
    store = await LocalStore.open(root)
    writer = await store.open_writer(new_upload(), epoch=1)
    with gate("pwrite") as writing:
        appending = asyncio.create_task(writer.append(chunks_of(b"data")))
        await writing.entered()
        closing = asyncio.create_task(store.close())
        await turns()
        assert not closing.done()

    await asyncio.wait((appending, closing))
    assert appending.exception() is None
    assert closing.exception() is None


# The hash of what is staged.


@pytest.fixture
def read_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of staged files were read to be hashed again, each time."""
    counts: list[int] = []
    real = staging_module.StagedFile.rehash

    def counted(file: staging_module.StagedFile, size: int) -> None:
        before = file.position
        real(file, size)
        counts.append(file.position - before)

    monkeypatch.setattr(staging_module.StagedFile, "rehash", counted)
    return counts


async def _staged(store: LocalStore, upload: str, data: bytes, *, epoch: int) -> None:
    writer = await store.open_writer(upload, epoch=epoch)
    await writer.append(chunks_of(data[writer.position :]))
    await writer.close()


async def test_an_upload_that_goes_on_in_the_same_process_is_not_read_again(
    store: LocalStore, read_again: list[int]
) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    await _staged(store, upload, data[: 4 * MIB], epoch=1)
    await _staged(store, upload, data[: 8 * MIB], epoch=2)

    writer = await store.open_writer(upload, epoch=3)
    await finish(writer, data, key := key_of(data))
    await writer.close()

    assert await read_bytes(store, key) == data
    assert read_again == []


async def test_a_later_writer_goes_on_with_the_hash_of_the_one_it_took_over_from(
    store: LocalStore, read_again: list[int]
) -> None:
    data, upload = some_bytes(8 * MIB), new_upload()
    first = await store.open_writer(upload, epoch=1)
    await first.append(chunks_of(data[: 4 * MIB]))

    second = await store.open_writer(upload, epoch=2)
    await finish(second, data, key_of(data))
    await second.close()

    assert read_again == []


@pytest.fixture
def small_flush(monkeypatch: pytest.MonkeyPatch) -> int:
    """Uploads are synced each MiB."""
    monkeypatch.setattr(local, "FLUSH_BYTES", MIB)
    return MIB


@pytest.fixture
def without_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a Python whose OpenSSL does not let its state be kept."""
    monkeypatch.setattr(sha256, "_library", lambda: None)


async def _killed_after(root: Path, upload: str, data: bytes) -> None:
    """Another process has staged ``data`` in pieces of 300 KiB, and was killed."""
    script = f"""
import asyncio, os, signal
from pathlib import Path
from modelyard_server.blobs import local
from tests.support.blobs import chunks_of, some_bytes

async def main():
    local.FLUSH_BYTES = {local.FLUSH_BYTES}
    store = await local.LocalStore.open(Path({str(root)!r}))
    writer = await store.open_writer({upload!r}, epoch=1)
    for chunk in chunks_of(some_bytes({len(data)}), 300 * 1024):
        await writer.append([chunk])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


async def test_a_python_that_keeps_no_state_of_a_hash_is_warned_of_as_the_store_opens(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as logs:
        await (await LocalStore.open(root)).close()
    assert logs == []

    monkeypatch.setattr(sha256, "_library", lambda: None)
    with capture_logs() as logs:
        await (await LocalStore.open(root)).close()
    assert [(each["log_level"], "all staged bytes" in each["event"]) for each in logs] == [("warning", True)]


@pytest.mark.parametrize("size", [100, MIB, 5 * MIB + 7, 40 * MIB + 63])
async def test_after_a_killed_process_at_most_two_intervals_are_read_again(
    root: Path, read_again: list[int], small_flush: int, size: int
) -> None:
    data, upload = some_bytes(size), new_upload()
    await _killed_after(root, upload, data)
    store = await LocalStore.open(root)

    told: list[int] = []
    writer = await store.open_writer(upload, epoch=2, rehashed=told.append)

    assert writer.position == size
    assert sum(told) == sum(read_again) <= 2 * small_flush + 300 * KIB
    await writer.publish(key := key_of(data), field="digest")
    await writer.close()
    assert await read_bytes(store, key) == data
    await store.close()


async def test_after_a_writer_at_another_server_only_the_tail_is_read_again(
    root: Path, read_again: list[int], small_flush: int
) -> None:
    data, upload = some_bytes(20 * MIB), new_upload()
    here, there = await LocalStore.open(root), await LocalStore.open(root)
    for store, epoch in ((here, 1), (there, 2), (here, 3), (there, 4)):
        writer = await store.open_writer(upload, epoch=epoch)
        for chunk in chunks_of(data[writer.position : epoch * 5 * MIB]):
            await writer.append([chunk])
        await writer.close()

    writer = await here.open_writer(upload, epoch=5)
    await writer.publish(key := key_of(data), field="digest")
    await writer.close()

    assert await read_bytes(here, key) == data
    assert sum(read_again) <= 4 * (2 * small_flush + 256 * KIB)
    await here.close()
    await there.close()


async def test_after_a_power_cut_nothing_is_read_again(root: Path, read_again: list[int], small_flush: int) -> None:
    """The bytes that were not synced are gone. The mark has the state of the hash of the rest."""
    data, upload = some_bytes(9 * MIB), new_upload()
    await _killed_after(root, upload, data)
    pretend_reboot(root, upload)
    durable = staging_module.Mark.read(root / "staging" / f"{upload}.mark").durable
    store = await LocalStore.open(root)

    writer = await store.open_writer(upload, epoch=2)

    assert writer.position == durable > 5 * MIB
    await finish(writer, data, key_of(data))
    await writer.close()
    assert read_again == []
    await store.close()


def _damaged(mark: str, how: str) -> str:
    boot, durable, state, check = mark.split()
    flipped = f"{int(state[0], 16) ^ 1:x}{state[1:]}"
    return {
        "no state": f"{boot} {durable}",
        "another state": f"{boot} {durable} {flipped} {check}",
        "another size": f"{boot} {int(durable) + 64} {state} {check}",
        "a cut state": f"{boot} {durable} {state[:-2]} {check}",
        "no digits": f"{boot} {durable} {'xy' * 40} {check}",
        "more": f"{boot} {durable} {state} {check} 1",
    }[how]


@pytest.mark.parametrize(
    "how", ["no state", "another state", "another size", "a cut state", "no digits", "more", "another upload"]
)
async def test_a_damaged_state_is_not_taken_up(root: Path, read_again: list[int], small_flush: int, how: str) -> None:
    data, upload = some_bytes(5 * MIB), new_upload()
    await _killed_after(root, upload, data)
    mark = root / "staging" / f"{upload}.mark"
    if how == "another upload":
        other = new_upload()
        (root / "staging" / upload).rename(root / "staging" / other)
        mark = mark.rename(root / "staging" / f"{other}.mark")
        upload = other
    else:
        mark.write_text(_damaged(mark.read_text(), how))
    store = await LocalStore.open(root)

    writer = await store.open_writer(upload, epoch=2)
    await writer.publish(key := key_of(data), field="digest")
    await writer.close()

    assert await read_bytes(store, key) == data
    assert sum(read_again) == len(data)
    await store.close()


async def test_a_wrong_state_stores_no_wrong_bytes(root: Path, small_flush: int) -> None:
    """Even a state that an attacker made: the digest then differs from the promised one."""
    data, upload = some_bytes(5 * MIB), new_upload()
    await _killed_after(root, upload, data)
    mark = root / "staging" / f"{upload}.mark"
    boot, durable, state, _ = mark.read_text().split()
    forged = f"{int(state[0], 16) ^ 1:x}{state[1:]}"
    mark.write_text(f"{boot} {durable} {forged} {staging_module._check(mark, int(durable), forged)}")
    store = await LocalStore.open(root)

    writer = await store.open_writer(upload, epoch=2)
    with pytest.raises(InvalidArgument) as refused:
        await writer.publish(key := key_of(data), field="digest")
    await writer.close()

    assert refused.value.reason == "DIGEST_MISMATCH"
    assert not published(root, key).exists()
    assert staging(root) == []  # so that the next try starts from zero
    await store.close()


async def test_a_state_of_more_bytes_than_there_are_is_not_taken_up(
    root: Path, read_again: list[int], small_flush: int
) -> None:
    data, upload = some_bytes(5 * MIB), new_upload()
    await _killed_after(root, upload, data)
    os.truncate(root / "staging" / upload, MIB)
    store = await LocalStore.open(root)

    writer = await store.open_writer(upload, epoch=2)
    assert writer.position == MIB == sum(read_again)
    await finish(writer, data, key_of(data))
    await writer.close()
    await store.close()


async def test_without_states_what_is_staged_is_read_again_once(
    root: Path, read_again: list[int], small_flush: int, without_states: None
) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    before = await LocalStore.open(root)
    await _staged(before, upload, data, epoch=1)
    await before.close()
    store = await LocalStore.open(root)
    opening = asyncio.create_task(store.open_writer(upload, epoch=2))
    while not read_again:
        await asyncio.sleep(0)
    opening.cancel()  # as by a proxy that lost its patience
    await asyncio.wait((opening,))

    writer = await store.open_writer(upload, epoch=3)
    await writer.publish(key_of(data), field="digest")
    await store.close()

    assert sum(read_again) == len(data)


async def test_an_opening_tells_how_far_it_has_read(root: Path, without_states: None) -> None:
    data, upload = some_bytes(12 * MIB), new_upload()
    before = await LocalStore.open(root)
    await _staged(before, upload, data, epoch=1)
    await before.close()
    store = await LocalStore.open(root)
    assert store.rehashed_size(upload) == 0

    with gate("pread", free=2) as reading:
        opening = asyncio.create_task(store.open_writer(upload, epoch=2))
        await reading.entered()
        assert store.rehashed_size(upload) == 8 * MIB
        assert await store.persisted_size(upload) == len(data)

    await (await opening).close()
    assert store.rehashed_size(upload) == 0
    await store.close()


async def test_a_writer_is_at_most_one_interval_ahead_of_a_slow_sync(
    store: LocalStore, small_flush: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[int] = []
    append = staging_module.StagedUpload.append

    def watched(file: staging_module.StagedUpload, chunks: Sequence[Chunk]) -> None:
        ahead.append(file.unsynced)
        append(file, chunks)

    monkeypatch.setattr(staging_module.StagedUpload, "append", watched)
    writer = await store.open_writer(new_upload(), epoch=1)
    chunks = chunks_of(some_bytes(8 * MIB))
    with gate("fsync") as syncing:
        writing = asyncio.create_task(writer.append(chunks[:4]))
        await syncing.entered()
        await writing
        writing = asyncio.create_task(_append_each(writer, chunks[4:]))
        while writer.position < 2 * small_flush:
            await asyncio.sleep(0)
        await turns()

    await writing
    assert max(ahead) < 2 * small_flush
    await writer.close()


async def _append_each(writer: local.LocalWriter, chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        await writer.append([chunk])


async def test_what_a_cut_file_lacks_is_not_taken_from_memory(
    store: LocalStore, root: Path, read_again: list[int]
) -> None:
    data, upload = some_bytes(2 * MIB), new_upload()
    await _staged(store, upload, data, epoch=1)
    os.truncate(root / "staging" / upload, MIB)

    writer = await store.open_writer(upload, epoch=2)
    assert writer.position == MIB
    await finish(writer, data, key_of(data))
    await writer.close()

    assert sum(read_again) == MIB


def test_few_hashes_are_kept() -> None:
    prefixes = HashedPrefixes(limit=2)
    for name in ("a", "b", "c"):
        prefixes.keep(name, HashedPrefix(sha256.new_sha256(), 1), epoch=1)

    assert [prefixes.take(name, epoch=2) is not None for name in ("a", "b", "c")] == [False, True, True]
    assert prefixes.take("c", epoch=2) is None
