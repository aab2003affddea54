"""What a push takes from a disk, and what it refuses."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest
from tests.support.paths import UNPORTABLE_PATHS

from modelyard._transfer import local_files
from modelyard._transfer.local_files import collect
from modelyard.core.manifest import unportable
from modelyard.errors import InvalidArgumentError


def paths(source: Path) -> list[str]:
    return [file.path for file in collect(source).files]


def refusal(source: Path) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        collect(source)
    return str(caught.value)


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_folder_is_taken_whole_hidden_and_empty_files_too(tmp_path: Path) -> None:
    for name in ("b/c.bin", "a", ".hidden/.config", "empty"):
        write(tmp_path / name, b"" if name == "empty" else b"12345")

    files = collect(tmp_path).files

    assert [(file.path, file.size) for file in files] == [
        (".hidden/.config", 5),
        ("a", 5),
        ("b/c.bin", 5),
        ("empty", 0),
    ]
    assert [file.source for file in files] == [tmp_path / file.path for file in files]


def test_a_single_file_goes_by_its_name(tmp_path: Path) -> None:
    model = write(tmp_path / "model.onnx")

    assert paths(model) == ["model.onnx"]


def test_the_named_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    write(tmp_path / "run-7" / "a")
    (tmp_path / "latest").symlink_to("run-7")

    assert paths(tmp_path / "latest") == ["a"]


def test_a_link_to_a_file_inside_is_that_file(tmp_path: Path) -> None:
    write(tmp_path / "real.bin", b"123")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "alias.bin").symlink_to("../real.bin")

    (real, alias) = collect(tmp_path).files

    assert (alias.path, alias.size, alias.source) == ("sub/alias.bin", 3, real.source)


def test_a_link_that_leaves_the_folder_is_refused_because_it_could_carry_a_secret(tmp_path: Path) -> None:
    secret = write(tmp_path / "outside" / "id_ed25519")
    write(tmp_path / "model" / "weights")
    (tmp_path / "model" / "config").symlink_to(secret)

    message = refusal(tmp_path / "model")

    assert "secret" in message
    assert "cp -rL" in message
    assert "id_ed25519" not in message


@pytest.mark.parametrize("target", [".", "nowhere", "loop", "/dev/null"])
def test_other_links_are_refused_not_skipped(tmp_path: Path, target: str) -> None:
    write(tmp_path / "sub" / "a")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to(target)

    assert f"{tmp_path}/link: is a link" in refusal(tmp_path)


def test_sockets_and_pipes_are_refused_and_don_t_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        message = refusal(tmp_path)

    assert f"{tmp_path}/pipe: is neither" in message
    assert f"{tmp_path}/socket: is neither" in message


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    for name in ("good", "%2e.txt", "a:b", "trailing."):
        write(tmp_path / name)

    with pytest.raises(InvalidArgumentError) as caught:
        collect(tmp_path)

    assert {Path(v.field).name for v in caught.value.violations} == {"%2e.txt", "a:b", "trailing."}


def test_a_name_that_is_no_text_is_refused_in_printable_words(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_bytes(b"x")

    assert "undecodable" in refusal(tmp_path)
    refusal(tmp_path).encode()


def test_names_are_brought_into_composed_form(tmp_path: Path) -> None:
    write(tmp_path / unicodedata.normalize("NFD", "modèle.bin"))

    assert paths(tmp_path) == [unicodedata.normalize("NFC", "modèle.bin")]


def test_names_that_meet_on_other_systems_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "Model.bin")
    write(tmp_path / "model.bin")

    assert "ignore case" in refusal(tmp_path)


def test_nothing_to_push_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "no files" in refusal(tmp_path)
    assert "can't be read: No such file" in refusal(tmp_path / "missing")


def test_a_version_has_so_many_files_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "MAX_FILES", 3)
    for name in "abc":
        write(tmp_path / name)
    assert paths(tmp_path) == ["a", "b", "c"]

    write(tmp_path / "d")

    assert "more than 3 files" in refusal(tmp_path)


def test_links_that_stay_in_the_folder_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "step-100" / "weights")
    (tmp_path / "latest").symlink_to("step-100")

    assert paths(tmp_path) == ["latest/weights", "step-100/weights"]

    (tmp_path / "step-100" / "up").symlink_to("..")
    assert "a folder that it is in" in refusal(tmp_path)


def test_two_folders_with_links_to_each_other_end(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x")
    write(tmp_path / "b" / "y")
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")

    assert "a folder that it is in" in refusal(tmp_path)


def test_links_may_lead_to_a_folder_that_was_named(tmp_path: Path) -> None:
    write(tmp_path / "store" / "weights")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").symlink_to("../store/weights")

    assert "links_within" in refusal(tmp_path / "model")
    (found,) = collect(tmp_path / "model", links_within=tmp_path / "store").files
    assert (found.path, found.source) == ("weights", tmp_path / "store" / "weights")


def test_a_snapshot_of_hugging_face_has_its_blobs(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--name"
    write(repository / "blobs" / "0123", b"weights")
    write(tmp_path / "secret")
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/0123")

    assert [(file.path, file.size) for file in collect(snapshot).files] == [("model.safetensors", 7)]

    (snapshot / "other").symlink_to(tmp_path / "secret")
    assert "secret" in refusal(snapshot)


def test_what_is_never_meant_is_left_out_and_told(tmp_path: Path) -> None:
    for name in (".git/config", "src/__pycache__/a.pyc", ".DS_Store", ".env", "sub/.env", "model", ".hidden"):
        write(tmp_path / name)

    found = collect(tmp_path)

    assert [file.path for file in found.files] == [".hidden", "model"]
    (remark,) = [each for each in found.remarks() if each.startswith("Left out")]
    for name in (".git", ".DS_Store", ".env", "src/__pycache__"):
        assert name in remark


def test_a_file_that_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    assert paths(write(tmp_path / ".env")) == [".env"]


def test_patterns_choose_files(tmp_path: Path) -> None:
    for name in ("a.json", "b.bin", "logs/x.log", "logs/keep.log", "tmp/y.json", ".env"):
        write(tmp_path / name)
    (tmp_path / ".modelyardignore").write_text("*.log\n!keep.log\n/tmp/\n!.env\n")

    assert paths(tmp_path) == [".env", "a.json", "b.bin", "logs/keep.log"]
    assert [file.path for file in collect(tmp_path, include=["*.json"]).files] == ["a.json"]
    assert [file.path for file in collect(tmp_path, exclude=["*.bin", ".env"]).files] == ["a.json", "logs/keep.log"]
    with pytest.raises(InvalidArgumentError, match="no files to push"):
        collect(tmp_path, include=["*.onnx"])


def test_empty_folders_and_names_that_some_systems_refuse_are_told(tmp_path: Path) -> None:
    for name in UNPORTABLE_PATHS:
        write(tmp_path / name)
    (tmp_path / "checkpoints" / "old").mkdir(parents=True)

    found = collect(tmp_path)

    assert {file.path for file in found.files} == set(UNPORTABLE_PATHS)
    assert all(unportable(path) for path in UNPORTABLE_PATHS)
    empty, names = found.remarks()
    assert "checkpoints/old" in empty
    assert "device" in names or "Windows" in names
