"""A file arrives whole and exactly as its manifest says, or not at all."""

import asyncio
import os
import random
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.sdk.fake_artifacts import MIB, FakeArtifacts, connect, file_of, serve

from modelyard._connection import Connection
from modelyard._transfer import download as download_module
from modelyard._transfer import retries, silence
from modelyard._transfer.download import download
from modelyard.core.manifest import File
from modelyard.core.names import VersionName
from modelyard.errors import NotFoundError, UnavailableError, VerificationError
from modelyard.v1 import artifacts_pb2 as pb

DATA = random.Random(7).randbytes(9 * MIB + 123)
FILE = file_of("weights/model.bin", DATA)
VERSION = VersionName.parse("namespaces/team/models/fraud/versions/7")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)


@pytest.fixture
def registry() -> FakeArtifacts:
    registry = FakeArtifacts()
    registry.files[FILE.path] = DATA
    return registry


@pytest.fixture
async def connection(registry: FakeArtifacts) -> AsyncIterator[Connection]:
    async with serve(registry) as url, connect(url) as connection:
        yield connection


class Download:
    """A download to come, and what it told about its bytes."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self.path = path
        self.received: list[int] = []
        self._connection = connection

    async def run(self, file: File = FILE) -> bytes:
        await download(self._connection, VERSION, file, self.path, on_bytes=self.received.append)
        return self.path.read_bytes()

    async def refuse(self, file: File = FILE) -> str:
        """Asserts that bytes are refused, and that nothing of them is left."""
        with pytest.raises(VerificationError) as caught:
            await self.run(file)
        assert not self.path.exists()
        return str(caught.value)


@pytest.fixture
def pull(connection: Connection, tmp_path: Path) -> Download:
    return Download(connection, tmp_path / "part")


async def test_a_file_arrives_as_it_is_readable_by_its_user_alone(registry: FakeArtifacts, pull: Download) -> None:
    assert await pull.run() == DATA

    assert sum(pull.received) == len(DATA)
    assert stat.S_IMODE(pull.path.stat().st_mode) == 0o600
    assert registry.read_offsets == [0]


async def test_an_empty_file_needs_no_call(registry: FakeArtifacts, pull: Download) -> None:
    assert await pull.run(file_of("empty", b"")) == b""

    assert registry.calls["ReadFile"] == 0


async def test_an_empty_file_whose_digest_is_another_s_is_refused(pull: Download) -> None:
    await pull.refuse(File(path=FILE.path, size=0, digest=FILE.digest))


async def test_a_broken_stream_goes_on_from_what_was_written(registry: FakeArtifacts, pull: Download) -> None:
    registry.faults.break_reads_at = [3 * MIB, 8 * MIB]

    assert await pull.run() == DATA

    assert registry.read_offsets == [0, 3 * MIB, 8 * MIB]
    assert sum(pull.received) == len(DATA)


async def test_slow_progress_is_never_given_up(registry: FakeArtifacts, pull: Download) -> None:
    registry.faults.break_reads_at = [part * MIB // 2 for part in range(1, 18)]

    assert await pull.run() == DATA


async def test_a_registry_that_sends_nothing_is_given_up_and_nothing_is_left(
    registry: FakeArtifacts, pull: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PATIENCE", 0.0)  # how long it may be away: see test_transfer_retries.py
    registry.faults.break_reads_at = [0] * 100

    with pytest.raises(UnavailableError):
        await pull.run()

    assert registry.calls["ReadFile"] == 6
    assert not pull.path.exists()


async def test_a_registry_that_lets_bytes_drip_is_given_up(
    registry: FakeArtifacts, pull: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stream brings some bytes, so that each goes on behind the last; the client does not follow for ever."""
    monkeypatch.setattr(silence, "GRACE", 0.5)
    registry.limits.max_chunk_bytes = 1
    registry.faults.drip = 0.02

    with pytest.raises(UnavailableError) as given_up:
        await pull.run()

    assert given_up.value.reason == "STREAM_IDLE"
    assert "4096 bytes a second" in given_up.value.message
    assert registry.calls["ReadFile"] == 6
    assert registry.read_offsets[-1] > registry.read_offsets[0]
    assert not pull.path.exists()


