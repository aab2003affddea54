"""The command itself: how it starts, what it says of itself, and how it is stopped. No registry is needed for that."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.cli.app import run

COMMAND = [sys.executable, "-c", "import sys; from modelyard.cli import main; sys.exit(main())"]
COMMANDS = (
    *(
        "push",
        "pull",
        "resolve",
        "ls",
        "search",
        "diff",
        "lineage",
        "show",
        "evaluate",
        "promote",
        "rollback",
        *("best", "status", "create", "edit", "deprecate", "quarantine", "release"),
        "rm",
        "restore",
        "log",
        "watch",
        "deployments",
        "rollout",
    ),
)


OF_CACHE = ("ls", "rm", "gc", "verify")
OF_NAMESPACES = ("ls", "create", "edit", "rm", "restore")
OF_WEBHOOKS = ("add", "ls", "rm", "enable", "disable", "rotate-secret", "test", "deliveries", "redeliver")


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "..." not in told.partition("Commands:")[2], "no summary is cut"
    for word in (
        *COMMANDS,
        *("namespaces", "webhooks"),
        "--version",
        "0 ok; 2 not found; 3 verification failed; 4 refused",
        "MODELYARD_TOKEN",
    ):
        assert word in told


def test_the_bare_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "resolve" in capsys.readouterr().out


def test_shells_can_complete() -> None:
    asked = {"_MODELYARD_COMPLETE": "complete_bash", "COMP_WORDS": "modelyard\npro", "COMP_CWORD": "1"}
    done = subprocess.run(COMMAND, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["promote"])


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        *(f"namespaces {command}" for command in OF_NAMESPACES),
        *(f"cache {command}" for command in OF_CACHE),
        *(f"webhooks {command}" for command in OF_WEBHOOKS),
    ],
)
def test_every_command_explains_itself_and_takes_the_common_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command.split(), "--help"]) == 0
    told = capsys.readouterr().out
    for option in ("--output", "-o", "--url", "--insecure", "--quiet", "-q"):
        assert option in told


def test_no_option_takes_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--token", "hunter2", "ls"]) == 1
    assert "hunter2" not in capsys.readouterr().err


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"modelyard {version('modelyard')}\n"


def test_a_wrong_choice_is_answered_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "-o", "yaml"]) == 1
    told = "error: Invalid value for '--output' / '-o': 'yaml' is not one of 'table', 'json', 'jsonl'.\n"
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    "line", [["nonsense"], ["ls", "--nonsense"], ["pull"], ["-o", "xml", "ls"], ["push", "m", "/nonexistent/file"]]
)
def test_a_line_that_cannot_be_read_ends_with_1_not_with_the_code_for_not_found(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "--help" in captured.err


@pytest.mark.parametrize("spelled", [["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]])
@pytest.mark.parametrize("before", [True, False])
def test_errors_are_json_where_the_answer_would_be(
    spelled: list[str], before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*spelled, "show", "Fraud!"] if before else ["show", "Fraud!", *spelled]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["error"]["reason"] == "INVALID_FIELD"


def test_a_registry_that_is_not_there_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        assert run(["--url", f"grpc://127.0.0.1:{taken.getsockname()[1]}", "show", "fraud"]) == 1
    assert "MODELYARD_URL" in capsys.readouterr().err


def test_plaintext_to_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--url", "grpc://registry.example:4850"]) == 4
    assert "plaintext" in capsys.readouterr().err


def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = os.environ | {"MODELYARD_CACHE_DIR": str(tmp_path)}
        url = f"grpc://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            [*COMMAND, "--url", url, "show", "fraud"], stderr=subprocess.PIPE, env=environment
        ) as process:
            connection, _ = silent.accept()  # it waits for an answer now
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in errors


def test_without_the_extra_the_command_says_how_to_get_it() -> None:
    absent = COMMAND[2].replace("import sys;", "import sys; sys.modules['typer'] = None;")
    done = subprocess.run([sys.executable, "-c", absent, "ls"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: the command line needs two more packages. Install modelyard[cli] from where you got modelyard, or:"
        " pip install typer rich\n"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pull team/fraud --version 3", "Name the version in REF, for example team/fraud@3"),
        ("pull team/fraud --revision 3", "Name the version in REF, for example team/fraud@3"),
        ("pull team/fraud --local-dir out", "The folder is the second argument: modelyard pull REF FOLDER"),
        ("push team/fraud out --tag x", "Use --alias for a name that moves, or --label NAME=VALUE"),
        ("push team/fraud out -m x", "Use --description"),
        ("promote team/fraud@2 -m x", "Use --reason"),
        ("promote team/fraud 2", "Write versions as team/fraud@2"),
        ("diff team/fraud 1 2", "Write versions as team/fraud@1 team/fraud@2"),
        ("diff team/fraud@1", "Missing argument 'OTHER'."),
    ],
)
def test_the_words_of_other_tools_are_answered_with_ours(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 1
    assert capsys.readouterr().err.splitlines()[0].endswith(told)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ls --limit abc", "'abc' is not a whole number"),
        ("log -n 0", "0 is too small. Give 1 or more"),
        ("ls --page-size 1001", "1001 is too large. Give 1000 or less"),
    ],
)
def test_a_wrong_number_is_told_with_its_value(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 1
    assert capsys.readouterr().err.splitlines()[0].endswith(told)


@pytest.mark.parametrize("line", ["push {} .", "create {}", "ls {}", "best {} --metric auc"])
def test_where_a_model_is_wanted_the_suggestion_is_one(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.format("Team/Fraud:3").split()) == 4
    told = capsys.readouterr().err
    assert "Use NAMESPACE/MODEL, for example team/fraud. Did you mean team/fraud?" in told


def test_a_missing_column_is_answered_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    for column in ("auc", "metric.auc"):
        assert run(["ls", "team/fraud", "--columns", column]) == 1
        assert f"there is no field {column!r}. Did you mean 'metrics.auc'?" in capsys.readouterr().err
