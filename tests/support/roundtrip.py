"""The proof that a server works: bytes that nobody has seen go in, and come out again."""

import os
import tempfile
from pathlib import Path

from modelyard import AsyncClient
from modelyard.types import Version

MIB = 1 << 20


def random_file(path: Path, size: int) -> Path:
    """A file of bytes that no other file has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


async def assert_holds(url: str, reference: str, source: Path) -> None:
    """A client that has nothing yet gets exactly the bytes of ``source``, a version's only file."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncClient(url, cache_dir=Path(folder) / "cache") as client:
            pulled = await client.pull(reference)
            (file,) = (path for path in pulled.path.rglob("*") if path.is_file())
            assert not pulled.stale
            assert file.read_bytes() == source.read_bytes()


async def assert_works(url: str, model: str = "afterwards", *, size: int = 2 * MIB) -> Version:
    """Pushes a new version, large enough for a stream of its own, and pulls it. Returns the pushed version."""
    with tempfile.TemporaryDirectory() as folder:
        source = random_file(Path(folder) / "model.bin", size)
        async with AsyncClient(url, cache_dir=Path(folder) / "cache") as client:
            version = await client.push(model, source, capture=False)
        await assert_holds(url, f"{model}@{version.number}", source)
        return version