async def test_a_link_as_slow_as_the_least_pace_is_no_failure(
    registry: FakeArtifacts, pull: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes far longer than the grace period, which each message earns anew."""
    monkeypatch.setattr(silence, "GRACE", 1.0)
    registry.limits.max_chunk_bytes = 512
    registry.faults.drip = 0.1
    data = DATA[: 20 * 512]
    registry.files[FILE.path] = data

    assert await pull.run(file_of(FILE.path, data)) == data

    assert registry.calls["ReadFile"] == 1


async def test_what_will_not_change_is_not_tried_again(registry: FakeArtifacts, pull: Download) -> None:
    registry.files.clear()

    with pytest.raises(NotFoundError):
        await pull.run()

    assert registry.calls["ReadFile"] == 1


async def test_a_chunk_damaged_on_its_way_is_asked_for_again(registry: FakeArtifacts, pull: Download) -> None:
    damaged: list[int] = []

    def damage_once(message: pb.ReadFileResponse) -> pb.ReadFileResponse:
        if message.offset < 5 * MIB or damaged:
            return message
        damaged.append(message.offset)
        return pb.ReadFileResponse(offset=message.offset, data=bytes(len(message.data)), crc32c=message.crc32c)

    registry.faults.rewrite = damage_once

    assert await pull.run() == DATA

    assert registry.read_offsets == [0, *damaged]
    assert sum(pull.received) == len(DATA), "no byte counts twice"


async def test_without_a_fast_crc_damage_is_found_by_the_digest(
    registry: FakeArtifacts, pull: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "crc32c", None)
    assert await pull.run() == DATA
    pull.path.unlink()

    registry.files[FILE.path] = DATA[:-1] + b"?"

    await pull.refuse()


async def test_wrong_bytes_are_refused(registry: FakeArtifacts, pull: Download) -> None:
    registry.files[FILE.path] = b"?" + DATA[1:]

    assert "operator" in await pull.refuse()


async def test_fewer_bytes_than_promised_are_refused(registry: FakeArtifacts, pull: Download) -> None:
    registry.faults.stop_reads_at = 5 * MIB

    await pull.refuse()

    assert registry.calls["ReadFile"] == 1


async def test_more_bytes_than_promised_are_refused_at_once(registry: FakeArtifacts, pull: Download) -> None:
    registry.files[FILE.path] = DATA + bytes(50 * MIB)

    assert "more than" in await pull.refuse()

    assert sum(pull.received) <= len(DATA)


async def test_a_message_after_the_last_byte_is_refused(registry: FakeArtifacts, pull: Download) -> None:
    registry.faults.append = [pb.ReadFileResponse(offset=len(DATA), data=b"?")]

    await pull.refuse()


@pytest.mark.parametrize("shift", [-1, 1, 2**40])
async def test_bytes_of_another_place_are_refused(registry: FakeArtifacts, pull: Download, shift: int) -> None:
    def move(message: pb.ReadFileResponse) -> pb.ReadFileResponse:
        offset = message.offset + shift if message.offset else 0
        return pb.ReadFileResponse(offset=offset, data=message.data, crc32c=message.crc32c)

    registry.faults.rewrite = move

    await pull.refuse()


async def test_messages_without_bytes_can_t_keep_a_pull_busy(registry: FakeArtifacts, pull: Download) -> None:
    registry.faults.rewrite = lambda message: pb.ReadFileResponse(offset=message.offset)

    await pull.refuse()


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
async def test_nothing_that_is_there_is_written_to(pull: Download, tmp_path: Path, kind: str) -> None:
    (tmp_path / "other").write_bytes(b"other") if kind != "dangling" else None
    if kind == "file":
        pull.path.write_bytes(b"mine")
    else:
        pull.path.symlink_to(tmp_path / "other")

    with pytest.raises(FileExistsError):
        await pull.run()

    assert os.path.lexists(pull.path)
    assert kind != "link" or (tmp_path / "other").read_bytes() == b"other"


async def test_a_cancelled_download_leaves_nothing(pull: Download) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(download(pull._connection, VERSION, FILE, pull.path, on_bytes=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not pull.path.exists()


async def test_what_the_callback_raises_ends_the_download(pull: Download) -> None:
    def fail(size: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await download(pull._connection, VERSION, FILE, pull.path, on_bytes=fail)

    assert not pull.path.exists()
