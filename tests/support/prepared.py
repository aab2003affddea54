"""Registries with some history, made once, stopped, and copied for each test that damages one."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from modelyard import AsyncClient
from tests.support.postgres import Postgres
from tests.support.server import ServerProcess


@dataclass(frozen=True)
class Prepared:
    """A stopped server: ``fraud`` has version 1 in production, 2, and 3, which is deleted; ``spare`` one; ``gone`` is
    deleted with its one.
    """

    server: ServerProcess
    postgres: Postgres | None

    def copy(self, folder: Path) -> ServerProcess:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.server.folder / "data", folder / "data")
        if self.postgres is None:
            return ServerProcess(folder)
        template = self.server.flags[1].rpartition("/")[2]
        return ServerProcess(folder, "--database-url", self.postgres.create(template))


def prepare(folder: Path, postgres: Postgres | None = None) -> Prepared:
    """On SQLite, or in a database of ``postgres``."""
    flags: tuple[str, ...] = ()
    if postgres is not None:
        flags = ("--database-url", postgres.migrated())
    server = ServerProcess(folder, *flags).start()
    asyncio.run(_fill(server.url, folder))
    assert server.stop() == 0
    return Prepared(server, postgres)


async def _fill(url: str, folder: Path) -> None:
    file = folder / "weights"
    async with AsyncClient(url, cache_dir=folder / "cache") as client:
        for model, count in (("fraud", 3), ("spare", 1), ("gone", 1)):
            for number in range(count):
                file.write_text(f"{model} {number}")
                await client.push(model, file, capture=False)
        await client.aliases.set("fraud", "production", 1)
        await client.versions.delete("fraud@3")
        await client.models.delete("gone", force=True)
