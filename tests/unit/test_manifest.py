"""Paths and digests."""

import hashlib
import json

import pytest
from tests.support.paths import HOSTILE_PATHS

from modelyard.core.manifest import File, check_digest, check_distinct, check_path, manifest_digest

_A = "sha256:" + "a" * 64


@pytest.mark.parametrize("path", [path for paths in HOSTILE_PATHS.values() for path in paths] + ["a\ud800", "e\u0301"])
def test_paths_that_mean_something_else_somewhere_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["model.bin", ".hidden", "a/b/c.json", "é/日本.bin", "a b", "x" * 255, "con-fig", "100%", "...a", "a~b"]
)
def test_ordinary_paths_are_fine(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("paths", [("A", "a"), ("ß", "SS"), ("a", "a/b"), ("A/x", "a"), ("d/A/x", "d/a")])
def test_paths_that_meet_in_one_folder_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"are the same file on systems|needs a folder of that name"):
        check_distinct(paths)


def test_many_distinct_paths_are_fine() -> None:
    check_distinct(["a/b", "a/c", "ab", "a.b"])


def test_manifest_digest_is_the_hash_of_the_canonical_list() -> None:
    """The definition, spelled out with the standard library alone: anybody can recompute it."""
    files = [File("b.bin", 2, _A), File("é", 1, "sha256:" + "b" * 64)]
    listed = [{"path": "b.bin", "sha256": "a" * 64, "size": 2}, {"path": "é", "sha256": "b" * 64, "size": 1}]
    canonical = json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()

    assert manifest_digest(reversed(files)) == f"sha256:{hashlib.sha256(canonical).hexdigest()}"


@pytest.mark.parametrize("digest", ["", "sha256:", _A.upper(), _A[:-1], _A + "a", "md5:" + "a" * 32, _A + "\n"])
def test_one_spelling_of_a_digest(digest: str) -> None:
    with pytest.raises(ValueError, match="Invalid digest"):
        check_digest(digest)
