"""Questions to the command line: what is nearly right is never answered as if it were right."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cli import COMMAND, Cli

from modelyard import Client, UnknownFieldWarning


@pytest.fixture
def three(cli: Cli, team: str, files: Path) -> str:
    """A model with three versions; the second has the best metric."""
    for auc in ("0.91", "0.97", "0.94"):
        assert cli("push", f"{team}/fraud", files, "--no-capture", "--metric", f"auc={auc}").code == 0
    return f"{team}/fraud"


def numbers(cli: Cli, *arguments: str) -> list[int]:
    return [version["number"] for version in cli("ls", *arguments, "-o", "json").json["versions"]]


class TestSortAndFilter:
    def test_the_direction_may_be_in_any_case(self, cli: Cli, three: str) -> None:
        assert numbers(cli, three, "--sort", "metrics.auc DESC") == [2, 3, 1]

    @pytest.mark.parametrize("sort", ["metrics.auc dessc", "metrics.auc desc asc", "metrics.val auc"])
    def test_what_is_no_direction_is_refused(self, cli: Cli, three: str, sort: str) -> None:
        answer = cli("ls", three, "--sort", sort)
        assert (answer.code, answer.out) == (4, "")
        assert "is not a direction. Use asc or desc" in answer.err

    def test_a_field_that_no_version_has_is_told(self, cli: Cli, three: str) -> None:
        told = "warning: Nothing in this list has the field 'metrics.acu'. Check its spelling.\n"
        assert cli("ls", three, "--sort", "metrics.acu desc").err == told
        assert cli("ls", three, "--sort", "metrics.auc desc").err == ""
        with Client() as client, pytest.warns(UnknownFieldWarning, match=r"labels\.tier"):
            assert list(client.versions.list(three, filter="labels.tier = gold")) == []


class TestTimes:
    @pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
    def test_every_time_that_is_printed_is_understood_in_every_zone(
        self, cli: Cli, three: str, zone: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TZ", zone)
        cli("promote", f"{three}@1")
        cli("promote", f"{three}@2")
        printed = re.findall(r"\S+Z\b", cli("log", f"{three}@production", "-n", "1").out)
        exact = cli("log", f"{three}@production", "-n", "1", "-o", "json").json["events"][0]["time"]
        for time in (*printed, exact, "now", "0 s ago"):
            told = cli("resolve", f"{three}@production", "--at", time).out
            assert re.fullmatch(rf"{three}@2  sha256:\w+  since 20\S+Z by \w+\n", told), time
            assert cli("ls", three, "--filter", f"create_time <= '{time}'").code == 0
        assert cli("resolve", f"{three}@production", "--at", "2h ago").code == 2, "it did not exist then"

    @pytest.mark.parametrize("option", ["--since", "--until"])
    def test_the_log_is_read_from_and_to_a_time(self, cli: Cli, three: str, option: str) -> None:
        found = cli("log", three, option, "1h", "-o", "json").json["events"]
        assert bool(found) is (option == "--since")

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            (["resolve", "m@production", "--at", "2999-01-01"], "2999-01-01T00:00:00Z is in the future. It is 20"),
            (["log", "--since", "2999-01-01"], "is in the future"),
            (
                ["log", "--until", "tomorrow"],
                "'tomorrow' is not a time. Use 2026-03-31, 2026-03-31T12:00:00Z, now-7d or",
            ),
        ],
    )
    def test_what_is_no_time_of_the_past_is_refused(self, cli: Cli, line: list[str], why: str) -> None:
        answer = cli(*line)
        assert (answer.code, answer.out) == (1, "")
        assert why in answer.err

    def test_the_future_is_refused_in_a_filter_too(self, cli: Cli, three: str) -> None:
        answer = cli("ls", three, "--filter", "create_time > 2999-01-01")
        assert answer.code == 4
        assert "is in the future" in answer.err


class TestJson:
    def test_half_a_list_is_never_printed(self, cli: Cli, three: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def breaks(*_: object, **__: object) -> Iterator[object]:
            with Client() as client:
                yield client.resolve(f"{three}@1").version
            raise OSError("the network is gone")

        monkeypatch.setattr("modelyard.Versions.list", breaks)
        answer = cli("ls", three, "-o", "json")
        assert (answer.code, answer.out, answer.error["message"]) == (1, "", "the network is gone")

    def test_lines_are_documents(self, cli: Cli, three: str) -> None:
        lines = cli("ls", three, "-o", "jsonl").out.splitlines()
        assert [json.loads(line)["reference"] for line in lines] == [f"{three}@{number}" for number in (3, 2, 1)]
        assert json.loads(cli("resolve", f"{three}@1", "-ojsonl").out)["version"]["number"] == 1
        refused = cli("show", f"{three}@9", "-o", "jsonl")
        assert (refused.error["reason"], len(refused.err.splitlines())) == ("VERSION_NOT_FOUND", 1)


class TestWhichVersion:
    def test_a_model_alone_is_not_promoted(self, cli: Cli, three: str) -> None:
        answer = cli("promote", three)
        assert (answer.code, answer.out) == (4, "")
        assert f"'{three}' names no version. Give one, for example {three}@7, or {three}@latest" in answer.err
        assert cli("resolve", f"{three}@production").code == 2

    @pytest.mark.parametrize(("typed", "code"), [(b"n\n", 1), (b"y\n", 0)])
    def test_on_a_terminal_the_newest_is_asked_about(self, three: str, typed: bytes, code: int) -> None:
        here, there = pty.openpty()
        os.write(here, typed)
        done = subprocess.run(
            [*COMMAND, "promote", three], stdin=there, stdout=subprocess.PIPE, stderr=there, check=False
        )
        asked = os.read(here, 10_000).decode()
        for end in (here, there):
            os.close(end)
        assert (done.returncode, bool(done.stdout.strip())) == (code, not code)
        assert f"point production at {three}@3, the newest version?" in asked

    def test_a_misspelt_alias_is_answered_with_those_there_are(self, cli: Cli, three: str) -> None:
        cli("promote", f"{three}@1")
        assert "Did you mean 'production'? Its only alias is production." in cli("pull", f"{three}@prod").err
        assert f"Did you mean {three}@3?" in cli("show", f"{three}:3").err

    def test_every_form_of_a_name_is_taken(self, cli: Cli, three: str) -> None:
        cli("promote", f"{three}@1")
        version = cli("show", f"{three}@1", "-o", "json").json["version"]
        alias = cli("show", three, "-o", "json").json["aliases"][0]
        assert (version["reference"], alias["reference"]) == (f"{three}@1", f"{three}@production")
        for name in (version["name"], version["reference"], alias["name"], alias["reference"]):
            assert cli("resolve", name).out.startswith(f"{three}@1  sha256:")
            assert cli("log", name).code == 0
        model, namespace = version["name"].split("/versions/")[0], version["name"].split("/models/")[0]
        assert numbers(cli, model) == [3, 2, 1]
        assert [each["reference"] for each in cli("ls", namespace, "-o", "json").json["models"]] == [three]
        with Client() as client:
            record = client.resolve(f"{three}@2").version
            assert client.promote(record).alias.version == record.name
            assert client.rollback(client.models.get(three)).previous_version == record.name
            assert [each.name for each in client.diff(f"{three}@1", record).differences] == ["auc"]
            assert record.reference == f"{three}@2"


class TestIfChanged:
    def test_a_metric_is_never_dropped(self, cli: Cli, team: str, files: Path) -> None:
        push = ("push", f"{team}/fraud", files, "--no-capture", "--if-changed", "-o", "json")
        assert cli(*push, "--metric", "auc=0.91").json["version"]["number"] == 1
        assert cli(*push, "--metric", "auc=0.91").json["version"]["number"] == 1
        answer = cli(*push, "--metric", "auc=0.93", "--alias", "candidate")
        assert (answer.code, answer.out, answer.error["reason"]) == (4, "", "FACTS_DIFFER")
        assert "metrics.auc is 0.91, not 0.93" in answer.error["message"]
        assert "'modelyard evaluate'" in answer.error["hint"]
        assert cli("resolve", f"{team}/fraud@candidate").code == 2
