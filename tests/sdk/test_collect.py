"""What a push takes from a disk, and what it refuses."""

import os
import socket
import unicodedata
from pathlib import Path

import pytest

from modelyard._transfer import local_files
from modelyard._transfer.local_files import collect
from modelyard.errors import InvalidArgumentError


def paths(source: Path) -> list[str]:
    return [file.path for file in collect(source)]


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

    files = collect(tmp_path)

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

    (real, alias) = collect(tmp_path)

    assert (alias.path, alias.size, alias.source) == ("sub/alias.bin", 3, real.source)


def test_a_link_that_leaves_the_folder_is_refused_because_it_could_carry_a_secret(tmp_path: Path) -> None:
    secret = write(tmp_path / "outside" / "id_ed25519")
    write(tmp_path / "model" / "weights")
    (tmp_path / "model" / "config").symlink_to(secret)

    message = refusal(tmp_path / "model")

    assert "secret" in message
    assert "cp -rL" in message
    assert "id_ed25519" not in message


@pytest.mark.parametrize("target", ["sub", "nowhere", "loop", "/dev/null"])
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
    for name in ("good", "con.txt", "a:b", "trailing."):
        write(tmp_path / name)

    with pytest.raises(InvalidArgumentError) as caught:
        collect(tmp_path)

    assert {Path(v.field).name for v in caught.value.violations} == {"con.txt", "a:b", "trailing."}


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
