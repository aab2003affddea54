"""A push brings exactly the bytes that were there, each over the network once at most, whatever breaks on the way."""

import asyncio
import json
import os
import random
import signal
import stat
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.sdk.fake_artifacts import MIB, FakeArtifacts, Pause, digest_of, file_of
from tests.support.journals import note_upload

from modelyard._connection import Connection
from modelyard._transfer import progress as progress_module
from modelyard._transfer import retries, silence, stream
from modelyard._transfer.local_files import collect
from modelyard._transfer.progress import ProgressCallback
from modelyard._transfer.reader import Reader
from modelyard._transfer.upload import Uploaded, upload
from modelyard.errors import (
    ConflictError,
    InvalidArgumentError,
    ModelyardError,
    ResourceExhaustedError,
    UnavailableError,
    VerificationError,
)
from modelyard.types import Progress
from modelyard.v1 import artifacts_pb2 as pb
from modelyard.v1.artifacts_pb2_grpc import ArtifactsServiceStub

LARGE = 9 * MIB + 123
"""More than two of the pump's batches, and no round number of chunks."""


def some_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


async def push(connection: Connection, folder: Path, progress: ProgressCallback | None = None) -> Uploaded:
    return await upload(connection, "team", collect(folder).files, state_dir=folder.parent / "state", progress=progress)


def journal(folder: Path) -> list[Path]:
    return sorted((folder.parent / "state" / "uploads").iterdir())


