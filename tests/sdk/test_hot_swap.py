"""A process that loads version after version: its cache stays within its bound, and never loses a version in use."""

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.server import ServerProcess

from modelyard import AsyncClient, Client, PulledModel

_SIZE = 100_000
_VERSIONS = 6


@pytest.fixture
def yard(server: ServerProcess, tmp_path: Path) -> Iterator[Client]:
    """With six versions of 100 kB, and a cache that has room for two of them."""
    with Client(server.url, cache_dir=tmp_path / "cache", cache_bytes=2 * _SIZE) as client:
        for number in range(1, _VERSIONS + 1):
            (tmp_path / "model.bin").write_bytes(bytes([number]) * _SIZE)
            client.push("fraud", tmp_path / "model.bin", capture=False)
        yield client


def cached(tmp_path: Path) -> int:
    """Bytes of all versions in the cache."""
    snapshots = (tmp_path / "cache" / "snapshots").iterdir()
    return sum(path.stat().st_size for each in snapshots for path in (each / "files").iterdir())


def is_whole(model: PulledModel) -> bool:
    return (model.path / "model.bin").read_bytes() == bytes([model.version.number]) * _SIZE


async def test_a_service_that_swaps_models_needs_room_for_two(
    yard: Client, server: ServerProcess, tmp_path: Path
) -> None:
    yard.promote("fraud@1")
    seen = []
    async with AsyncClient(server.url, cache_dir=tmp_path / "cache", cache_bytes=2 * _SIZE) as client:
        async for model in client.watch("fraud@production"):
            assert is_whole(model)
            assert cached(tmp_path) <= 2 * _SIZE
            seen.append(model.version.number)
            if len(seen) == _VERSIONS:
                break
            await client.promote(f"fraud@{len(seen) + 1}")

    assert seen == list(range(1, _VERSIONS + 1))


def test_what_is_in_use_goes_beyond_the_bound_and_what_is_not_makes_room(yard: Client, tmp_path: Path) -> None:
    models = [yard.pull(f"fraud@{number}") for number in (1, 2, 3)]
    assert all(map(is_whole, models))
    assert cached(tmp_path) == 3 * _SIZE

    models[0].close()
    models[0].close()
    with yard.pull("fraud@2") as again:
        assert is_whole(again)
    del models[2]
    with yard.pull("fraud@4") as fourth:
        assert is_whole(fourth)
        assert is_whole(models[1]), "another user of the same version let go of it, not this one"
        assert cached(tmp_path) == 2 * _SIZE


def test_a_model_travels_to_another_process_without_its_hold(yard: Client, tmp_path: Path) -> None:
    model = yard.pull("fraud@1")
    assert pickle.loads(pickle.dumps(model)) == model
    assert "_hold" not in model.to_dict()
    pulled = yard.pull("fraud@2", tmp_path / "mine")
    pulled.close()
    assert is_whole(pulled)


def test_a_deep_copy_keeps_the_files_until_it_is_closed_itself(yard: Client) -> None:
    model = yard.pull("fraud@1")
    kept = copy.deepcopy(model)
    assert kept == model
    model.close()
    for number in (2, 3, 4):
        yard.pull(f"fraud@{number}").close()
    assert is_whole(kept)

    kept.close()
    kept.close()
    for number in (2, 3, 4):
        yard.pull(f"fraud@{number}").close()
    assert not kept.path.exists()


def test_a_deep_copy_of_what_was_closed_keeps_nothing(yard: Client) -> None:
    model = yard.pull("fraud@1")
    model.close()
    copied = copy.deepcopy(model)
    for number in (2, 3, 4):
        yard.pull(f"fraud@{number}").close()
    assert not copied.path.exists()
