"""A target holds exactly one version: the old one or the new one, for every reader and after every death."""

import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

import pytest
from tests.sdk.cached_versions import contents_of, fetch, version_of, version_with
from tests.sdk.fake_artifacts import MIB, FakeArtifacts, file_of

from modelyard._cache import Cache
from modelyard._connection import Connection
from modelyard._target import TargetFolder, TargetLink, exchange
from modelyard._transfer import copies
from modelyard.errors import InvalidArgumentError, VerificationError
from modelyard.types import Version

pytestmark = pytest.mark.usefixtures("untried_locks")

ONE = {"config.json": b"1", "weights/a.bin": random.Random(1).randbytes(MIB + 1), "only-in-1": b"1"}
TWO = {**ONE, "config.json": b"2", "only-in-2": b"new"}
del TWO["only-in-1"]


class Bring(Protocol):
    def __call__(self, contents: dict[str, bytes], *, force: bool = False, cached: bool = True) -> Awaitable[int]: ...


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 2**40)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "fraud"


@pytest.fixture
def bring(registry: FakeArtifacts, connection: Connection, cache: Cache, target: Path) -> Bring:
    """Has the target hold these files, as a pull does; the bytes that came over the network."""

    async def bring(contents: dict[str, bytes], *, force: bool = False, cached: bool = True) -> int:
        registry.files = dict(contents)
        version = version_of(contents)
        place = TargetFolder(target, force=force)
        place.check()
        return await place.bring(connection, version, cache=cache if cached else None, progress=None)

    return bring


