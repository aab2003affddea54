"""R11: every answer is lost after the commit; the client's retry gets it, and nothing happens twice."""

import asyncio
from pathlib import Path

from tests.support.deaths import log_of
from tests.support.fsck import assert_clean
from tests.support.scale import SCALE
from tests.support.server import ServerProcess

from modelyard import AsyncClient

_CALLS = 100 * SCALE
_AT_ONCE = 25


async def test_a_retry_takes_effect_once(tmp_path: Path) -> None:
    points = ("CreateModel", "CreateVersion", "SetAlias", "UpdateModel")
    server = ServerProcess(tmp_path)
    server.start(failpoints=";".join(f"{point}.after_commit=unavailable" for point in points))
    (tmp_path / "weights").write_text("weights")
    gate = asyncio.Semaphore(_AT_ONCE)
    numbers: list[int] = []

    async def change(client: AsyncClient, index: int) -> None:
        async with gate:
            version = await client.push("fraud", tmp_path / "weights", alias=f"a{index}", capture=False)
            numbers.append(version.number)
            if index % 2:
                await client.aliases.set("fraud", f"b{index}", version.number, create_only=True)
            else:
                await client.models.update("fraud", labels={"last": str(index)})

    try:
        async with AsyncClient(server.url, cache_dir=tmp_path / "cache") as client:
            await client.models.create("fraud")
            await asyncio.gather(*(change(client, index) for index in range(_CALLS)))
            assert sorted(numbers) == list(range(1, _CALLS + 1))
            log = await log_of(server)
        counts = {type_: log.count(type_) for type_ in set(log) - {"namespace.created"}}
        assert counts == {
            "model.created": 1,
            "version.created": _CALLS,
            "alias.created": _CALLS + _CALLS // 2,
            "model.updated": _CALLS // 2,
        }
        assert server.stop() == 0
        assert_clean(server)
    finally:
        server.close()
