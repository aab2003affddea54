"""Caches on real machines: of other users, on volumes of clusters, in images, without locks, that can only be read."""

import errno
import fcntl
import grp
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.sdk.cached_versions import contents_of, fetch, message_of, version_of
from tests.sdk.fake_artifacts import FakeArtifacts, digest_of

from modelyard._cache import Cache, Hold, Upkeep, holds, layout, snapshots
from modelyard._connection import Connection
from modelyard.errors import CacheError
from modelyard.types import Version

pytestmark = pytest.mark.usefixtures("untried_locks")

CONTENTS = {"config.json": b"{}", "weights/a.bin": b"w" * 5000}
NOBODY = 65534
GROUP = 54321
"""A group that nobody is in."""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def version(registry: FakeArtifacts) -> Version:
    return version_of(CONTENTS, registry)


@pytest.fixture
def volume() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="modelyard-test-"))
    folder.chmod(0o755)
    yield folder
    layout.remove_tree(folder)


@contextmanager
def as_user(uid: int, gid: int = NOBODY) -> Iterator[None]:
    """Another user, and none of root's groups."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@only_root
async def test_what_root_pulled_serves_another_user_who_can_only_read(
    volume: Path, connection: Connection, registry: FakeArtifacts, version: Version
) -> None:
    (volume / "cache").mkdir(mode=0o755)
    await fetch(Cache(volume / "cache", 2**40), connection, version)
    Cache(volume / "cache", 2**40).remember("grpc://a:1", "team/fraud", message_of(version))
    registry.calls.clear()

    with as_user(1000):
        cache = Cache(volume / "cache", 2**40)
        path = cache.lookup(version.digest)
        assert path is not None
        assert contents_of(path) == CONTENTS
        assert cache.recall("grpc://a:1", "team/fraud") == message_of(version)
        cache.remember("grpc://a:1", "team/fraud", message_of(version))  # can't be noted, and serves all the same
        with pytest.raises(CacheError, match=rf"{volume}/cache/.*Permission denied.*uid 0.*chmod") as refused:
            await fetch(cache, connection, version_of({"other": b"1"}, registry))

    assert refused.value.reason == "CACHE_READ_ONLY"
    assert not registry.calls


@only_root
async def test_a_cache_that_root_keeps_to_itself_says_how_to_open_it(
    volume: Path, connection: Connection, version: Version
) -> None:
    await fetch(Cache(volume / "cache", 2**40), connection, version)

    with as_user(1000), pytest.raises(CacheError, match=r"mode 700\), and this is uid 1000.*chmod -R a\+rX"):
        Cache(volume / "cache", 2**40).lookup(version.digest)


@only_root
async def test_files_that_an_image_gave_new_inodes_are_read_once_and_serve(
    volume: Path, connection: Connection, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    (volume / "built").mkdir(mode=0o755)
    await fetch(Cache(volume / "built", 2**40), connection, version)
    shutil.copytree(volume / "built", volume / "cache")
    reads: list[Path] = []
    digest_of_file = snapshots.digest_of

    def digest(path: Path) -> str:
        reads.append(path)
        return digest_of_file(path)

    monkeypatch.setattr(snapshots, "digest_of", digest)

    with as_user(1000):
        cache = Cache(volume / "cache", 2**40)
        first = cache.lookup(version.digest)
        assert first is not None
        assert contents_of(first) == CONTENTS
        assert cache.lookup(version.digest) == first
        assert len(reads) == len(CONTENTS)

    damaged = volume / "cache" / "snapshots" / version.digest.removeprefix("sha256:") / "files" / "config.json"
    damaged.chmod(0o644)
    damaged.write_bytes(b"??")
    with as_user(1000):
        assert cache.lookup(version.digest) is None


@only_root
@pytest.mark.parametrize(("mode", "gid"), [(0o1777, 0), (0o3777, GROUP), (0o2775, GROUP), (0o770, GROUP)], ids=oct)
async def test_on_a_volume_that_is_shared_safely_each_user_has_a_folder(
    volume: Path, connection: Connection, version: Version, mode: int, gid: int
) -> None:
    os.chown(volume, 0, gid)
    volume.chmod(mode)

    with as_user(1000, GROUP):
        path, _ = await fetch(Cache(volume, 2**40), connection, version)
        assert Cache(volume, 2**40).lookup(version.digest) == path

    assert path.is_relative_to(volume / "user-1000")
    assert (volume / "user-1000").stat().st_mode & 0o777 == 0o700


@only_root
def test_a_group_with_others_in_it_is_named(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(volume, 0, GROUP)
    volume.chmod(0o2775)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("ml", "x", gid, ["alice", "bob"])))

    with as_user(1000, GROUP), pytest.raises(CacheError, match=r"group 'ml' \(gid 54321\).*alice, bob.*chmod g-w"):
        Cache(volume, 1).lookup(digest_of(b""))


@only_root
@pytest.mark.parametrize("owner", [0, 1001])
def test_a_volume_where_others_could_rename_is_refused(volume: Path, owner: int) -> None:
    os.chown(volume, owner, 0)
    volume.chmod(0o777 if owner == 0 else 0o1777)

    with as_user(1000), pytest.raises(CacheError, match=r"mode 777.*chmod \+t" if owner == 0 else "uid 1001"):
        Cache(volume, 1).lookup(digest_of(b""))


async def test_a_link_of_one_s_own_leads_to_the_cache(tmp_path: Path, connection: Connection, version: Version) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to(tmp_path / "disk")

    path, _ = await fetch(Cache(tmp_path / "cache", 2**40), connection, version)

    assert path.is_relative_to(tmp_path / "disk")


@only_root
def test_a_link_of_another_user_is_refused(volume: Path) -> None:
    (volume / "disk").mkdir(mode=0o700)
    (volume / "cache").symlink_to(volume / "disk")
    os.lchown(volume / "cache", 1001, 1001)

    with pytest.raises(CacheError, match="symbolic link of another user"):
        Cache(volume / "cache", 1).lookup(digest_of(b""))


# Without locks


def refuses(code: int) -> object:
    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return flock


LOCKS = [refuses(errno.ENOSYS), refuses(errno.ENOLCK), lambda *_: None]


@pytest.mark.parametrize("flock", LOCKS, ids=["ENOSYS", "ENOLCK", "nothing"])
async def test_without_locks_nothing_of_a_live_process_is_swept_or_evicted(
    tmp_path: Path,
    connection: Connection,
    registry: FakeArtifacts,
    version: Version,
    monkeypatch: pytest.MonkeyPatch,
    flock: object,
) -> None:
    monkeypatch.setattr(fcntl, "flock", flock)
    cache = Cache(tmp_path / "cache", 10)
    hold = Hold()
    path, _ = await cache.fetch(connection, version, hold)
    monkeypatch.setattr(holds, "_locks", {})  # as another process
    live = layout.Staging(cache._layout)
    dead = layout.Staging(cache._layout)
    told = json.loads(dead.lease.read_text())
    dead.lease.write_text(json.dumps({**told, "started": "1"}))

    await fetch(cache, connection, version_of({"other": b"1"}, registry))

    assert live.path.is_dir()
    assert not dead.path.exists()
    assert contents_of(path) == CONTENTS
    live.close()
    hold.close()
    await cache.evict()
    assert not path.exists()


async def test_a_process_elsewhere_is_dead_only_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    cache = Cache(tmp_path / "cache", 10)
    cache._layout.prepare()
    elsewhere = layout.Staging(cache._layout)
    told = json.loads(elsewhere.lease.read_text())
    elsewhere.lease.write_text(json.dumps({**told, "where": "another machine"}))

    layout.sweep(cache._layout)
    assert elsewhere.path.exists()

    os.utime(elsewhere.lease, (0, 0))
    layout.sweep(cache._layout)
    assert not elsewhere.path.exists()


def test_a_failure_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    (tmp_path / "cache" / "blobs").write_text("")

    with pytest.raises(CacheError, match=f"{tmp_path}/cache/blobs"):
        Cache(tmp_path / "cache", 1).lookup(digest_of(b""))


# Upkeep


async def test_versions_are_listed_verified_and_removed(
    tmp_path: Path, connection: Connection, registry: FakeArtifacts, version: Version
) -> None:
    cache = Cache(tmp_path / "cache", 2**40)
    path, _ = await fetch(cache, connection, version)
    cache.remember("grpc://a:1", "team/fraud", message_of(version))
    other = version_of({"other": b"1"}, registry)
    hold = Hold()
    await cache.fetch(connection, other, hold)
    upkeep = Upkeep(cache.root)

    assert {(each.digest, each.names, each.size) for each in upkeep.versions()} == {
        (version.digest, (str(version.name),), 5002),
        (other.digest, (), 1),
    }
    by_digest = {each.digest: each for each in upkeep.versions()}
    assert not by_digest[version.digest].in_use
    (user,) = by_digest[other.digest].processes
    assert (user.pid, user.machine) == (os.getpid(), os.uname().nodename)
    with pytest.raises(CacheError, match=rf"running process uses it: .*\(pid {os.getpid()}\). Stop"):
        upkeep.remove(other.digest)
    hold.close()
    assert upkeep.collect(5003) == 5003
    upkeep.remove(other.digest)
    assert [each.digest for each in upkeep.versions()] == [version.digest]
    assert upkeep.size() == 5002
    await fetch(cache, connection, other)
    upkeep.remove(other.digest)
    assert upkeep.size() == 5002

    assert upkeep.verify() == []
    status = (path / "config.json").stat()
    (path / "config.json").chmod(0o644)
    (path / "config.json").write_bytes(b"??")
    os.utime(path / "config.json", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [each.path for each in upkeep.verify()] == ["config.json"]
    assert cache.lookup(version.digest) is None
    again, received = await fetch(cache, connection, version)
    assert (contents_of(again), received) == (CONTENTS, 2)


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    upkeep = Upkeep(tmp_path / "cache")

    assert (upkeep.versions(), upkeep.size(), upkeep.verify()) == ([], 0, [])
    assert not (tmp_path / "cache").exists()