def beside(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


@pytest.mark.parametrize("cached", [True, False])
async def test_a_target_holds_the_version_and_nothing_of_the_one_before(
    bring: Bring, target: Path, cached: bool
) -> None:
    await bring(ONE, cached=cached)
    assert contents_of(target) == ONE

    received = await bring(TWO, cached=cached)

    assert contents_of(target) == TWO
    assert received == 4, "what the former target or the cache holds does not travel again"
    assert beside(target) == {"fraud", ".fraud.modelyard"}


async def test_an_empty_folder_is_filled_and_keeps_its_mode(bring: Bring, target: Path) -> None:
    target.mkdir(parents=True)
    target.chmod(0o750)

    await bring(ONE)

    assert contents_of(target) == ONE
    assert stat.S_IMODE(target.stat().st_mode) == 0o750


async def test_a_target_that_holds_the_version_is_left_as_it_is(
    bring: Bring, target: Path, registry: FakeArtifacts
) -> None:
    await bring(ONE, cached=False)
    before = target.stat()
    registry.calls.clear()

    assert await bring(ONE, cached=False) == 0

    assert target.stat() == before
    assert not registry.calls


async def test_a_file_that_was_changed_is_made_good(bring: Bring, target: Path) -> None:
    await bring(ONE, cached=False)
    (target / "config.json").write_bytes(b"?")

    assert await bring(ONE, cached=False) == 1

    assert contents_of(target) == ONE


@pytest.mark.parametrize("pulled_before", [True, False])
async def test_files_of_a_user_are_never_replaced_unless_forced(
    bring: Bring, target: Path, pulled_before: bool
) -> None:
    if pulled_before:
        await bring(ONE)
    (target / "mine").mkdir(parents=True)
    (target / "mine" / "notes.txt").write_text("mine")
    before = contents_of(target)

    with pytest.raises(InvalidArgumentError, match=r"mine/notes.txt.*force") as refused:
        await bring(TWO)

    assert refused.value.reason == "TARGET_NOT_EMPTY"
    assert contents_of(target) == before
    await bring(TWO, force=True)
    assert contents_of(target) == TWO


async def test_a_folder_that_took_the_place_of_a_target_is_the_user_s(bring: Bring, target: Path) -> None:
    await bring(ONE)
    target.rename(target.with_name("moved"))
    target.mkdir()
    (target / "config.json").write_text("mine")

    with pytest.raises(InvalidArgumentError, match=r"config\.json"):
        await bring(TWO)


async def test_a_file_is_no_target(bring: Bring, target: Path) -> None:
    target.parent.mkdir()
    target.write_text("mine")

    with pytest.raises(InvalidArgumentError, match="not a folder"):
        await bring(ONE, force=True)

    assert target.read_text() == "mine"


async def test_a_link_of_the_user_leads_to_the_folder_that_is_meant(bring: Bring, target: Path) -> None:
    real = target.parent / "disk" / "fraud"
    real.mkdir(parents=True)
    target.symlink_to(real)

    await bring(ONE)
    await bring(TWO)

    assert target.is_symlink()
    assert contents_of(real) == TWO


async def test_readers_never_see_files_of_two_versions(bring: Bring, target: Path) -> None:
    await bring(ONE)
    seen: set[frozenset[str]] = set()
    over = Event()

    def look() -> None:
        while not over.is_set():
            before = target.stat().st_ino
            names = frozenset(path.name for path in target.iterdir())
            if target.stat().st_ino == before:  # else the old folder was removed while it was listed
                seen.add(names)

    reader = Thread(target=look)
    reader.start()
    for _ in range(10):
        await bring(TWO)
        await bring(ONE)
    over.set()
    reader.join()

    assert seen == {frozenset(path.partition("/")[0] for path in files) for files in (ONE, TWO)}


_DIES = """
    import asyncio, os, signal, sys
    from pathlib import Path
    from modelyard._cache import Cache, snapshots
    from modelyard._target import TargetFolder, folder, marker
    from tests.sdk.cached_versions import version_of
    from tests.sdk.fake_artifacts import FakeArtifacts, connect, serve

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    async def main(target, step):
        registry = FakeArtifacts()
        if step == "exchange":
            folder.exchange = die
        elif step == "after":
            exchange = folder.exchange
            folder.exchange = lambda *paths: (exchange(*paths), die())
        else:
            folder.fill = die
        async with serve(registry) as url, connect(url) as connection:
            version = version_of(TWO, registry)
            await TargetFolder(Path(target), force=False).bring(connection, version, cache=None, progress=None)

    TWO = {"config.json": b"2", "only-in-2": b"new"}
    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("step", "held"), [("fill", ONE), ("exchange", ONE), ("after", None)])
async def test_kill_9_leaves_one_version_and_the_next_pull_goes_on(
    bring: Bring, target: Path, step: str, held: dict[str, bytes] | None
) -> None:
    await bring(ONE)
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_DIES), target, step], cwd=Path(__file__).parents[2], check=False
    )
    assert died.returncode == -signal.SIGKILL

    assert contents_of(target) == (held or {"config.json": b"2", "only-in-2": b"new"})
    await bring(TWO)
    assert contents_of(target) == TWO
    assert beside(target) == {"fraud", ".fraud.modelyard"}


async def test_without_an_exchange_in_the_file_system_the_new_version_still_comes_whole(
    bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_swap", lambda: None)
    await bring(ONE)

    await bring(TWO)

    assert contents_of(target) == TWO
    assert beside(target) == {"fraud", ".fraud.modelyard"}


async def test_a_mount_point_is_filled_and_only_replaced_by_force(
    bring: Bring, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(target))
    target.mkdir(parents=True)
    await bring(ONE)
    assert contents_of(target).keys() == {*ONE, ".modelyard.json"}
    assert await bring(ONE) == 0

    with pytest.raises(InvalidArgumentError, match="one step"):
        await bring(TWO)

    assert contents_of(target).keys() == {*ONE, ".modelyard.json"}
    await bring(TWO, force=True)
    assert contents_of(target).keys() == {*TWO, ".modelyard.json"}
    (target / "mine").touch()
    with pytest.raises(InvalidArgumentError, match="mine"):
        await bring(TWO)


# The bytes are there once


async def test_a_target_beside_the_cache_needs_no_second_copy(bring: Bring, target: Path, cache: Cache) -> None:
    await bring(ONE)

    inodes = {path.stat().st_ino for path in (cache.root / "blobs").rglob("*") if path.is_file()}
    assert all(path.stat().st_ino in inodes for path in target.rglob("*") if path.is_file())


async def test_without_the_cache_nothing_is_written_to_it(bring: Bring, target: Path, cache: Cache) -> None:
    await bring(ONE, cached=False)

    assert not cache.root.exists()
    assert (target / "config.json").stat().st_mode & 0o200, "the only copy is the user's to change"


async def test_a_cache_on_another_disk_gets_no_copy(
    bring: Bring, target: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cache, "shares_with", lambda *_: False)

    await bring(ONE)

    assert contents_of(target) == ONE
    assert cache.size() == 0


async def test_links_of_targets_do_not_count_as_use_of_the_cache(
    bring: Bring, cache: Cache, registry: FakeArtifacts, connection: Connection
) -> None:
    await bring(ONE)
    assert cache.size() == sum(map(len, {*ONE.values()}))


async def test_a_cached_file_that_rots_is_noticed_and_fetched_again(
    bring: Bring, target: Path, cache: Cache, registry: FakeArtifacts, connection: Connection
) -> None:
    version = version_of(ONE, registry)
    path, _ = await fetch(cache, connection, version)
    damaged = path / "weights" / "a.bin"
    status = damaged.stat()
    damaged.chmod(0o644)
    with damaged.open("r+b") as file:
        file.write(b"?")
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.lookup(version.digest) == path, "a rotten disk leaves no trace in the stamps"

    assert await bring(ONE) == MIB + 1

    assert contents_of(target) == ONE
    assert cache.lookup(version.digest) is None


async def test_wrong_bytes_leave_the_target_as_it_was(
    bring: Bring, target: Path, registry: FakeArtifacts, connection: Connection
) -> None:
    await bring(ONE)
    version = version_of(TWO, registry)
    registry.files["only-in-2"] = b"?"

    with pytest.raises(VerificationError):
        await TargetFolder(target, force=False).bring(connection, version, cache=None, progress=None)

    assert contents_of(target) == ONE
    assert beside(target) == {"fraud", ".fraud.modelyard"}


# The executable bit


@pytest.mark.parametrize("cached", [True, False])
async def test_the_executable_bit_is_set_again_for_that_file_alone(
    target: Path, registry: FakeArtifacts, connection: Connection, cache: Cache, cached: bool
) -> None:
    registry.files = {"plain": b"#!/bin/sh\n", "run.sh": b"#!/bin/sh\n"}
    plain, run = [file_of(path, data) for path, data in registry.files.items()]
    version = version_with((plain, replace(run, executable=True)))

    await TargetFolder(target, force=False).bring(connection, version, cache=cache if cached else None, progress=None)

    assert os.access(target / "run.sh", os.X_OK)
    assert not (target / "plain").stat().st_mode & 0o111
    assert subprocess.run([target / "run.sh"], check=False).returncode == 0


# Links


async def put_link(link: Path, connection: Connection, version: Version, cache: Cache, *, force: bool = False) -> None:
    place = TargetLink(link, force=force)
    place.check()
    await place.bring(connection, version, cache=cache, progress=None)


async def test_a_link_is_swapped_at_once(
    target: Path, registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    for contents in (ONE, TWO):
        await put_link(target, connection, version_of(contents, registry), cache)
        assert target.is_symlink()
        assert contents_of(target) == contents

    assert beside(target) == {"fraud"}


async def test_a_link_and_a_pulled_folder_take_each_other_s_place(
    bring: Bring, target: Path, registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    await bring(ONE)
    await put_link(target, connection, version_of(TWO, registry), cache)
    assert target.is_symlink()
    assert contents_of(target) == TWO

    await bring(ONE)

    assert not target.is_symlink()
    assert contents_of(target) == ONE


async def test_a_link_of_the_user_is_not_replaced_unless_forced(
    target: Path, registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    target.parent.mkdir()
    target.symlink_to(target.parent)
    version = version_of(ONE, registry)

    with pytest.raises(InvalidArgumentError, match="no pull made"):
        await put_link(target, connection, version, cache)

    await put_link(target, connection, version, cache, force=True)
    assert contents_of(target) == ONE


async def test_what_a_link_leads_to_is_not_evicted(
    target: Path, registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    await put_link(target, connection, version_of(ONE, registry), cache)

    await cache.evict()
    assert contents_of(target) == ONE

    target.unlink()
    await cache.evict()
    assert cache.size() == 0


def test_a_clone_or_a_link_or_a_copy_has_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_bytes(b"weights")
    file = file_of("weights", b"weights")
    assert copies.take(file, tmp_path / "source", tmp_path / "linked", verified=False)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert copies.take(file, tmp_path / "source", tmp_path / "copied", verified=False)
    assert not copies.take(file_of("weights", b"other!!"), tmp_path / "source", tmp_path / "wrong", verified=False)

    assert (tmp_path / "linked").read_bytes() == (tmp_path / "copied").read_bytes() == b"weights"
    assert not (tmp_path / "wrong").exists()
