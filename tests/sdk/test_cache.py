"""What is in the cache is the version, whole and verified; whoever else uses it, dies in it or tampers with it."""

import asyncio
import os
import random
import shutil
import signal
import stat
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sdk.cached_versions import (
    bytes_received_by,
    contents_of,
    end,
    fetch,
    message_of,
    start_puller,
    version_of,
    version_with,
    with_digest,
)
from tests.sdk.fake_artifacts import MIB, FakeArtifacts, Pause, digest_of, file_of, serve
from tests.support.paths import HOSTILE_PATHS

from modelyard._cache import Cache, Hold, locks
from modelyard._connection import Connection
from modelyard._transfer import retries
from modelyard.core.manifest import File, manifest_digest
from modelyard.errors import CacheError, NotFoundError, UnavailableError, VerificationError
from modelyard.types import Progress, Version
from modelyard.v1 import artifacts_pb2 as pb

pytestmark = pytest.mark.usefixtures("untried_locks")

CONTENTS = {
    "config.json": b"{}",
    "empty": b"",
    "weights/a.bin": random.Random(1).randbytes(5 * MIB + 1),
    "weights/b.bin": random.Random(2).randbytes(1000),
    "weights/again.bin": random.Random(2).randbytes(1000),
}
TO_RECEIVE = 5 * MIB + 1 + 1000 + 2
"""Bytes of these without those that are there twice."""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(locks, "_POLL", 0.005)


@pytest.fixture
def version(registry: FakeArtifacts) -> Version:
    return version_of(CONTENTS, registry)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 2**40)


def leftovers(cache: Cache) -> list[Path]:
    return list((cache.root / "staging").iterdir())


def blob(cache: Cache, data: bytes) -> Path:
    name = digest_of(data).removeprefix("sha256:")
    return cache.root / "blobs" / "sha256" / name[:2] / name


async def test_a_fetched_version_is_there_and_is_found_without_a_call(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    assert cache.lookup(version.digest) is None

    path, received = await fetch(cache, connection, version)

    assert contents_of(path) == CONTENTS
    assert received == TO_RECEIVE
    registry.calls.clear()
    assert cache.lookup(version.digest) == path
    assert not registry.calls
    assert not leftovers(cache)


async def test_nobody_else_may_read_or_write_it_and_its_user_not_by_accident(
    connection: Connection, cache: Cache, version: Version
) -> None:
    path, _ = await fetch(cache, connection, version)

    assert stat.S_IMODE(cache.root.stat().st_mode) == 0o700
    assert stat.S_IMODE((path / "weights" / "a.bin").stat().st_mode) == 0o444
    assert stat.S_IMODE((path / "weights").stat().st_mode) == 0o555


async def test_bytes_that_versions_share_are_fetched_and_kept_once(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    await fetch(cache, connection, version)
    before = cache.size()
    other = version_of({**CONTENTS, "config.json": b'{"new": 1}'}, registry)

    path, received = await fetch(cache, connection, other)

    assert received == 10
    assert cache.size() == before + 10
    assert (path / "weights" / "a.bin").samefile(blob(cache, CONTENTS["weights/a.bin"]))


async def test_many_lookups_are_fast(connection: Connection, cache: Cache, version: Version) -> None:
    await fetch(cache, connection, version)

    started = time.perf_counter()
    for _ in range(20):
        assert cache.lookup(version.digest)

    assert (time.perf_counter() - started) / 20 < 0.005


def touch_a_byte(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"?")


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 10)


def swap(path: Path) -> None:
    path.parent.chmod(0o755)
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(status.st_size))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


def swap_for_a_link(path: Path) -> None:
    path.parent.chmod(0o755)
    data = path.read_bytes()
    path.unlink()
    (path.parents[4] / "elsewhere").write_bytes(data)
    path.symlink_to(path.parents[4] / "elsewhere")


def swap_folder_for_a_link(path: Path) -> None:
    path.parent.parent.chmod(0o755)
    path.parent.chmod(0o755)
    path.parent.rename(path.parents[4] / "folder")
    path.parent.symlink_to(path.parents[4] / "folder")


def remove(path: Path) -> None:
    path.parent.chmod(0o755)
    path.unlink()


def add_another(path: Path) -> None:
    path.parent.chmod(0o755)
    path.with_name("planted.bin").write_bytes(b"?")


def forge_record(path: Path) -> None:
    record = path.parents[2] / "record.json"
    record.write_text(record.read_text().replace("weights/a.bin", "weights/x.bin"))


