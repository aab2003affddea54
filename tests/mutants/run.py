"""Known bugs, seeded one at a time: a suite that lets one through proves nothing.

    python tests/mutants/run.py [NAME ...]

Each is a small change to a copy of the sources, and the tests that must fail on it, and pass without it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SERVER: Final = "src/modelyard_server"
SDK: Final = "clients/python/src/modelyard"


@dataclass(frozen=True)
class Mutant:
    """``before`` stands once in ``file``, and is replaced by ``after``."""

    file: str
    before: str
    after: str
    caught_by: Sequence[str]


MUTANTS: Final = {
    "a version is not held while a consumer registers": Mutant(
        f"{SERVER}/deployments/service.py",
        "    held = await DeploymentRepository(transaction).hold(name)\n",
        "    held = True\n",
        ["tests/rpc/test_deployments.py", "-k", "never_both and postgresql"],
    ),
    "any lease will do": Mutant(
        f"{SERVER}/deployments/service.py",
        "            if not hmac.compare_digest(beat.lease.encode(), before.lease.encode()):\n",
        "            if False:\n",
        ["tests/rpc/test_deployments.py", "-k", "takes_over"],
    ),
    "a consumer that fell silent still counts": Mutant(
        f"{SERVER}/deployments/repository.py",
        '_LIVE = EVERY.where(_DEPLOYMENTS.expire_time > bindparam("now"))\n',
        '_LIVE = EVERY.where(bindparam("now").is_not(None))\n',
        ["tests/rpc/test_deployments.py", "-k", "as_long_as"],
    ),
    "a webhook reaches any address": Mutant(
        f"{SERVER}/outbound/https.py",
        '        if not may_reach(ip_address(str(address[0]).partition("%")[0]), self._allowed):\n',
        "        if False:\n",
        ["tests/attacks/test_outbound.py"],
    ),
    "a delivery does not wait for its turn": Mutant(
        f"{SERVER}/webhooks/deliveries/repository.py",
        '                "next_attempt_time": None,\n',
        '                "next_attempt_time": delivery.create_time,\n',
        ["tests/rpc/test_webhooks.py", "-k", "delays_only"],
    ),
    "compaction forgets what is still to be told": Mutant(
        f"{SERVER}/log/sweeps.py",
        "        gone = [revision for revision in revisions if revision not in awaited]\n",
        "        gone = list(revisions)\n",
        ["tests/rpc/test_webhooks.py", "-k", "compaction"],
    ),
    "fields that an event of a newer release lacks are compared": Mutant(
        f"{SERVER}/log/kinds.py",
        "self.schemas.get(schema, frozenset(snapshot))",
        "self.schemas.get(schema, self.schemas[self.schema])",
        ["tests/db/test_evolution.py", "-k", "two_releases and sqlite"],
    ),
    "a forged floor is believed": Mutant(
        f"{SERVER}/log/chain.py",
        "    if told is None or head.floor == told:",
        "    if True:",
        ["tests/server/test_fsck.py", "-k", "front"],
    ),
    "the folder is not synced after a publication": Mutant(
        f"{SERVER}/blobs/disk.py",
        '        sync(descriptor, "blob.fsync_folder")\n',
        "        pass\n",
        ["tests/kill/test_power_cut.py", "-k", "postgresql"],
    ),
    "a file is not synced before it gets its name": Mutant(
        f"{SERVER}/blobs/disk.py",
        "        os.fsync(descriptor)\n",
        "        pass\n",
        ["tests/kill/test_power_cut.py", "-k", "postgresql"],
    ),
    "SQLite commits with synchronous=NORMAL": Mutant(
        f"{SERVER}/db/engines/sqlite.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        ["tests/kill/test_power_cut.py", "-k", "sqlite"],
    ),
    "the end of a stream counts as its finish": Mutant(
        f"{SERVER}/transfers/uploads/service.py",
        "        if finish is None:\n",
        "        if finish is None and pump.writer.position == upload.size:\n            finish = first\n"
        "        if finish is None:\n",
        ["tests/rpc/test_bytes.py"],
    ),
    "the epoch is not checked at the commit": Mutant(
        f"{SERVER}/transfers/uploads/service.py",
        "            if current.epoch != upload.epoch:\n",
        "            if False:\n",
        ["tests/rpc/test_bytes.py", "-k", "lost_its_upload"],
    ),
    "a writer of an older epoch is not fenced": Mutant(
        f"{SERVER}/blobs/local.py",
        "        if self._slot.claimant is not self:\n",
        "        if False:\n",
        ["tests/conformance", "tests/unit/test_local_store.py"],
    ),
    "the digest is taken from the client": Mutant(
        f"{SERVER}/blobs/staging.py",
        "        if file.digest != key.digest:\n",
        "        if False:\n",
        ["tests/rpc/test_bytes.py", "tests/conformance"],
    ),
    "the revision is taken first": Mutant(
        f"{SERVER}/db/unit_of_work.py",
        "        transaction = Transaction(connection, self._append)\n        result",
        "        transaction = Transaction(connection, self._append)\n"
        '        await connection.execute(__import__("sqlalchemy").text("SELECT 1 FROM log_heads FOR UPDATE"))\n'
        "        result",
        ["tests/db/test_unit_of_work.py", "-k", "revisions_follow"],
    ),
    "an event is written after the commit": Mutant(
        f"{SERVER}/db/unit_of_work.py",
        "        # Namespaces in the same order everywhere",
        "        await self.connection.commit()\n        # Namespaces in the same order everywhere",
        ["tests/kill/test_failpoints.py", "-k", "before_events"],
    ),
    "a retry is not recognised": Mutant(
        f"{SERVER}/log/changes.py",
        "    if not attempt.request_id:\n        return None\n",
        "    return None\n",
        ["tests/kill/test_lost_answers.py"],
    ),
    "the cache takes a file before it is verified": Mutant(
        f"{SDK}/_cache/blobs.py",
        "        await download(self._connection, self._version_name, file, part, on_bytes=arrived)\n"
        "        self.verified.add(file.digest)\n"
        "        await in_thread(self._publish, file, part)\n",
        "        try:\n"
        "            await download(self._connection, self._version_name, file, part, on_bytes=arrived)\n"
        "        finally:\n"
        "            await in_thread(self._publish, file, part)\n",
        ["tests/sdk/test_download.py", "tests/sdk/test_cache.py", "tests/kill/test_clients.py"],
    ),
    "a deprecated version is the latest": Mutant(
        f"{SERVER}/registry/versions/repository.py",
        "_LATEST = _NEWEST.where(_VERSIONS.state == VersionState.READY.value)\n",
        "_LATEST = _NEWEST\n",
        ["tests/property/test_machine.py", "-k", "sqlite"],
    ),
    "a small file is not hashed": Mutant(
        f"{SDK}/_transfer/small_files.py",
        "    if actual != file.digest:\n",
        "    if False:\n",
        ["tests/sdk/test_cache.py"],
    ),
    "a download is not hashed": Mutant(
        f"{SDK}/_transfer/download.py",
        "        if actual != self._file.digest:\n",
        "        if False:\n",
        ["tests/sdk/test_download.py", "tests/sdk/test_cache.py"],
    ),
}


def _test(tree: Path, selection: Sequence[str]) -> bool:
    """Whether the tests pass on the sources of a tree."""
    paths = os.pathsep.join(str(tree / path) for path in ("src", "clients/python/src"))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=120", *selection]
    return (
        subprocess.run(
            command, check=False, cwd=tree, env={**os.environ, "PYTHONPATH": paths}, capture_output=True
        ).returncode
        == 0
    )


def _copy(folder: Path) -> Path:
    tree = folder / "tree"
    for name in ("src", "clients/python/src", "tests", "protos"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def _is_caught(name: str, mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="modelyard-mutant-") as folder:
        tree = _copy(Path(folder))
        path = tree / mutant.file
        source = path.read_text()
        if source.count(mutant.before) != 1:
            raise SystemExit(f"{name}: {mutant.before!r} is not once in {mutant.file}: bring the list up to date")
        if not _test(tree, mutant.caught_by):
            raise SystemExit(f"{name}: {' '.join(mutant.caught_by)} fails without it too")
        path.write_text(source.replace(mutant.before, mutant.after))
        return not _test(tree, mutant.caught_by)


def main() -> None:
    names = sys.argv[1:] or list(MUTANTS)
    missed = []
    for name in names:
        caught = _is_caught(name, MUTANTS[name])
        print(f"{'caught' if caught else 'MISSED':8} {name}", flush=True)
        if not caught:
            missed.append(name)
    raise SystemExit(f"{len(missed)} of {len(names)} mutants were not caught" if missed else 0)


if __name__ == "__main__":
    main()
