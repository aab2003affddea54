"""The command line against a real server: what a person sees, and what a program may count on."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cli import COMMAND, Cli

from modelyard import Client, Parent, Relation


class TestPush:
    def test_everything_that_was_given_is_kept(self, cli: Cli, team: str, files: Path) -> None:
        answer = cli(
            *("push", f"{team}/fraud", files, "-o", "json", "--metric", "auc=0.93", "--metric", "loss=1e-3"),
            *("--param", "lr=0.1", "--param", "n=3", "--param", "flag=true", "--param", "name='7'"),
            *("--dataset", "train=s3://b/x?a=b", "--label", "tier=gold", "--alias", "candidate"),
            *("--description", "first [red]try", "--framework", "torch", "--format", "safetensors"),
        )
        assert (answer.code, answer.err) == (0, "")
        version = answer.json["version"]
        assert version["reference"] == f"{team}/fraud@1"
        assert version["metrics"] == {"auc": 0.93, "loss": 0.001}
        assert version["params"] == {"lr": 0.1, "n": 3, "flag": True, "name": "7"}
        assert [(data["name"], data["uri"]) for data in version["datasets"]] == [("train", "s3://b/x?a=b")]
        assert version["labels"] == {"tier": "gold"}
        assert version["aliases"] == ["candidate"]
        assert version["description"] == "first [red]try"
        assert version["framework"]["name"] == "torch"
        assert version["format"] == "safetensors"
        assert [file["path"] for file in version["files"]] == ["model.bin", "sub/config.json"]
        assert version["environment"]["python"]

    def test_people_are_told_name_and_digest(self, cli: Cli, team: str, files: Path) -> None:
        answer = cli("push", f"{team}/fraud", files, "--alias", "candidate")
        assert re.fullmatch(rf"{team}/fraud@1  sha256:[0-9a-f]{{64}}\n", answer.out)
        assert answer.err == "2 files, 9 bytes, now candidate\n"

    def test_no_capture_records_nothing_of_the_machine(self, cli: Cli, team: str, files: Path) -> None:
        version = cli("push", f"{team}/fraud", files, "--no-capture", "-o", "json").json["version"]
        assert (version["source"], version["environment"]) == (None, None)

    def test_unchanged_files_make_no_version_if_asked(self, cli: Cli, fraud: str, files: Path) -> None:
        again = cli("push", fraud, files, "--if-changed", "--no-capture", "-o", "json")
        assert again.json["version"]["number"] == 1
        assert cli("push", fraud, files, "--no-capture", "-o", "json").json["version"]["number"] == 2

    @pytest.mark.parametrize(
        "wrong", [("--metric", "auc"), ("--metric", "auc=high"), ("--param", "a=1", "--param", "a=2"), ("--nonsense",)]
    )
    def test_what_cannot_be_read_is_told_before_anything_happens(
        self, cli: Cli, team: str, files: Path, wrong: tuple[str, ...]
    ) -> None:
        answer = cli("push", f"{team}/fraud", files, *wrong)
        assert answer.code == 1
        assert answer.err.startswith("error: ")
        assert "modelyard push --help" in answer.err
        assert cli("ls", team, "-o", "json").json == {"models": []}

    def test_a_path_that_is_not_there_is_told(self, cli: Cli, team: str, tmp_path: Path) -> None:
        answer = cli("push", f"{team}/fraud", tmp_path / "nothing")
        assert answer.code == 1
        assert "nothing" in answer.err


class TestPull:
    def test_prints_the_folder_and_nothing_else(self, cli: Cli, fraud: str) -> None:
        answer = cli("pull", f"{fraud}@1")
        folder = Path(answer.out.removesuffix("\n"))
        assert (folder / "model.bin").read_bytes() == b"weights"
        assert answer.err.startswith(f"{fraud}@1 is {fraud}@1, sha256:")

    def test_writes_where_it_is_told(self, cli: Cli, fraud: str, tmp_path: Path) -> None:
        answer = cli("-q", "pull", fraud, tmp_path / "target")
        assert (answer.out, answer.err) == (f"{tmp_path / 'target'}\n", "")
        assert (tmp_path / "target" / "sub" / "config.json").read_text() == "{}"

    def test_tells_programs_what_came(self, cli: Cli, fraud: str) -> None:
        found = cli("pull", fraud, "--output", "json").json
        assert found["version"]["number"] == 1
        assert found["stale"] is False
        assert Path(found["path"]).is_dir()

    def test_a_reference_that_means_nothing_is_not_found(self, cli: Cli, fraud: str) -> None:
        answer = cli("pull", f"{fraud}@nobody", "-o", "json")
        assert (answer.code, answer.out) == (2, "")
        assert answer.error["exit_code"] == 2
        assert answer.error["reason"] == "ALIAS_NOT_FOUND"

    @pytest.mark.parametrize("reference", ["Fraud", "a/b/c", "fraud@v3", "fraud@sha256:x", ""])
    def test_what_is_no_reference_is_refused(self, cli: Cli, reference: str) -> None:
        assert cli("pull", reference).code == 4


class TestTarget:
    def test_a_folder_with_other_files_needs_force(self, cli: Cli, fraud: str, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes").touch()
        answer = cli("pull", fraud, tmp_path / "mine")
        assert answer.code == 4
        assert "--force" in answer.err
        assert cli("pull", fraud, tmp_path / "mine", "--force", "--no-cache").code == 0
        assert not (tmp_path / "mine" / "notes").exists()

    def test_a_link_leads_into_the_cache(self, cli: Cli, fraud: str, tmp_path: Path) -> None:
        assert cli("pull", fraud, tmp_path / "link", "--link").out == f"{tmp_path / 'link'}\n"
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "link" / "model.bin").read_bytes() == b"weights"
        assert cli("pull", fraud, "--link").code == 4

    def test_the_executable_bit_is_kept(self, cli: Cli, fraud: str, files: Path, tmp_path: Path) -> None:
        (files / "model.bin").chmod(0o755)
        assert cli("push", fraud, files, "--no-capture", "--if-changed").out.startswith(f"{fraud}@2")
        assert cli("pull", f"{fraud}@2", tmp_path / "target").code == 0
        assert os.access(tmp_path / "target" / "model.bin", os.X_OK)
        assert not os.access(tmp_path / "target" / "sub" / "config.json", os.X_OK)


class TestSelection:
    def test_one_file_is_pulled_and_its_path_printed(self, cli: Cli, fraud: str) -> None:
        path = Path(cli("pull", fraud, "--file", "sub/config.json").out.rstrip("\n"))
        assert path.read_text() == "{}"
        assert not (path.parents[1] / "model.bin").exists()
        answer = cli("pull", fraud, "--file", "sub/confg.json")
        assert answer.code == 2
        assert "sub/config.json" in answer.err
        with Client() as client, client.open(f"{fraud}@1", "model.bin") as file:
            file.seek(2)
            assert file.read(3) == b"igh"

    def test_patterns_choose_what_is_pulled(self, cli: Cli, fraud: str, tmp_path: Path) -> None:
        for options, held in ((("--include", "*.json"), ["config.json"]), (("--exclude", "sub"), ["model.bin"])):
            assert cli("pull", fraud, tmp_path / "target", *options).code == 0
            assert [path.name for path in (tmp_path / "target").rglob("*") if path.is_file()] == held
        assert cli("pull", fraud, "--include", "*.onnx").code == 2

    def test_patterns_choose_what_is_pushed(self, cli: Cli, fraud: str, files: Path) -> None:
        (files / "__pycache__").mkdir()
        (files / "__pycache__" / "x.pyc").touch()
        (files / "empty").mkdir()
        (files / "aux.py").touch()
        answer = cli("push", fraud, files, "--no-capture", "--exclude", "*.json", "-o", "json")
        assert [file["path"] for file in answer.json["version"]["files"]] == ["aux.py", "model.bin"]
        assert "Left out of the push: __pycache__" in answer.err
        assert "Empty folders are not kept: empty" in answer.err
        assert "'aux.py' (Windows reads" in answer.err


class TestCache:
    def test_it_is_listed_checked_and_emptied(self, cli: Cli, fraud: str) -> None:
        assert cli("cache", "ls", "-o", "json").json == {"versions": []}
        cli("pull", fraud)
        (found,) = cli("cache", "ls", "-o", "json").json["versions"]
        assert (found["size"], found["file_count"]) == (9, 2)
        assert f"{fraud}@1" in cli("cache", "ls").out
        assert cli("cache", "verify").code == 0
        assert cli("cache", "rm", f"{fraud}@7").code == 2
        assert cli("cache", "gc", "--max", "1GB", "-o", "json").json == {"size": 9, "in_use": []}
        assert "10GB" in cli("cache", "gc", "--max", "much").err
        damaged = Path(found["path"]) / "model.bin"
        damaged.chmod(0o644)
        damaged.write_bytes(b"other!!")
        answer = cli("cache", "verify")
        assert answer.code == 3
        assert "damaged: model.bin" in answer.out

    def test_what_is_in_use_is_named_with_its_users(self, cli: Cli, fraud: str, tmp_path: Path) -> None:
        with Client() as client, client.pull(f"{fraud}@1"):
            cli("pull", f"{fraud}@1", tmp_path / "linked", "--link")

            told = cli("cache", "gc", "--max", "0B").out
            assert told.startswith(f"9 bytes left\nin use: {fraud}@1, 9 bytes, by ")
            assert told.endswith(f"(pid {os.getpid()}), by the link {tmp_path}/linked\n")
            (used,) = cli("cache", "gc", "-o", "json").json["in_use"]
            assert [each["pid"] for each in used["processes"]] == [os.getpid()]
            assert used["links"] == [str(tmp_path / "linked")]
            assert f"(pid {os.getpid()})" in cli("cache", "ls").out
            (tmp_path / "linked").unlink()
            assert f"(pid {os.getpid()}). Stop that first." in cli("cache", "rm", f"{fraud}@1").err
        assert cli("cache", "gc", "--max", "0B").out == "0 bytes left\n"


class TestBrowse:
    def test_resolve_tells_version_digest_and_rule(self, cli: Cli, fraud: str) -> None:
        assert re.fullmatch(rf"{fraud}@1  sha256:[0-9a-f]{{64}}\n", cli("resolve", f"{fraud}@latest").out)
        found = cli("-o", "json", "resolve", fraud).json
        assert (found["rule"], found["alias"], found["version"]["number"]) == ("DEFAULT_LATEST", None, 1)

    def test_namespaces_models_and_versions_are_listed(self, cli: Cli, team: str, fraud: str) -> None:
        assert team in cli("ls").out
        assert {"name": f"namespaces/{team}"}.items() <= next(
            each for each in cli("ls", "-o", "json").json["namespaces"] if each["id"] == team
        ).items()
        assert fraud in cli("ls", team).out
        assert [each["name"] for each in cli("ls", team, "-o", "json").json["models"]] == [
            f"namespaces/{team}/models/fraud"
        ]
        assert f"{fraud}@1" in cli("ls", fraud).out
        assert [each["number"] for each in cli("ls", fraud, "-o", "json").json["versions"]] == [1]

    def test_tables_in_a_pipe_are_neither_cut_nor_coloured(
        self, cli: Cli, fraud: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "20")
        out = cli("show", f"{fraud}@1").out
        assert "\x1b" not in out
        assert re.search(r"sub/config\.json +2 bytes +sha256:[0-9a-f]{64}\n", out)

    def test_a_model_is_shown_with_its_aliases(self, cli: Cli, fraud: str) -> None:
        cli("promote", f"{fraud}@1")
        found = cli("show", fraud, "-o", "json").json
        assert found["model"]["name"].endswith("/models/fraud")
        assert [alias["version"] for alias in found["aliases"]] == [f"{found['model']['name']}/versions/1"]
        assert "production" in cli("show", fraud).out

    def test_a_namespace_that_is_not_there_is_not_found(self, cli: Cli) -> None:
        assert cli("ls", "nobody").code == 2

    def test_an_empty_namespace_is_told_beside_the_answer(self, cli: Cli, team: str) -> None:
        answer = cli("ls", team)
        assert (answer.code, answer.out, answer.err) == (0, "", f"there are no models in {team}\n")


class TestChange:
    def test_promotion_tells_from_and_to(self, cli: Cli, fraud: str, files: Path) -> None:
        cli("push", fraud, files, "--no-capture")
        assert cli("promote", f"{fraud}@1").out == f"production of {fraud}: 1, not set before\n"
        assert cli("promote", f"{fraud}@latest", "--reason", "better").out == f"production of {fraud}: 1 → 2\n"
        assert cli("promote", f"{fraud}@2").out == f"production of {fraud}: 2 as before\n"
        found = cli("promote", f"{fraud}@1", "--alias", "canary", "-o", "json").json
        assert found["previous_version"] is None
        assert found["alias"]["name"].endswith("/aliases/canary")
        assert cli("resolve", f"{fraud}@production", "-o", "json").json["version"]["number"] == 2

    def test_a_removed_version_can_be_seen_and_restored(self, cli: Cli, fraud: str) -> None:
        assert cli("rm", f"{fraud}@1", "-o", "json").json["version"]["state"] == "DELETED"
        assert cli("ls", fraud, "-o", "json").json == {"versions": []}
        assert [each["number"] for each in cli("ls", fraud, "--deleted", "-o", "json").json["versions"]] == [1]
        assert cli("pull", f"{fraud}@1").code in {2, 4}
        assert cli("restore", f"{fraud}@1").out == f"restored {fraud}@1\n"
        assert cli("pull", f"{fraud}@1").code == 0

    def test_a_model_with_versions_needs_force(self, cli: Cli, team: str, fraud: str) -> None:
        refused = cli("rm", fraud)
        assert refused.code == 4
        assert "--force" in refused.err
        assert cli("rm", fraud, "--force").code == 0
        assert cli("ls", team, "-o", "json").json == {"models": []}
        assert cli("pull", f"{fraud}@1").code == 2
        assert cli("restore", fraud, "-o", "json").json["model"]["delete_time"] is None
        assert cli("pull", f"{fraud}@1").code == 0

    def test_a_version_in_production_is_not_removed(self, cli: Cli, fraud: str) -> None:
        cli("promote", f"{fraud}@1")
        refused = cli("rm", f"{fraud}@1", "-o", "json")
        assert (refused.code, refused.error["reason"]) == (4, "VERSION_IN_USE")

    def test_an_alias_is_removed_and_the_version_stays(self, cli: Cli, fraud: str) -> None:
        cli("promote", f"{fraud}@1", "--alias", "canary")
        assert cli("rm", fraud, "--alias", "canary").out == f"deleted the alias canary of {fraud}@1\n"
        assert cli("pull", f"{fraud}@canary").code == 2
        assert cli("pull", f"{fraud}@1").code == 0
        assert cli("rm", f"{fraud}@1", "--alias", "canary").code == 4

    def test_only_a_number_names_what_is_to_be_restored(self, cli: Cli, fraud: str) -> None:
        answer = cli("restore", f"{fraud}@latest")
        assert answer.code == 4
        assert "Use the number" in answer.err


class TestSearch:
    def test_versions_are_filtered_and_sorted(self, cli: Cli, team: str, files: Path) -> None:
        for auc in ("0.91", "0.97", "0.94"):
            cli("push", f"{team}/fraud", files, "--no-capture", "--metric", f"auc={auc}")
        found = cli(
            "ls", f"{team}/-", "--filter", "metrics.auc > 0.92", "--sort", "metrics.auc desc", "-o", "json"
        ).json
        assert [version["number"] for version in found["versions"]] == [2, 3]
        refused = cli("ls", f"{team}/fraud", "--filter", "metrics.auc >", "-o", "json")
        assert refused.code == 4
        assert "at character 14, at the end: expected a value here" in refused.error["message"]
        assert cli("ls", team, "--filter", "alias:nobody").err == f"no models in {team} match\n"

    def test_words_find_models(self, cli: Cli, fraud: str, team: str) -> None:
        cli("promote", f"{fraud}@1")
        assert re.search(rf"{fraud} +production@1 ", cli("search", "FRA", "--namespace", team).out)
        assert cli("search", "nothing", "--namespace", team).err == f"no models in {team} match\n"

    def test_words_find_models_wherever_they_are(self, cli: Cli, team: str) -> None:
        word = f"w{team.removeprefix('team-')}"
        for name in (f"{team}/{word}", f"{team}-two/{word}"):
            assert cli("create", name).out == f"created {name}\n"
        found = cli("search", word, "-o", "json").json["models"]
        assert [each["reference"] for each in found] == [f"{team}/{word}", f"{team}-two/{word}"]
        assert len(cli("search", word, "--namespace", f"{team}-two", "-o", "json").json["models"]) == 1
        assert cli("search", f"{word}x").err == "no models match\n"

    def test_a_misspelt_name_is_answered_with_the_right_one(self, cli: Cli, fraud: str, team: str) -> None:
        assert f"Did you mean '{team}'?" in cli("ls", f"{team}x/fraud").err
        assert f"Did you mean '{team}'?" in cli("log", f"{team}x").err
        assert "Did you mean 'fraud'?" in cli("ls", f"{fraud}x").err


class TestEvaluate:
    def test_metrics_are_added_later_and_sorted_by(self, cli: Cli, fraud: str, files: Path) -> None:
        cli("push", fraud, files, "--no-capture")
        told = cli("evaluate", f"{fraud}@1", "--dataset", "test", "--metric", "auc=0.97", "--harness", "nightly").out
        assert told == f"{fraud}@1 on test: auc=0.97\n"
        assert cli("evaluate", f"{fraud}@2", "--dataset", "test", "--metric", "auc=nan").code == 4
        cli("evaluate", f"{fraud}@2", "--dataset", "test", "--metric", "auc=0.9")
        found = cli("ls", fraud, "--sort", "evaluations.test.auc desc", "-o", "json").json["versions"]
        assert [version["number"] for version in found] == [1, 2]
        assert re.search(r"EVALUATIONS\n.*\ntest +auc=0\.97 +nightly +anonymous ", cli("show", f"{fraud}@1").out)


class TestLineage:
    def test_what_was_made_from_what_is_drawn(self, cli: Cli, team: str, files: Path) -> None:
        with Client() as client:
            client.push(f"{team}/base", files, datasets={"train": "s3://b/sales"}, capture=False)
            parent = Parent(version=f"{team}/base@1", relation=Relation.FINE_TUNED_FROM)
            for model in ("tuned", "small"):
                client.push(f"{team}/{model}", files, parents=[parent], capture=False, alias="production")
        assert cli("lineage", f"{team}/tuned@1").out.splitlines() == [
            f"{team}/tuned@1  production",
            f"└── fine tuned from {team}/base@1",
            "    └── training data dataset:train",
        ]
        affected = cli("lineage", "--dataset", "s3://b/sales", "--namespace", team)
        assert affected.out.splitlines() == [
            "dataset:train",
            f"└── training data {team}/base@1",
            f"    ├── fine tuned from {team}/small@1  production",
            f"    └── fine tuned from {team}/tuned@1  production",
        ]
        found = cli("lineage", f"{team}/base@1", "--down", "-o", "json").json
        assert [node["distance"] for node in found["nodes"]] == [0, 1, 1]
        refused = cli("rm", f"{team}/base@1", "-o", "json")
        assert (refused.code, refused.error["reason"]) == (4, "VERSION_IN_USE")


class TestDiff:
    def test_two_versions_are_told_apart(self, cli: Cli, fraud: str, files: Path) -> None:
        cli("push", fraud, files, "--no-capture", "--metric", "auc=0.91", "--param", "lr=0.1")
        (files / "model.bin").write_bytes(b"better weights")
        cli("push", fraud, files, "--no-capture", "--metric", "auc=0.94", "--param", "lr=0.2")
        cli("promote", f"{fraud}@2")
        out = cli("diff", f"{fraud}@production", fraud + "@latest").out
        assert re.search(r"PARAMS\n.*\nlr +0\.1 +0\.2 *\n", out)
        assert re.search(r"METRICS\n.*\nauc +0\.91 +0\.94  \(\+0\.03\) *\n", out)
        assert f"2 bytes in both, 7 bytes only in {fraud}@2, 14 bytes only in {fraud}@3" in out
        found = cli("diff", f"{fraud}@2", f"{fraud}@3", "-o", "json").json
        assert [each["section"] for each in found["differences"]] == ["PARAMS", "METRICS", "FILES"]
        assert cli("diff", f"{fraud}@2", f"{fraud}@2").out == f"{fraud}@2 and {fraud}@2 are alike\n"


class TestHistory:
    def test_the_log_tells_who_moved_what_and_why(self, cli: Cli, fraud: str, files: Path) -> None:
        cli("push", fraud, files, "--no-capture")
        cli("promote", f"{fraud}@1")
        cli("promote", f"{fraud}@2", "--reason", "better auc")
        told = cli("log", f"{fraud}@production").out
        assert re.search(rf"anonymous +alias\.moved +{fraud}@production +1 → 2 +better auc", told)
        events = cli("log", fraud, "--filter", "type = version.created", "-n", "1", "-o", "json").json["events"]
        assert [event["snapshot"]["number"] for event in events] == [2]

    def test_a_promotion_is_rolled_back(self, cli: Cli, fraud: str, files: Path) -> None:
        cli("push", fraud, files, "--no-capture")
        cli("promote", f"{fraud}@1")
        before = cli("promote", f"{fraud}@2", "-o", "json").json["alias"]["update_time"]
        assert cli("rollback", fraud, "--reason", "latency").out == f"production of {fraud}: 2 → 1\n"
        again = cli("rollback", fraud, "-o", "json")
        assert (again.code, again.error["reason"]) == (4, "NOTHING_TO_ROLL_BACK")
        assert cli("resolve", f"{fraud}@production", "--at", before).out.startswith(f"{fraud}@2  sha256:")
        assert cli("resolve", f"{fraud}@production", "--at", "2020-01-01").code == 2
        assert cli("resolve", f"{fraud}@1", "--at", "2020-01-01").code == 4

    def test_each_promotion_runs_a_command(self, cli: Cli, fraud: str, files: Path, tmp_path: Path) -> None:
        cli("push", fraud, files, "--no-capture")
        cli("promote", f"{fraud}@1")
        script = 'cat "$MODELYARD_PATH/model.bin" && echo " $MODELYARD_VERSION"; false'
        with subprocess.Popen(
            [*COMMAND, "watch", f"{fraud}@production", "--exec", script],
            env=os.environ | {"MODELYARD_CACHE_DIR": str(tmp_path / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in range(2)]
            cli("promote", f"{fraud}@2")
            second = [process.stdout.readline() for _ in range(2)]
            cli("promote", f"{fraud}@1")
            process.stdout.readline()  # by now it has told how the two commands ended
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        assert first[0].startswith(f"{fraud}@1  sha256:")
        assert (first[1], second[1]) == (f"weights {fraud}@1\n", f"weights {fraud}@2\n")
        assert errors.startswith(f"the command ended with 1 for {fraud}@1\nthe command ended with 1 for {fraud}@2\n")
        assert process.returncode == 130


class TestWebhooks:
    def test_from_its_making_to_its_end(self, cli: Cli, team: str) -> None:
        name = f"{team}/ci"
        made = cli("webhooks", "add", name, "https://hooks.example.com/x", "--type", "log.*", "-o", "json")
        secret = made.json["webhook"]["secret"]
        assert secret.startswith("whsec_")
        renewed = cli("webhooks", "rotate-secret", name)
        assert renewed.out.startswith(f"{name} → https://hooks.example.com/x\nsecret: whsec_")
        assert secret not in renewed.out
        assert cli("webhooks", "disable", name).out == f"{name} is disabled\n"
        header, listed = cli("webhooks", "ls", team).out.splitlines()
        assert header.split() == ["WEBHOOK", "URL", "TYPES", "MODEL", "AGE", "STATE"]
        assert re.fullmatch(rf"{name} +https://hooks\.example\.com/x +log\.\* +(now|\d+ s) +DISABLED *", listed)
        assert "secret" in cli("webhooks", "ls", team, "-o", "json").out
        assert "whsec_" not in cli("webhooks", "ls", team, "-o", "json").out
        assert cli("webhooks", "deliveries", name).err == "there are no deliveries\n"
        assert cli("log", team, "-n", "1").out.splitlines()[1].split()[-4:-1] == ["anonymous", "webhook.updated", name]
        assert cli("webhooks", "enable", name).out == f"{name} is enabled\n"
        assert cli("webhooks", "rm", name).out == f"deleted {name}\n"
        gone = cli("webhooks", "rm", name)
        assert gone.code == 2
        assert "'modelyard webhooks ls'" in gone.err

    def test_a_bare_model_is_one_of_its_own_namespace(self, cli: Cli, fraud: str, team: str) -> None:
        name, url = f"{team}/ci", "https://hooks.example.com/x"
        made = cli("webhooks", "add", name, url, "--model", "fraud", "-o", "json").json["webhook"]
        assert made["model"] == f"namespaces/{team}/models/fraud"
        with Client() as client:
            assert client.webhooks.update(name, model=None).model is None
            assert client.webhooks.update(name, model="fraud").model == client.models.get(fraud).name

    def test_a_test_that_is_not_taken_is_told(self, cli: Cli, team: str) -> None:
        """The registry may not reach this machine, whatever its name."""
        refused = cli("webhooks", "add", f"{team}/ci", "https://127.0.0.1/x")
        assert refused.code == 4
        assert "is not public. The registry's operator can allow a network" in refused.err


class TestTerminal:
    @pytest.fixture
    def terminal(self) -> Iterator[tuple[int, int]]:
        ends = pty.openpty()
        yield ends
        for end in ends:
            os.close(end)

    @pytest.mark.parametrize(("typed", "left"), [(b"n\n", [1]), (b"y\n", [])])
    def test_rm_asks_first(
        self, cli: Cli, fraud: str, terminal: tuple[int, int], typed: bytes, left: list[int]
    ) -> None:
        here, there = terminal
        os.write(here, typed)
        subprocess.run([*COMMAND, "rm", f"{fraud}@1"], stdin=there, stdout=subprocess.PIPE, stderr=there, check=False)
        assert [each["number"] for each in cli("ls", fraud, "-o", "json").json["versions"]] == left
        assert f"delete the version {fraud}@1?" in os.read(here, 10_000).decode()

    def test_a_reader_that_has_enough_is_no_error(self, fraud: str) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*COMMAND, "show", f"{fraud}@1"], stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, b"")
