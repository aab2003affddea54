"""A disk that reports errors: no partial blob is stored, the error says what to do, and the server recovers."""

import asyncio
from pathlib import Path

import pytest
from tests.support.deaths import log_of
from tests.support.fsck import assert_clean
from tests.support.patience import set_patience
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard.errors import ModelyardError, NotFoundError, ResourceExhaustedError, UnavailableError

_BIG = bytes(9 << 20)


def _files(folder: Path) -> Path:
    files = folder / "files"
    files.mkdir()
    (files / "config.json").write_text("{}")
    (files / "model.bin").write_bytes(_BIG)
    return files


async def _check_push(client: AsyncClient, files: Path, folder: Path) -> None:
    version = await client.push("fraud", files, capture=False)
    assert version.number == 1
    pulled = await client.pull("fraud@1", folder / "target")
    assert (pulled.path / "model.bin").read_bytes() == _BIG


# The batch comes first, then the upload; before both, each start syncs three folders.
@pytest.mark.parametrize(
    "call",
    [
        "blob.write@1",
        "blob.write@2",
        "blob.write@4",
        "blob.fsync@1",
        "blob.fsync@2",
        "blob.fsync_folder@4",
        "blob.fsync_folder@5",
        "blob.link@1",
        "blob.link@2",
    ],
)
async def test_a_client_bridges_a_single_error(tmp_path: Path, call: str) -> None:
    server = ServerProcess(tmp_path).start()
    server.stop()
    server.start(failpoints=call.replace("@", "=errno:EIO@"))
    try:
        async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            await _check_push(client, _files(tmp_path), tmp_path)
        assert "cause" in server.log.read_text(), "nothing failed"
        assert server.stop() == 0
        assert_clean(server, read_data=True)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("call", "number", "kind", "reason"),
    [
        ("blob.write", "ENOSPC", ResourceExhaustedError, "STORAGE_FULL"),
        ("blob.fsync", "ENOSPC", ResourceExhaustedError, "STORAGE_FULL"),
        ("blob.fsync", "EIO", UnavailableError, "BACKEND_DOWN"),
        ("blob.link", "EROFS", UnavailableError, "BACKEND_DOWN"),
    ],
)
async def test_a_lasting_error_is_reported_and_leaves_nothing(
    tmp_path: Path, call: str, number: str, kind: type[ModelyardError], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_patience(monkeypatch, 1)
    files = _files(tmp_path)
    server = ServerProcess(tmp_path).start()
    server.stop()
    server.start(failpoints=f"{call}=errno:{number}")
    try:
        async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            with pytest.raises(kind) as told:
                await client.push("fraud", files, capture=False)
            assert told.value.reason == reason
            assert str(tmp_path) not in told.value.message
            with pytest.raises(NotFoundError):
                await client.resolve("fraud")
            assert await log_of(server) == ["namespace.created"]
            await asyncio.to_thread(server.stop)
            assert_clean(server)

            server.start()
            await _check_push(client, files, tmp_path)
        assert server.stop() == 0
        assert_clean(server, read_data=True)
    finally:
        server.close()
