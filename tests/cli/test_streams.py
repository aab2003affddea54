"""The command line where standard streams are closed, full or missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli import COMMAND


def shell(redirected: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    line = f'exec "$0" "$@" {redirected}'
    return subprocess.run(
        ["/bin/sh", "-c", line, *COMMAND, *map(str, arguments)], capture_output=True, check=False, timeout=120
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_else(settings: None, team: str, files: Path, closed: str) -> None:
    done = shell(closed, "push", f"{team}/fraud", files, "--no-capture")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (b"fraud@1" in done.stdout) is (">&-" not in closed.replace("2>&-", ""))


def test_what_is_printed_never_goes_into_a_file_that_was_opened_instead(
    settings: None, fraud: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    done = shell(">&- 2>&-", "pull", f"{fraud}@1", target)
    assert done.returncode == 0
    assert (target / "model.bin").read_bytes() == b"weights"


def test_an_error_without_a_place_to_be_told_is_an_exit_code(settings: None, team: str) -> None:
    assert shell("2>&-", "show", f"{team}/nothing").returncode == 2


def test_output_that_can_not_be_written_is_an_error_in_one_sentence(settings: None, fraud: str) -> None:
    done = shell("> /dev/full", "show", fraud)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert b"No space left" in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert done.stderr.count(b"\n") <= 2


def test_a_push_whose_answer_is_lost_says_that_it_took_place(settings: None, fraud: str, files: Path) -> None:
    done = shell("> /dev/full", "push", fraud, files, "--no-capture")

    told = f"error: {fraud}@2 was pushed, but stdout can't be written: No space left on device"
    assert (done.returncode, done.stderr.decode().splitlines()[0]) == (1, told)


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_a_list_that_can_not_be_written_says_so(settings: None, fraud: str, output: str) -> None:
    done = shell("> /dev/full", "ls", fraud, "-o", output)
    assert done.stderr.decode().splitlines()[0].endswith("can't be written: No space left on device") or (
        json.loads(done.stderr)["error"]["message"] == "stdout can't be written: No space left on device"
    )


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_a_reader_that_had_enough_is_no_failure(settings: None, fraud: str, output: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "log", fraud, "-o", output], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_streams_are_there_for_whoever_asks() -> None:
    script = (
        "import sys; from modelyard.cli.streams import open_missing; open_missing(); print('x', sys.stdin.isatty())"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, script], capture_output=True, check=False
    )
    assert done.stdout == b"x False\n"