def tear_record(path: Path) -> None:
    record = path.parents[2] / "record.json"
    os.truncate(record, 20)


def remove_lock(path: Path) -> None:
    (path.parents[2] / "lock").unlink()


TAMPERING = [
    touch_a_byte,
    truncate,
    swap,
    swap_for_a_link,
    swap_folder_for_a_link,
    remove,
    add_another,
    forge_record,
    tear_record,
    remove_lock,
]


@pytest.mark.parametrize("tamper", TAMPERING)
async def test_what_was_tampered_with_is_noticed_and_made_good(
    connection: Connection, cache: Cache, version: Version, tamper: Callable[[Path], None]
) -> None:
    path, _ = await fetch(cache, connection, version)
    tamper(path / "weights" / "a.bin")

    assert cache.lookup(version.digest) is None
    again, received = await fetch(cache, connection, version)

    assert contents_of(again) == CONTENTS
    assert not (again / "weights").is_symlink()
    assert not (again / "weights" / "a.bin").is_symlink()
    assert received == (5 * MIB + 1 if tamper in {touch_a_byte, truncate} else 0), "only damaged bytes travel again"
    assert cache.lookup(version.digest) == again


async def test_a_version_in_use_is_made_good_under_its_users(
    connection: Connection, cache: Cache, version: Version
) -> None:
    path, _ = await fetch(cache, connection, version)
    with (path / "weights" / "b.bin").open("rb") as in_use:
        touch_a_byte(path / "weights" / "a.bin")
        await fetch(cache, connection, version)

        assert in_use.read() == CONTENTS["weights/b.bin"]
    assert contents_of(path) == CONTENTS


async def test_a_file_that_was_only_touched_is_hashed_not_fetched(
    connection: Connection, cache: Cache, version: Version
) -> None:
    path, _ = await fetch(cache, connection, version)
    os.utime(path / "weights" / "a.bin")
    assert cache.lookup(version.digest) is None

    _, received = await fetch(cache, connection, version)

    assert received == 0
    assert cache.lookup(version.digest) == path


