"""Clients killed in the middle: nothing half-done is visible, and the next try goes on."""

import hashlib
import json
import os
import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from tests.support.fsck import assert_clean
from tests.support.scale import SCALE
from tests.support.server import BIN, ServerProcess, clean_environment

from modelyard import Client
from modelyard.errors import NotFoundError

MIB = 1 << 20
SIZE = 64 * MIB
_KILLS = 4 * SCALE
_RESENT = 8 * MIB
"""What may travel a second time for each death: what was on its way."""


def _bytes_below(folder: Path) -> int:
    """Files and folders come and go meanwhile: what went is not counted."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(below, name).stat().st_size
    return total


def _has(size: int, *folders: Path) -> bool:
    return sum(map(_bytes_below, folders)) >= size


def _spawn(server: ServerProcess, cache: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    environment = {**clean_environment(), "MODELYARD_URL": server.url, "MODELYARD_CACHE_DIR": str(cache)}
    command: list[str | Path] = [BIN / "modelyard", *arguments, "--quiet", "--output", "json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _kill_when(process: "subprocess.Popen[str]", reached: Callable[[], bool]) -> None:
    """Kills a client in the middle; it may also have ended by then."""
    try:
        while process.poll() is None and not reached():
            time.sleep(0)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def _received(server: ServerProcess) -> int:
    records = [json.loads(line) for line in server.log.read_text().splitlines()]
    return sum(record["bytes_in"] for record in records if record.get("method") == "WriteBlob")


def test_a_killed_push_shows_nothing_and_is_resumed(server: ServerProcess, tmp_path: Path, weights: Path) -> None:
    staging = server.folder / "data" / "staging"
    moments = random.Random(20260302)
    nothing_visible = 0
    with Client(server.url, cache_dir=tmp_path / "other") as client:
        for mark in sorted(moments.randrange(SIZE) for _ in range(_KILLS)):
            push = _spawn(server, tmp_path / "cache", "push", "fraud", weights, "--no-capture")
            _kill_when(push, partial(_has, mark, staging))
            try:
                client.pull("fraud")  # it was done before it died
            except NotFoundError:
                nothing_visible += 1

        push = _spawn(server, tmp_path / "cache", "push", "fraud", weights, "--no-capture")
        assert (push.communicate(), push.returncode)[1] == 0
        assert client.pull("fraud").version.files[0].size == SIZE
    assert nothing_visible
    assert server.stop() == 0
    assert _received(server) <= SIZE + _KILLS * _RESENT
    assert_clean(server)


def test_a_killed_pull_leaves_no_partial_file(server: ServerProcess, tmp_path: Path, weights: Path) -> None:
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    cache, target = tmp_path / "cache", tmp_path / "target"
    moments = random.Random(20260303)
    with Client(server.url) as client:
        client.push("fraud", weights, capture=False)
    for mark in sorted(moments.randrange(2 * SIZE) for _ in range(_KILLS)):
        pull = _spawn(server, cache, "pull", "fraud@1", target)
        _kill_when(pull, partial(_has, mark, cache, target))
        for whole in (
            *(cache / "blobs").rglob(digest),
            *(cache / "snapshots").rglob("model.bin"),
            target / "model.bin",
        ):
            assert not whole.exists() or hashlib.sha256(whole.read_bytes()).hexdigest() == digest, whole

    pull = _spawn(server, cache, "pull", "fraud@1", target)
    _, err = pull.communicate()
    assert pull.returncode == 0, err
    assert hashlib.sha256((target / "model.bin").read_bytes()).hexdigest() == digest
