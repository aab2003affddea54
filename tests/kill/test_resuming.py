"""An upload over several deaths of its server: a bounded part of it is read again, and the bytes are right."""

import re
import urllib.request
from pathlib import Path

import pytest
from tests.support.deaths import dying_at
from tests.support.fsck import assert_clean
from tests.support.postgres import free_port
from tests.support.server import ServerProcess

from modelyard import AsyncClient
from modelyard_server.blobs.local import FLUSH_BYTES

MIB = 1 << 20
SIZE = 700 * MIB
TAIL = 2 * FLUSH_BYTES + 4 * MIB


@pytest.mark.timeout(300)
@pytest.mark.parametrize("failpoint", ["blob.write@2700", "blob.fsync@2", "blob.before_link"])
async def test_after_a_death_at_most_the_tail_is_read_again(tmp_path: Path, failpoint: str) -> None:
    """R16: kill -9 behind 675 MiB, in the middle of the second sync, and when all bytes are there."""
    model = tmp_path / "model.bin"
    with model.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(4, "big") * (MIB // 4))
    admin = f"127.0.0.1:{free_port()}"
    server = ServerProcess(tmp_path, "--admin-listen", admin)
    try:
        async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            async with dying_at(server, failpoint):
                await client.push("big", model, capture=False)
            read_again = rehashed(admin)
        assert 0 < read_again <= TAIL
        assert server.stop() == 0
        assert_clean(server, read_data=True)
    finally:
        server.close()


def rehashed(admin: str) -> int:
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=30) as page:
        match = re.search(r"^modelyard_upload_rehashed_bytes_total (\S+)$", page.read().decode(), re.MULTILINE)
    assert match is not None
    return int(float(match[1]))
