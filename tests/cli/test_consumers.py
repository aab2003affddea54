"""Who serves what, on the command line."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.support.cli import COMMAND, Cli

from modelyard import Client

_OTHER = "sha256:" + "1" * 64


def _serve(model: str, version: int, service: str, **more: Any) -> None:
    with Client() as client:
        client.deployments.register(f"{model}@{version}", service, **more)


def _names(cli: Cli, *arguments: str) -> list[str]:
    answer = cli("deployments", *arguments, "-o", "json")
    assert answer.code == 0
    return [each["service"] for each in answer.json["deployments"]]


def test_who_serves_it_is_listed(cli: Cli, team: str, fraud: str, files: Path) -> None:
    (files / "model.bin").write_text("second")
    cli("push", fraud, files, "--no-capture", "--alias", "canary")
    cli("promote", f"{fraud}@1")
    _serve(fraud, 1, "a", environment='e"u*', instance="pod-1", reference=f"{fraud}@production")
    _serve(fraud, 2, "b", environment="us")

    assert _names(cli, team) == _names(cli, fraud) == ["a", "b"]
    assert _names(cli, f"{fraud}@2") == _names(cli, f"{fraud}@canary") == ["b"]
    assert _names(cli, f"{fraud}@production") == ["a"]
    assert _names(cli, team, "--environment", 'e"u*') == ["a"]
    assert _names(cli, team, "--environment", 'e"ux') == []
    told = cli("deployments", fraud).out
    assert re.search(r"SERVICE +ENVIRONMENT +INSTANCE +SERVES +FOLLOWS", told)
    assert re.search(rf'a +e"u\* +pod-1 +{fraud}@1 +{fraud}@production', told)
    assert cli("deployments", f"{fraud}@2", "-e", "nowhere").err == f"nobody serves {fraud}@2\n"
    assert _names(cli, team, "-n", "1") == ["a"]
    assert _names(cli, team, "--filter", "service = b OR service = c", "-e", "us") == ["b"]
    assert _names(cli, team, "--filter", "service = b OR service = c", "-e", "eu") == []
    assert cli("deployments", f"{fraud}@9").code == 2
    assert cli("deployments", f"{team}/none").code == 2


def test_a_rollout_tells_what_runs_something_else(cli: Cli, fraud: str, files: Path) -> None:
    cli("push", fraud, files, "--no-capture")
    cli("promote", f"{fraud}@2")
    assert cli("rollout", f"{fraud}@production").out == f"{fraud}@production is version 2: nobody follows it\n"
    assert cli("rollout", f"{fraud}@production").code == 1
    _serve(fraud, 2, "new", environment="eu")
    assert cli("rollout", f"{fraud}@production").out == f"{fraud}@production is version 2: 1 of 1 serve it\n"
    _serve(fraud, 1, "old", environment="us")
    _serve(fraud, 2, "tampered", environment="us", observed_digest=_OTHER)

    answer = cli("rollout", f"{fraud}@production")

    assert answer.code == 1
    assert answer.out.startswith(f"{fraud}@production is version 2: 1 of 3 serve it\n")
    assert re.search(rf"old +us +{fraud}@1 .* not told *\n", answer.out)
    assert re.search(rf"tampered +us +{fraud}@2 .* OTHER *\n", answer.out)
    assert cli("rollout", f"{fraud}@production", "-e", "eu").code == 0
    mistyped = cli("rollout", f"{fraud}@production", "-e", "ue")
    assert (mistyped.code, mistyped.out) == (1, f"{fraud}@production is version 2: nobody follows it in ue\n")
    document = cli("rollout", f"{fraud}@production", "-o", "json")
    found = document.json["rollout"]
    assert (document.code, found["complete"], found["differing_count"]) == (1, False, 2)
    assert cli("rollout", f"{fraud}@2").code == 4
    assert cli("rollout", f"{fraud}@none").code == 2


def test_what_is_served_is_not_removed_and_shown(cli: Cli, fraud: str) -> None:
    told = cli("show", f"{fraud}@1").out
    assert re.search(r"downloads +none *\nlast used +(never|now)", told)
    assert re.search(r"served by +nobody *\n", told)
    _serve(fraud, 1, "fraud-api", environment="eu", instance="pod-1")

    refused = cli("rm", f"{fraud}@1", "--yes")

    assert refused.code == 4
    assert "is served by fraud-api in eu (pod-1)" in refused.err
    assert re.search(r"SERVED BY *\nSERVICE.*\nfraud-api +eu +pod-1 ", cli("show", f"{fraud}@1").out)
    document = cli("show", f"{fraud}@1", "-o", "json").json
    assert document["usage"]["deployment_count"] == 1
    assert [each["service"] for each in document["deployments"]] == ["fraud-api"]

    cli("deployments", f"{fraud}@1", "--end", "--yes")
    assert cli("rm", f"{fraud}@1", "--yes").code == 0


def test_what_is_gone_is_ended_if_somebody_says_so(cli: Cli, fraud: str) -> None:
    for service in ("a", "b"):
        _serve(fraud, 1, service, environment="eu")
    refused = cli("deployments", fraud, "--end")
    assert refused.code == 4
    assert "Add --yes" in refused.err
    nothing = cli("deployments", "--end", "--yes")
    assert nothing.code == 4
    assert "--end needs a namespace, a model or a version" in nothing.err
    assert _names(cli, fraud) == ["a", "b"]

    ended = cli("deployments", fraud, "--filter", "service = a", "--end", "--yes")

    assert ended.out.splitlines()[1].split()[:2] == ["a", "eu"]
    assert ended.err == "ended 1 deployment\n"
    assert _names(cli, fraud) == ["b"]
    assert cli("deployments", fraud, "--filter", "service = a", "--end", "--yes").err == "nothing to end\n"


def test_the_log_tells_consumers_apart(cli: Cli, fraud: str, files: Path) -> None:
    cli("push", fraud, files, "--no-capture")
    _serve(fraud, 1, "fraud-api", environment="us", instance="pod-1")
    _serve(fraud, 2, "fraud-api", environment="us", instance="pod-1")
    told = cli("log", fraud, "--filter", "type:deployment", "-n", "2").out.splitlines()
    assert "fraud-api in us (pod-1): 1 → 2" in told[1]
    assert "fraud-api in us (pod-1): 1 " in told[2]
    cli("evaluate", f"{fraud}@2", "--dataset", "test", "--metric", "auc=0.9")
    assert f" {fraud}@2 " in cli("log", fraud, "-n", "1").out.splitlines()[1]


def test_a_watch_that_is_terminated_says_goodbye(cli: Cli, fraud: str, files: Path, tmp_path: Path) -> None:
    cli("push", fraud, files, "--no-capture")
    cli("promote", f"{fraud}@1")
    with subprocess.Popen(
        [*COMMAND, "watch", f"{fraud}@production", "--service", "fraud-api"],
        env=os.environ | {"MODELYARD_CACHE_DIR": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        cli("promote", f"{fraud}@2")
        process.stdout.readline()  # by now it has told of the first
        assert _names(cli, fraud) == ["fraud-api"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 143
    assert _names(cli, fraud) == []


def test_a_watch_says_what_is_served_once_its_command_ended_well(
    cli: Cli, fraud: str, files: Path, tmp_path: Path
) -> None:
    cli("push", fraud, files, "--no-capture")
    cli("promote", f"{fraud}@1")
    script = 'echo "$MODELYARD_VERSION"; test "${MODELYARD_VERSION##*@}" = 1'
    options = ("--service", "fraud-api", "--environment", "eu", "--instance", "pod-1", "--exec", script)
    with subprocess.Popen(
        [*COMMAND, "watch", f"{fraud}@production", *options],
        env=os.environ | {"MODELYARD_CACHE_DIR": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for version in (1, 2, 1):
            cli("promote", f"{fraud}@{version}")
            lines = [process.stdout.readline() for _ in range(2)]
            assert lines[1] == f"{fraud}@{version}\n"
            # Its line stands there before its command has ended: what was served before is sure.
            (served,) = cli("deployments", fraud, "-o", "json").json["deployments"] or [{"version": "1"}]
            assert served["version"].endswith("1")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert f"the command ended with 1 for {fraud}@2" in errors
    assert _names(cli, fraud) == []
    types = [event["type"] for event in cli("log", fraud, "-o", "json").json["events"]]
    assert [each for each in types if each.startswith("deployment.")] == ["deployment.deleted", "deployment.created"]


def test_where_something_runs_is_said_of_a_service(cli: Cli, fraud: str) -> None:
    for option in ("--environment", "--instance"):
        answer = cli("watch", f"{fraud}@1", option, "eu")
        assert answer.code == 1
        assert f"Invalid value for {option}: " in answer.err
        assert "add --service" in answer.err