async def test_a_blob_without_its_stamp_is_hashed_not_trusted(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    await fetch(cache, connection, version)
    data = CONTENTS["weights/a.bin"]
    planted = blob(cache, data)
    planted.with_suffix(".stamp").unlink()
    planted.unlink()
    planted.write_bytes(bytes(len(data)))
    other = version_of({"a": data}, registry)

    path, received = await fetch(cache, connection, other)

    assert contents_of(path) == {"a": data}
    assert received == len(data)


async def test_without_hard_links_it_copies(
    connection: Connection, cache: Cache, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    path, _ = await fetch(cache, connection, version)

    assert contents_of(path) == CONTENTS
    assert cache.lookup(version.digest) == path
    assert cache.size() == sum(map(len, CONTENTS.values()))
    touch_a_byte(path / "config.json")
    await fetch(cache, connection, version)
    assert contents_of(path) == CONTENTS


# A registry that can't be trusted

PATHS = [*(path for paths in HOSTILE_PATHS.values() for path in paths), "a\ud800b"]


@pytest.mark.parametrize("path", PATHS, ids=ascii)
async def test_paths_that_could_lead_elsewhere_are_refused_before_anything_is_written(
    registry: FakeArtifacts, connection: Connection, cache: Cache, tmp_path: Path, path: str
) -> None:
    file = File(path=path, size=4, digest=digest_of(b"evil"))
    digest = digest_of(b"") if "\ud800" in path else manifest_digest([file])

    with pytest.raises(VerificationError) as caught:
        await fetch(cache, connection, version_with((file,), digest))

    assert caught.value.reason == "MANIFEST_INVALID"
    assert not list(tmp_path.iterdir())
    assert not registry.calls


@pytest.mark.parametrize(
    "files",
    [
        (file_of("Model.bin", b"1"), file_of("model.bin", b"2")),
        (file_of("a", b"1"), file_of("a/b", b"2")),
        (file_of("a", b"1"), File("b", 2, digest_of(b"1"))),
        (File("a", -1, digest_of(b"1")),),
        (File("a", 1, "sha256:../../../etc/passwd"),),
        (File("a", 1, "md5:d41d8cd98f00b204e9800998ecf8427e"),),
        (),
        tuple(file_of(f"{number}", b"1") for number in range(10_001)),
    ],
    ids=["case", "file-and-folder", "two-sizes", "negative", "no-digest", "md5", "none", "too-many"],
)
async def test_lists_of_files_that_no_version_can_have_are_refused(
    connection: Connection, cache: Cache, tmp_path: Path, files: tuple[File, ...]
) -> None:
    with pytest.raises(VerificationError):
        await fetch(cache, connection, version_with(files))

    assert not list(tmp_path.iterdir())


async def test_a_list_of_files_that_is_not_the_digest_s_is_refused(
    connection: Connection, cache: Cache, version: Version, tmp_path: Path
) -> None:
    with pytest.raises(VerificationError) as caught:
        await fetch(cache, connection, with_digest(version, digest_of(b"another")))

    assert caught.value.reason == "DIGEST_MISMATCH"
    assert not list(tmp_path.iterdir())


def wrong_bytes(registry: FakeArtifacts) -> None:
    registry.files["weights/a.bin"] = bytes(5 * MIB + 1)


def longer(registry: FakeArtifacts) -> None:
    registry.files["weights/a.bin"] += b"?"


def shorter(registry: FakeArtifacts) -> None:
    registry.files["weights/a.bin"] = registry.files["weights/a.bin"][:-1]


def wrong_offsets(registry: FakeArtifacts) -> None:
    registry.faults.rewrite = lambda m: pb.ReadFileResponse(offset=m.offset + 1, data=m.data, crc32c=m.crc32c)


@pytest.mark.parametrize("lie", [wrong_bytes, longer, shorter, wrong_offsets])
async def test_nothing_of_a_version_with_one_wrong_file_can_be_used(
    registry: FakeArtifacts,
    connection: Connection,
    cache: Cache,
    version: Version,
    lie: Callable[[FakeArtifacts], None],
) -> None:
    lie(registry)

    with pytest.raises(VerificationError):
        await fetch(cache, connection, version)

    assert cache.lookup(version.digest) is None
    assert not list((cache.root / "snapshots").iterdir())
    assert not blob(cache, CONTENTS["weights/a.bin"]).exists()
    assert not leftovers(cache)


async def test_files_that_arrived_before_a_failure_need_not_travel_again(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    data = registry.files.pop("weights/a.bin")
    with pytest.raises(NotFoundError):
        await fetch(cache, connection, version)
    kept = cache.size()
    registry.files["weights/a.bin"] = data

    _, received = await fetch(cache, connection, version)

    assert received == TO_RECEIVE - kept


SMALL = {f"{index}.json": random.Random(index).randbytes(100 + index) for index in range(25)}


async def test_small_files_travel_together(registry: FakeArtifacts, connection: Connection, cache: Cache) -> None:
    version = version_of({**CONTENTS, **SMALL}, registry)

    path, received = await fetch(cache, connection, version)

    assert contents_of(path) == {**CONTENTS, **SMALL}
    assert received == TO_RECEIVE + sum(map(len, SMALL.values()))
    small = len(SMALL) + len({CONTENTS[name] for name in CONTENTS if name != "weights/a.bin"})
    assert registry.calls["BatchReadFiles"] == -(-small // registry.limits.max_batch_count)
    assert registry.calls["ReadFile"] == 1
    assert not leftovers(cache)


async def test_small_files_that_are_here_do_not_travel_again(
    registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    await fetch(cache, connection, version_of(SMALL, registry))

    _, received = await fetch(
        cache, connection, version_of({**SMALL, "new.json": b"new", "2.json": b"other"}, registry)
    )

    assert received == len(b"new") + len(b"other")


async def test_a_small_file_that_was_tampered_with_is_made_good(
    registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    await fetch(cache, connection, version_of(SMALL, registry))
    damaged = blob(cache, SMALL["3.json"])
    damaged.chmod(0o600)
    damaged.write_bytes(bytes(len(SMALL["3.json"])))

    path, _ = await fetch(cache, connection, version_of({**SMALL, "new.json": b"new"}, registry))

    assert contents_of(path) == {**SMALL, "new.json": b"new"}


async def test_a_batch_that_was_cut_off_or_damaged_on_its_way_is_asked_for_again(
    registry: FakeArtifacts, connection: Connection, cache: Cache
) -> None:
    registry.faults.break_batches, registry.faults.corrupt_batches = 6, 2

    path, _ = await fetch(cache, connection, version_of(SMALL, registry))

    assert contents_of(path) == SMALL


def other_bytes(registry: FakeArtifacts) -> None:
    registry.files["7.json"] = bytes(len(SMALL["7.json"]))


def more_bytes(registry: FakeArtifacts) -> None:
    registry.files["7.json"] += b"?"


def fewer_files(registry: FakeArtifacts) -> None:
    registry.faults.drop_items = True


@pytest.mark.parametrize("lie", [other_bytes, more_bytes, fewer_files])
async def test_nothing_of_a_version_with_one_wrong_small_file_can_be_used(
    registry: FakeArtifacts, connection: Connection, cache: Cache, lie: Callable[[FakeArtifacts], None]
) -> None:
    version = version_of(SMALL, registry)
    lie(registry)

    with pytest.raises(VerificationError):
        await fetch(cache, connection, version)

    assert cache.lookup(version.digest) is None
    assert not list((cache.root / "snapshots").iterdir())
    assert not blob(cache, SMALL["7.json"]).exists()
    assert not leftovers(cache)


async def test_processes_that_fetch_small_files_at_once_share_one_download(
    registry: FakeArtifacts, cache: Cache
) -> None:
    version = version_of(SMALL, registry)
    async with serve(registry) as url:
        pullers = await asyncio.gather(*(start_puller(url, cache.root, version) for _ in range(3)))
        received = [await bytes_received_by(puller) for puller in pullers]
        for puller in pullers:
            await end(puller)

    assert sum(received) == sum(map(len, SMALL.values()))


# Several processes


async def test_processes_that_fetch_at_once_share_one_download(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    pullers = [await start_puller(connection.server, cache.root, version) for _ in range(4)]

    received = [await bytes_received_by(puller) for puller in pullers]

    assert sum(received) == TO_RECEIVE
    path = cache.lookup(version.digest)
    assert path is not None
    assert contents_of(path) == CONTENTS
    for puller in pullers:
        await end(puller)
    assert not leftovers(cache)


async def test_fetches_at_once_in_one_process_share_one_download(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    results = await asyncio.gather(*(fetch(cache, connection, version) for _ in range(4)))

    assert sum(received for _, received in results) == TO_RECEIVE
    assert len({path for path, _ in results}) == 1
    assert not leftovers(cache)


async def test_kill_9_in_the_middle_leaves_nothing_that_looks_whole_and_nothing_for_ever(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    pause = registry.faults.pause_reads = Pause(2 * MIB)
    puller = await start_puller(connection.server, cache.root, version)
    await pause.reached.wait()
    puller.kill()
    assert await puller.wait() == -signal.SIGKILL
    pause.released.set()
    assert leftovers(cache)
    assert cache.lookup(version.digest) is None

    path, _ = await fetch(cache, connection, version)

    assert contents_of(path) == CONTENTS
    assert not leftovers(cache)


async def test_whoever_waits_for_a_process_that_is_killed_takes_over(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    pause = registry.faults.pause_reads = Pause(2 * MIB)
    puller = await start_puller(connection.server, cache.root, version)
    await pause.reached.wait()
    waiting = asyncio.create_task(fetch(cache, connection, version))
    pause.released.set()
    puller.kill()

    path, received = await waiting

    await puller.wait()
    assert contents_of(path) == CONTENTS
    assert received >= len(CONTENTS["weights/a.bin"])


async def test_a_process_that_stands_still_stops_no_other(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_PATIENCE", 0.1)
    await fetch(cache, connection, version_of({"other": b"1"}, registry))
    lock = cache.root / "staging" / f"blob-{digest_of(CONTENTS['weights/a.bin']).removeprefix('sha256:')}.lock"
    stopped = locks.try_lock(lock, create=True)
    assert stopped is not None

    path, _ = await fetch(cache, connection, version)

    assert contents_of(path) == CONTENTS
    os.close(stopped)


async def test_a_cancelled_fetch_leaves_nothing_half(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    started = asyncio.Event()
    task = asyncio.create_task(fetch(cache, connection, version, progress=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert cache.lookup(version.digest) is None
    assert not leftovers(cache)


# Bounds


async def _use(cache: Cache, connection: Connection, registry: FakeArtifacts, name: str) -> Version:
    """Fetches a version of 1,000 bytes, as a process that ended since."""
    version = version_of({name: name.encode() * 1000}, registry)
    await fetch(cache, connection, version)
    return version


def _is_there(cache: Cache, version: Version) -> bool:
    return cache._layout.snapshot(version.digest).exists()


def _age(cache: Cache, version: Version, seconds: int) -> None:
    moment = time.time() - seconds
    os.utime(cache._layout.snapshot(version.digest) / "lock", (moment, moment))


async def test_the_least_recently_used_versions_make_room(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 2500)
    old, used = [await _use(cache, connection, registry, name) for name in "ab"]
    _age(cache, old, 200)
    _age(cache, used, 300)
    assert cache.lookup(used.digest)

    new = await _use(cache, connection, registry, "c")

    assert [_is_there(cache, version) for version in (old, used, new)] == [False, True, True]
    assert cache.size() == 2000
    assert not blob(cache, b"a" * 1000).exists()
    assert not blob(cache, b"a" * 1000).with_suffix(".stamp").exists()


async def test_what_a_process_uses_is_never_evicted(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    in_use = version_of({"a": b"a" * 1000}, registry)
    puller = await start_puller(connection.server, cache.root, in_use, max_bytes=10)
    await bytes_received_by(puller)
    other = await _use(cache, connection, registry, "b")

    await cache.evict()

    assert [_is_there(cache, version) for version in (in_use, other)] == [True, False]

    await end(puller)
    await cache.evict()

    assert not _is_there(cache, in_use)
    assert cache.size() == 0


async def test_what_this_process_uses_is_never_evicted(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    version = version_of({"a": b"a" * 1000}, registry)
    one, other = Hold(), Hold()
    path, _ = await cache.fetch(connection, version, one)
    assert cache.lookup(version.digest, other) == path
    one.close()
    one.close()

    await cache.evict()
    assert contents_of(path) == {"a": b"a" * 1000}

    other.close()
    await cache.evict()
    assert not _is_there(cache, version)


async def test_what_nothing_refers_to_any_more_is_not_in_use(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    version = version_of({"a": b"a" * 1000}, registry)
    hold = Hold()
    await cache.fetch(connection, version, hold)
    await cache.evict()
    assert _is_there(cache, version)

    del hold
    await cache.evict()

    assert not _is_there(cache, version)
    assert not leftovers(cache), "nor does anything tell of its use"


async def test_a_forked_child_that_ends_takes_nothing_from_its_parent(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    version = version_of({"a": b"a" * 1000}, registry)
    with Hold() as hold:
        await cache.fetch(connection, version, hold)
        child = os.fork()
        if not child:
            hold.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

        assert await _users_after_an_eviction_elsewhere(cache.root) == "1"


async def _users_after_an_eviction_elsewhere(root: Path) -> str:
    """How many processes use each version that is left, as another process finds them after it tried to empty the
    cache."""
    script = f"""
        import asyncio
        from pathlib import Path
        from modelyard._cache import Cache, Upkeep
        asyncio.run(Cache(Path({str(root)!r}), 0).evict())
        print(*(len(version.processes) for version in Upkeep(Path({str(root)!r})).versions()))
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode().strip()


async def test_a_version_that_was_made_good_stays_in_use_by_those_who_used_it(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 10)
    version = version_of({"a": b"a" * 1000}, registry)
    puller = await start_puller(connection.server, cache.root, version, max_bytes=10)
    await bytes_received_by(puller)
    touch_a_byte(cache._layout.snapshot(version.digest) / "files" / "a")
    await fetch(cache, connection, version)

    await cache.evict()

    assert _is_there(cache, version)
    await end(puller)


async def test_bytes_that_another_version_still_has_stay(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 1500)
    shared = b"s" * 1000
    old = version_of({"s": shared, "x": b"x" * 400}, registry)
    new = version_of({"s": shared, "y": b"y" * 400}, registry)
    await fetch(cache, connection, old)

    path, received = await fetch(cache, connection, new)

    assert received == 400
    assert contents_of(path) == {"s": shared, "y": b"y" * 400}
    assert not _is_there(cache, old)


async def test_what_a_failed_fetch_left_goes_before_any_version(
    registry: FakeArtifacts, connection: Connection, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache", 2500)
    kept = await _use(cache, connection, registry, "a")
    broken = version_of({"b": b"b" * 1000, "missing": b"?"}, registry)
    del registry.files["missing"]
    with pytest.raises(NotFoundError):
        await fetch(cache, connection, broken)

    new = await _use(cache, connection, registry, "c")

    assert _is_there(cache, kept)
    assert _is_there(cache, new)


# A folder that can't be trusted


def test_a_cache_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)

    with pytest.raises(CacheError, match=r"mode 777.*MODELYARD_CACHE_DIR"):
        Cache(tmp_path / "cache", 1).lookup(digest_of(b""))


@pytest.mark.parametrize("name", ["blobs", "snapshots", "references", "staging"])
async def test_a_link_inside_the_cache_is_not_followed(
    connection: Connection, cache: Cache, version: Version, tmp_path: Path, name: str
) -> None:
    await fetch(cache, connection, version)
    (cache.root / name).rename(tmp_path / name)
    (cache.root / name).symlink_to(tmp_path / name)

    with pytest.raises(CacheError, match="symbolic link"):
        await fetch(cache, connection, version)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_cache_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir(mode=0o700)
    os.chown(tmp_path / "cache", 65534, 65534)

    with pytest.raises(CacheError, match="another user"):
        Cache(tmp_path / "cache", 1).lookup(digest_of(b""))


def test_a_cache_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for root in (tmp_path / "file", tmp_path / "file" / "cache"):
        with pytest.raises(CacheError):
            Cache(root, 1).lookup(digest_of(b""))


async def test_a_full_disk_is_reported_as_such(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modelyard._transfer.download.os.write", full)

    with pytest.raises(CacheError, match="No space left"):
        await fetch(cache, connection, version)


async def test_what_the_registry_says_goes_through(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    registry.faults.break_reads_at = [0] * 100

    with pytest.raises(UnavailableError):
        await fetch(cache, connection, version)


async def test_progress_counts_cached_files_and_ends_at_the_total(
    connection: Connection, cache: Cache, version: Version
) -> None:
    first: list[Progress] = []
    second: list[Progress] = []
    await fetch(cache, connection, version, progress=first.append)
    shutil.rmtree(cache.root / "snapshots")
    await fetch(cache, connection, version, progress=second.append)

    assert {progress.phase for progress in first + second} == {"download"}
    assert [(told[-1].done, told[-1].total) for told in (first, second)] == [(TO_RECEIVE, TO_RECEIVE)] * 2


# Last known good


def test_what_a_reference_meant_is_remembered_by_server(cache: Cache, version: Version) -> None:
    other = version_of({"other": b"1"})
    cache.remember("grpc://a:1", "team/fraud", message_of(version))
    cache.remember("grpc://a:1", "team/fraud@production", message_of(other))

    assert cache.recall("grpc://a:1", "team/fraud") == message_of(version)
    assert cache.recall("grpc://a:1", "team/fraud@production") == message_of(other)
    assert cache.recall("grpc://b:1", "team/fraud") is None
    assert cache.recall_digest(version.digest) == message_of(version)
    assert cache.recall_digest(digest_of(b"")) is None


def test_a_reference_is_remembered_anew(cache: Cache, version: Version) -> None:
    other = version_of({"other": b"1"})
    for meant in (version, other):
        cache.remember("grpc://a:1", "team/fraud", message_of(meant))

    assert cache.recall("grpc://a:1", "team/fraud") == message_of(other)
    assert not leftovers(cache)


@pytest.mark.parametrize("size", [0, 30, 100])
def test_a_memory_that_a_power_cut_tore_is_none(cache: Cache, version: Version, size: int) -> None:
    cache.remember("grpc://a:1", "team/fraud", message_of(version))
    for path in (cache.root / "references").iterdir():
        os.truncate(path, size)

    assert cache.recall("grpc://a:1", "team/fraud") is None
    assert cache.recall_digest(version.digest) is None


def test_another_server_can_t_put_its_files_under_a_digest(cache: Cache, version: Version) -> None:
    cache.remember("grpc://a:1", "team/fraud", message_of(version))
    lie = with_digest(version_of({"other": b"1"}), version.digest)

    with pytest.raises(VerificationError):
        cache.remember("grpc://evil:1", "team/x", message_of(lie))

    assert cache.recall_digest(version.digest) == message_of(version)


async def test_what_was_evicted_is_forgotten_in_time(
    registry: FakeArtifacts, connection: Connection, cache: Cache, version: Version
) -> None:
    await fetch(cache, connection, version)
    gone, young = version_of({"gone": b"1"}), version_of({"young": b"1"})
    for number, meant in enumerate((version, gone, young)):
        cache.remember("grpc://a:1", str(number), message_of(meant))
    for path in (cache.root / "references").iterdir():
        if young.digest.encode() not in path.read_bytes():
            os.utime(path, (0, 0))

    await cache.evict()

    assert [cache.recall("grpc://a:1", str(number)) is not None for number in range(3)] == [True, False, True]