async def test_files_of_all_sizes_arrive_as_they_are(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    contents = {
        "empty": b"",
        "small": b"abc",
        "large": some_bytes(LARGE),
        "sub/chunk": some_bytes(registry.limits.max_chunk_bytes),
        "sub/limit": some_bytes(registry.limits.max_batch_bytes // 4 + 1),
    }
    for path, data in contents.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)

    uploaded = await push(connection, folder)

    assert uploaded.files == tuple(file_of(path, contents[path]) for path in sorted(contents))
    assert uploaded.bytes_sent == registry.bytes_received == sum(map(len, contents.values()))
    assert {registry.blobs[file.digest] for file in uploaded.files} == set(contents.values())
    assert not journal(folder)


async def test_a_second_push_of_the_same_bytes_sends_none(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    (folder / "small").write_bytes(b"abc")
    first = await push(connection, folder)
    registry.calls.clear()

    second = await push(connection, folder)

    assert second == Uploaded(first.files, 0)
    assert set(registry.calls) == {"FindMissingBlobs"}


async def test_files_alike_travel_once(registry: FakeArtifacts, connection: Connection, folder: Path) -> None:
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(some_bytes(LARGE))
        (folder / f"small-{name}").write_bytes(b"abc")

    uploaded = await push(connection, folder)

    assert len(uploaded.files) == 6
    assert registry.bytes_received == LARGE + 3


async def test_many_small_files_travel_in_few_calls_within_the_limits(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    for number in range(25):
        (folder / f"{number:02}").write_bytes(some_bytes(1000 + number))

    uploaded = await push(connection, folder)

    assert registry.calls["BatchWriteBlobs"] == 3
    assert registry.calls["StartUpload"] == 0
    assert len(uploaded.files) == 25


async def test_a_file_of_a_new_size_is_read_only_once(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    read = _count_reads(monkeypatch)

    await push(connection, folder)

    assert sum(read) == LARGE
    assert registry.declared_at_start == [""]


async def test_a_file_of_a_known_size_is_hashed_before_anything_is_sent(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = some_bytes(LARGE)
    registry.store(some_bytes(LARGE, seed=1))
    (folder / "large").write_bytes(data)
    read = _count_reads(monkeypatch)

    await push(connection, folder)

    assert sum(read) == 2 * LARGE
    assert registry.declared_at_start == [digest_of(data)]


def _count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sizes: list[int] = []
    read = Reader.read

    def counting(self: Reader, offset: int, size: int) -> bytes:
        sizes.append(size)
        return read(self, offset, size)

    monkeypatch.setattr(Reader, "read", counting)
    return sizes


async def test_every_chunk_carries_its_crc(registry: FakeArtifacts, connection: Connection, folder: Path) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))

    await push(connection, folder)

    assert registry.crcs_seen == -(-LARGE // registry.limits.max_chunk_bytes)


async def test_without_a_fast_crc_the_field_is_left_out(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "crc32c", None)
    (folder / "large").write_bytes(some_bytes(LARGE))

    await push(connection, folder)

    assert registry.crcs_seen == 0
    assert registry.calls["StartUpload"] == 1


@pytest.mark.parametrize("forget", [0, 5 * MIB])
async def test_a_broken_stream_goes_on_from_what_the_registry_kept(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch, forget: int
) -> None:
    data = some_bytes(LARGE)
    (folder / "large").write_bytes(data)
    registry.faults.break_writes_at = [6 * MIB]
    registry.faults.forget_on_break = forget
    hashed = _count_hashed(monkeypatch)

    uploaded = await push(connection, folder)

    assert uploaded.files[0].digest == digest_of(data)
    assert registry.bytes_received == LARGE + forget
    assert registry.calls["StartUpload"] == 1
    assert hashed() == LARGE


def _count_hashed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    positions: list[int] = []
    read = Reader.read

    def noting(self: Reader, offset: int, size: int) -> bytes:
        before = self._hashed
        data = read(self, offset, size)
        positions.append(self._hashed - before)
        return data

    monkeypatch.setattr(Reader, "read", noting)
    return lambda: sum(positions)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.ABORTED, "UPLOAD_BUSY"),
        (grpc.StatusCode.OUT_OF_RANGE, "OFFSET_MISMATCH"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
        (grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN"),
        (grpc.StatusCode.NOT_FOUND, "UPLOAD_NOT_FOUND"),
    ],
)
async def test_what_passes_by_itself_is_tried_again(
    registry: FakeArtifacts, connection: Connection, folder: Path, code: grpc.StatusCode, reason: str
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(code, reason)]

    uploaded = await push(connection, folder)

    assert uploaded.files[0].digest in registry.blobs


async def test_damaged_chunks_are_sent_again(registry: FakeArtifacts, connection: Connection, folder: Path) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    (folder / "small").write_bytes(b"abc")
    registry.faults.corrupt_chunks = 3

    uploaded = await push(connection, folder)

    assert all(file.digest in registry.blobs for file in uploaded.files)


async def test_a_full_disk_is_reported_at_once(registry: FakeArtifacts, connection: Connection, folder: Path) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")]

    with pytest.raises(ResourceExhaustedError):
        await push(connection, folder)

    assert registry.calls["WriteBlob"] == 1


async def test_a_registry_that_never_gets_further_is_given_up(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(grpc.StatusCode.UNAVAILABLE, "BACKEND_DOWN")] * 100

    with pytest.raises(UnavailableError):
        await push(connection, folder)

    assert registry.calls["WriteBlob"] == 6


async def test_slow_progress_is_never_given_up(registry: FakeArtifacts, connection: Connection, folder: Path) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.break_writes_at = [part * MIB for part in range(1, 9)]

    uploaded = await push(connection, folder)

    assert uploaded.files[0].digest in registry.blobs
    assert registry.bytes_received == LARGE


async def test_a_lost_answer_to_a_finished_upload_sends_nothing_again(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.break_finish = 1

    await push(connection, folder)

    assert registry.bytes_received == LARGE
    assert registry.calls["WriteBlob"] == 1


async def test_a_blob_that_someone_stored_meanwhile_is_not_sent(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    data = some_bytes(LARGE)
    registry.store(some_bytes(LARGE, seed=1))
    (folder / "large").write_bytes(data)
    registry.faults.found_too_late = [data]

    uploaded = await push(connection, folder)

    assert uploaded.bytes_sent == 0
    assert registry.calls["WriteBlob"] == 0


async def test_bytes_that_arrive_as_others_are_never_committed(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")]

    with pytest.raises(VerificationError) as caught:
        await push(connection, folder)

    assert caught.value.reason == "DIGEST_MISMATCH"
    assert registry.calls["WriteBlob"] == 1
    assert not journal(folder)


async def test_a_registry_that_claims_to_have_stored_something_else_is_not_believed(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    monkeypatch.setattr(registry, "store", lambda _: digest_of(b"something else"))

    with pytest.raises(VerificationError):
        await push(connection, folder)


@pytest.mark.parametrize("change", ["append", "rewrite", "replace", "remove"])
async def test_a_file_that_changes_under_the_push_fails_it(
    registry: FakeArtifacts, connection: Connection, folder: Path, change: str
) -> None:
    source = folder / "large"
    source.write_bytes(some_bytes(LARGE))

    def disturb(size: int) -> None:
        if size < MIB or registry.blobs:
            return
        registry.faults.on_write = None
        match change:
            case "append":
                with source.open("ab") as file:
                    file.write(b"more")
            case "rewrite":
                with source.open("r+b") as file:
                    file.write(b"other")
            case "replace":
                (folder.parent / "new").write_bytes(some_bytes(LARGE))
                (folder.parent / "new").rename(source)
            case "remove":
                source.unlink()

    registry.faults.on_write = disturb

    with pytest.raises(ConflictError) as caught:
        await push(connection, folder)

    assert caught.value.reason == "FILE_CHANGED"
    assert str(source) in str(caught.value)
    assert not registry.blobs
    assert not registry.uploads, "the half that was sent is given up"
    assert not journal(folder)


async def test_a_file_that_changes_after_it_was_sent_fails_the_push_too(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "a").write_bytes(b"early")
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.on_write = lambda _: (folder / "a").unlink(missing_ok=True)

    with pytest.raises(ConflictError):
        await push(connection, folder)


async def test_what_another_server_takes_is_asked_for_not_assumed(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    registry.limits.max_blob_bytes = 10
    registry.limits.max_file_count = 1
    (folder / "a").write_bytes(b"12345678901")
    (folder / "b").write_bytes(b"x")

    with pytest.raises(InvalidArgumentError) as caught:
        await push(connection, folder)

    assert [violation.field for violation in caught.value.violations] == ["a", "files"]


async def test_a_huge_file_travels_in_parts_that_the_registry_joins(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    data = some_bytes(LARGE)
    registry.limits.compose_threshold_bytes = LARGE
    (folder / "huge").write_bytes(data)

    uploaded = await push(connection, folder)

    assert uploaded.files == (file_of("huge", data),)
    assert registry.blobs[digest_of(data)] == data
    assert registry.calls["StartUpload"] == 10
    assert uploaded.bytes_sent == LARGE
    assert not journal(folder)


async def test_parts_grow_where_they_would_be_too_many(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    registry.limits.compose_threshold_bytes = MIB
    registry.limits.max_part_count = 3
    (folder / "huge").write_bytes(some_bytes(LARGE))

    await push(connection, folder)

    assert registry.calls["StartUpload"] == 3


async def test_after_a_failed_push_of_parts_only_the_missing_ones_are_sent(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    registry.limits.compose_threshold_bytes = MIB
    (folder / "huge").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(grpc.StatusCode.UNAVAILABLE, "DRAINING")] * 5
    registry.faults.deny.append((grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"))
    with pytest.raises(ResourceExhaustedError):
        await push(connection, folder)
    registry.faults.deny.clear()
    done = registry.bytes_received
    kept = sum(len(stored.data) for stored in registry.uploads.values())

    await push(connection, folder)

    assert registry.bytes_received - done == LARGE - kept


PUSHER = """
    import asyncio, sys
    from pathlib import Path
    from modelyard._transfer.local_files import collect
    from modelyard._transfer.upload import upload
    from tests.sdk.fake_artifacts import connect

    async def main(url, folder, state):
        async with connect(url) as connection:
            await upload(connection, "team", collect(Path(folder)).files, state_dir=Path(state))

    asyncio.run(main(*sys.argv[1:]))
"""


async def test_after_kill_9_the_next_push_sends_only_the_rest(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(data := some_bytes(LARGE))
    pause = registry.faults.pause_writes = Pause(5 * MIB)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(PUSHER), connection.server, str(folder), str(folder.parent / "state")),
        cwd=Path(__file__).parents[2],
    )
    await pause.reached.wait()
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    (entry,) = journal(folder)
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    kept = len(next(iter(registry.uploads.values())).data)
    assert kept > 5 * MIB
    pause.released.set()

    uploaded = await push(connection, folder)

    assert uploaded.files == (file_of("large", data),)
    assert uploaded.bytes_sent == LARGE - kept
    assert not journal(folder)


async def test_a_journal_that_knows_nothing_useful_is_no_obstacle(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.deny = [(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")]
    with pytest.raises(ModelyardError):
        await push(connection, folder)
    (entry,) = journal(folder)
    other = f"namespaces/team/uploads/{os.urandom(4).hex()}"
    committed = next(iter(registry.uploads))
    registry.uploads[committed].committed = True
    registry.uploads[committed].digest = digest_of(b"of another file")

    for text in ("", "{", "[]", json.dumps({"upload": other}), json.dumps({"upload": committed})):
        registry.blobs.clear()
        entry.write_text(text)
        uploaded = await push(connection, folder)
        assert uploaded.bytes_sent == LARGE


async def test_a_folder_for_the_journal_that_can_t_be_made_is_no_obstacle(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    (folder.parent / "state").write_text("not a folder")

    assert (await push(connection, folder)).bytes_sent == LARGE


async def test_entries_of_the_journal_are_swept_after_a_day(connection: Connection, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    await push(connection, folder)
    uploads = folder.parent / "state" / "uploads"
    old, young = f"{'0' * 64}.json", f"{'1' * 64}.json"
    for name, age in ((old, 25 * 3600), (young, 3600), ("params.json", 25 * 3600)):
        (uploads / name).write_text("{}")
        os.utime(uploads / name, (time.time() - age,) * 2)

    await push(connection, folder)

    assert [path.name for path in journal(folder)] == [young, "params.json"]


async def test_the_sweep_is_not_led_into_another_folder(connection: Connection, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    victim = other / f"{'0' * 64}.json"
    victim.write_text("{}")
    os.utime(victim, (0, 0))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "uploads").symlink_to(other)
    (folder / "a").write_bytes(b"a")

    await push(connection, folder)

    assert victim.exists()


async def test_the_journal_s_folders_are_its_user_s_alone_whatever_the_umask(
    connection: Connection, folder: Path
) -> None:
    (folder / "a").write_bytes(b"a")
    before = os.umask(0)
    try:
        await push(connection, folder)
    finally:
        os.umask(before)

    for made in (folder.parent / "state", folder.parent / "state" / "uploads"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


async def test_two_pushes_of_one_file_at_once_don_t_drive_each_other_out(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(data := some_bytes(LARGE))

    results = await asyncio.gather(push(connection, folder), push(connection, folder))

    assert {result.files for result in results} == {(file_of("large", data),)}
    assert registry.calls["StartUpload"] == registry.calls["WriteBlob"] == 2


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_progress_is_reported_at_a_readable_pace_until_the_end(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress_module, "monotonic", clock)
    registry.store(some_bytes(1000, seed=1))
    (folder / "known").write_bytes(some_bytes(1000))
    (folder / "large").write_bytes(some_bytes(LARGE))
    told: list[Progress] = []

    await push(connection, folder, told.append)

    assert [(p.phase, p.done, p.total) for p in told if p.done == p.total] == [
        ("hash", 1000, 1000),
        ("hash", 1000, 1000),
        ("upload", LARGE + 1000, LARGE + 1000),
    ]
    assert len(told) == 4, "time stands still: the first and the last of each phase"


async def test_progress_never_runs_backwards(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "_INTERVAL", 0)
    (folder / "large").write_bytes(some_bytes(LARGE))
    registry.faults.break_writes_at = [6 * MIB]
    registry.faults.forget_on_break = 3 * MIB
    told: list[int] = []

    await push(connection, folder, lambda p: told.append(p.done))

    assert told == sorted(told)
    assert told[-1] == LARGE


async def test_a_progress_callback_may_end_the_push_by_raising(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        raise StopError

    (folder / "large").write_bytes(some_bytes(LARGE))

    with pytest.raises(StopError):
        await push(connection, folder, stop)


async def test_a_cancelled_push_ends_at_once_and_goes_on_later(
    registry: FakeArtifacts, connection: Connection, folder: Path
) -> None:
    (folder / "large").write_bytes(some_bytes(LARGE))
    pause = registry.faults.pause_writes = Pause(2 * MIB)
    task = asyncio.create_task(push(connection, folder))
    await pause.reached.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    pause.released.set()

    assert not registry.blobs
    uploaded = await push(connection, folder)
    assert uploaded.bytes_sent < LARGE


# A registry that reads again what it has.


async def _resumed(connection: Connection, registry: FakeArtifacts, folder: Path) -> Uploaded:
    """Pushes a file of which a process that died has sent the first MiB."""
    data = some_bytes(LARGE)
    (folder / "large").write_bytes(data)
    (file,) = collect(folder).files
    request = pb.StartUploadRequest(parent="namespaces/team", size_bytes=LARGE)
    name = (await connection.call(connection.stub(ArtifactsServiceStub).StartUpload, request)).name
    registry.uploads[name].data += data[:MIB]
    await note_upload(connection, "namespaces/team", file, folder.parent / "state", name)
    return await push(connection, folder)


async def test_a_registry_that_reads_again_what_it_has_is_waited_for_as_long_as_it_gets_on(
    registry: FakeArtifacts, connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "GRACE", 1.2)
    registry.faults.rehashed = [100_000 * (look + 1) for look in range(10)]  # asked four times a grace period

    await _resumed(connection, registry, folder)

    assert registry.calls["WriteBlob"] == 1
    assert registry.faults.rehashed == []
    assert digest_of(some_bytes(LARGE)) in registry.blobs


@pytest.mark.parametrize(
    "rehashed",
    [[5000] * 1000, [*range(1000)], [0] * 1000, [10**9 * look for look in range(1, 1000)]],
    ids=["no longer", "slowly", "not at all", "beyond what it has"],
)
async def test_a_registry_that_does_not_get_on_is_not_waited_for(
    registry: FakeArtifacts,
    connection: Connection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    rehashed: list[int],
) -> None:
    monkeypatch.setattr(silence, "GRACE", 0.4)
    registry.faults.rehashed = rehashed

    with pytest.raises(UnavailableError) as given_up:
        await _resumed(connection, registry, folder)

    assert given_up.value.reason == "STREAM_IDLE"
    assert registry.faults.rehashed
