"""The verbs of the command line for all that the SDK can do, against a real server."""

import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.support.cli import COMMAND, Cli

from modelyard import Client, Direction, NotFoundError


@pytest.fixture
def scored(cli: Cli, team: str, files: Path) -> str:
    """A model with three versions: the second has the best auc, the third the lowest loss."""
    for auc, loss in (("0.91", "0.5"), ("0.97", "0.4"), ("0.94", "0.3")):
        pushed = cli(
            *("push", f"{team}/fraud", files, "--no-capture", "--metric", f"auc={auc}"),
            *("--metric", f"val.loss={loss}", "--param", "lr=0.1", "--label", "tier=gold"),
        )
        assert pushed.code == 0
    return f"{team}/fraud"


class TestBest:
    def test_the_best_version_is_named(self, cli: Cli, scored: str) -> None:
        assert cli("best", scored, "--metric", "auc").out.startswith(f"{scored}@2  sha256:")
        assert cli("best", scored, "--metric", "auc").out.endswith("  auc=0.97\n")
        lowest = cli("best", scored, "--metric", "val.loss", "--lowest", "-o", "json").json
        assert lowest["version"]["reference"] == f"{scored}@3"
        filtered = cli("best", scored, "--metric", "auc", "--filter", "number < 2 OR number > 2", "-o", "json").json
        assert filtered["version"]["number"] == 3
        cli("evaluate", f"{scored}@1", "--dataset", "test 2026", "--metric", "auc=0.8")
        evaluated = cli("best", scored, "--metric", "auc", "--dataset", "test 2026").out
        assert evaluated.startswith(f"{scored}@1  sha256:")

    def test_only_what_can_be_used_is_the_best(self, cli: Cli, scored: str) -> None:
        assert cli("quarantine", f"{scored}@2", "--reason", "leak").out == f"{scored}@2 is QUARANTINED\n"
        assert cli("best", scored, "--metric", "auc").out.startswith(f"{scored}@3")

    def test_a_metric_that_nothing_has_has_no_best_and_names_like_it_are_suggested(self, cli: Cli, scored: str) -> None:
        answer = cli("best", scored, "--metric", "acu")
        assert (answer.code, answer.out) == (2, "")
        told = f"No READY versions of {scored} have the metric 'acu'. Did you mean 'auc'?"
        assert answer.err.startswith(f"error: {told}\n")
        with Client() as client, pytest.raises(NotFoundError, match=r"There are auc, val\.loss"):
            client.versions.best(scored, "throughput")
        cli("evaluate", f"{scored}@1", "--dataset", "test", "--metric", "recall=0.8")
        assert "on 'tset'. Did you mean 'test.recall'?" in cli("best", scored, "--metric=recall", "--dataset=tset").err

    def test_a_push_says_which_way_a_metric_is_better(self, cli: Cli, scored: str, files: Path) -> None:
        """Else the highest is taken, and that is said."""
        assumed = cli("best", scored, "--metric", "val.loss")
        assert assumed.out.startswith(f"{scored}@1")
        assert assumed.err.startswith("nothing says which way val.loss is better, so the highest is taken")
        cli("push", scored, files, "--no-capture", "--metric", "val.loss=0.7", "--direction", "val.loss=lower")
        told = cli("best", scored, "--metric", "val.loss")
        assert told.out.startswith(f"{scored}@3")
        assert told.err == f"the lowest val.loss is the best, as {scored}@4 says\n"
        overruled = cli("best", scored, "--metric", "val.loss", "--highest")
        assert (overruled.out.partition(" ")[0], overruled.err) == (f"{scored}@4", "")
        assert cli("ls", scored, "--filter", "directions.val.loss = LOWER_IS_BETTER", "-o", "json").json["versions"][0][
            "directions"
        ] == {"val.loss": "LOWER_IS_BETTER"}
        assert "val.loss  0.7, lower is better" in cli("show", f"{scored}@4").out
        wrong = cli("push", scored, files, "--metric", "auc=1", "--direction", "acu=lower")
        assert (wrong.code, wrong.err) == (
            4,
            "error: --direction['acu']: is not the name of a metric. Use one of auc\n",
        )

    def test_an_evaluation_says_which_way_a_metric_is_better_on_its_data(self, cli: Cli, scored: str) -> None:
        for number, value in ((1, "0.2"), (2, "0.4"), (3, "0.3")):
            direction = ("--direction", "loss=lower") if number == 2 else ()
            cli("evaluate", f"{scored}@{number}", "--dataset", "test", "--metric", f"loss={value}", *direction)
        with Client() as client:
            best = client.versions.best(scored, "loss", dataset="test")
            assert (best.version.number, best.value, best.direction) == (1, 0.2, Direction.LOWER_IS_BETTER)
            (said,) = client.evaluations.list(f"{scored}@2")
            assert best.direction_from == said.name


class TestNumbers:
    @pytest.mark.parametrize(("verb", "made"), [("push", "version"), ("evaluate", "evaluation")])
    def test_metrics_that_are_not_finite_are_refused_or_dropped_on_request(
        self, cli: Cli, fraud: str, files: Path, verb: str, made: str
    ) -> None:
        command = {
            "push": ("push", fraud, files, "--no-capture"),
            "evaluate": ("evaluate", f"{fraud}@1", "--dataset", "test"),
        }[verb]
        given = (*command, "--metric", "auc=0.9", "--metric", "loss=nan", "-o", "json")
        refused = cli(*given)
        assert (refused.code, refused.out) == (4, "")
        assert "--metric['loss']: is nan; only finite numbers are allowed. Leave it out, or add --drop-n" in refused.err
        kept = cli(*given, "--drop-nonfinite")
        assert kept.json[made]["metrics"] == {"auc": 0.9}
        assert kept.err == "warning: metrics['loss'] is nan and is left out.\n"


class TestList:
    def test_the_number_of_items_is_limited(self, cli: Cli, scored: str, team: str) -> None:
        assert len(cli("ls", scored, "-n", "2", "-o", "json").json["versions"]) == 2
        assert len(cli("ls", team, "--limit", "1", "-o", "jsonl").out.splitlines()) == 1

    def test_columns_are_chosen(self, cli: Cli, scored: str, team: str) -> None:
        chosen = "number, metrics.val.loss,params.lr,labels.tier,aliases,create_time"
        header, first, *_ = cli("ls", scored, "--columns", chosen, "-n", "1").out.splitlines()
        assert header.split()[:4] == ["REFERENCE", "NUMBER", "METRICS.VAL.LOSS", "PARAMS.LR"]
        assert first.split()[:5] == [f"{scored}@3", "3", "0.3", "0.1", "gold"]
        assert first.rstrip().endswith("Z")
        told = cli("ls", scored, "--columns", "metric.auc").err
        assert "no field 'metric.auc'. Did you mean 'metrics.auc'? Use aliases, " in told
        assert cli("ls", scored, "--columns", "metrics.acu").err == (
            "warning: Nothing in this list has the field 'metrics.acu'. Check its spelling.\n"
        )
        assert cli("ls", team, "--columns", "owner,aliases").out.split()[:3] == ["REFERENCE", "OWNER", "ALIASES"]


class TestLife:
    def test_a_model_is_created_and_edited(self, cli: Cli, team: str) -> None:
        name = f"{team}/churn"
        assert cli("create", name, "--owner", "anna", "--label", "tier=gold").out == f"created {name}\n"
        assert cli("edit", name, "--owner", "ben", "--label", "stage=new").out == f"changed {name}\n"
        cli("edit", name, "--remove-label", "tier", "--description", "Who leaves?")
        model = cli("show", name, "-o", "json").json["model"]
        assert (model["owner"], model["labels"], model["description"]) == ("ben", {"stage": "new"}, "Who leaves?")
        nothing = cli("edit", name)
        assert (nothing.code, nothing.err) == (4, "error: fields: Nothing to change. Give at least one option.\n")
        assert "'x' is not among its labels" in cli("edit", name, "--remove-label", "x").err

    def test_a_version_is_edited_deprecated_quarantined_and_released(self, cli: Cli, fraud: str) -> None:
        ref = f"{fraud}@1"
        assert cli("edit", ref, "--label", "tier=gold", "-o", "json").json["version"]["labels"] == {"tier": "gold"}
        assert cli("edit", ref, "--owner", "anna").code == 4
        assert cli("deprecate", ref, "--reason", "use 2").out == f"{ref} is DEPRECATED\n"
        assert cli("quarantine", ref, "--reason", "leak").out == f"{ref} is QUARANTINED\n"
        assert cli("pull", ref).code == 4
        assert cli("release", ref, "--reason", "no leak").out == f"{ref} is DEPRECATED\n"
        refused = cli("deprecate", f"{fraud}@latest", "--reason", "x")
        assert (refused.code, "'modelyard resolve' shows it" in refused.err) == (4, True)

    def test_a_namespace_lives_and_dies(self, cli: Cli, team: str) -> None:
        name = f"{team}-two"
        assert cli("namespaces", "create", name, "--display-name", "Two", "--label", "a=1").out == f"created {name}\n"
        edited = cli("namespaces", "edit", name, "--remove-label", "a", "-o", "json").json["namespace"]
        assert (edited["display_name"], edited["labels"]) == ("Two", {})
        assert name in cli("namespaces", "ls").out
        assert cli("namespaces", "rm", name).out == f"deleted {name}\n"
        assert cli("ls", name).code == 2
        assert cli("namespaces", "restore", name).out == f"restored {name}\n"
        assert cli("ls", name).code == 0


class TestAliases:
    def test_every_verb_that_moves_an_alias_calls_it_alias(self, cli: Cli, scored: str) -> None:
        assert cli("promote", f"{scored}@1", "--alias", "staging").out == f"staging of {scored}: 1, not set before\n"
        assert cli("promote", f"{scored}@2", "--alias", "staging").out == f"staging of {scored}: 1 → 2\n"
        assert cli("rollback", scored, "--alias", "staging").out == f"staging of {scored}: 2 → 1\n"
        cli("promote", f"{scored}@3", "--alias", "staging")
        assert cli("rollback", f"{scored}@staging").out == f"staging of {scored}: 3 → 1\n"

    def test_names_in_errors_are_those_that_people_type(self, cli: Cli, scored: str) -> None:
        cli("promote", f"{scored}@1")
        told = cli("rm", f"{scored}@1").err.splitlines()[0]
        assert (
            told == f"error: {scored}@1 can't be deleted: aliases point to it, production. Move or delete them first."
        )
        nothing = cli("rollback", scored).err.splitlines()[0]
        assert nothing == f"error: {scored}@production has no move to roll back. Promote the version that you want."
        before = cli("resolve", f"{scored}@production", "--at", "2020-01-01").err
        assert f"The alias 'production' of {scored} was not set at 2020-01-01T00:00:00Z." in before

    def test_what_names_no_alias_or_two_is_answered_with_the_right_form(self, cli: Cli, scored: str) -> None:
        assert f"Use {scored}@production." in cli("rollback", f"{scored}@3").err
        assert "Give one of both" in cli("rollback", f"{scored}@staging", "--alias", "canary").err
        for command in (("promote", f"{scored}@1", "canary"), ("rollback", scored, "canary")):
            assert "hint: did you mean '--alias canary'?" in cli(*command).err

    def test_who_promotes_a_deprecated_version_is_told_who_deprecated_it_and_why(self, cli: Cli, scored: str) -> None:
        cli("promote", f"{scored}@1")
        cli("deprecate", f"{scored}@1", "--reason", "use 2")
        told = cli("promote", f"{scored}@1", "--alias", "staging").err
        assert re.fullmatch(rf"warning: {scored}@1 is deprecated since 20\S+ by anonymous: use 2\n", told)
        pulled = cli("pull", f"{scored}@production").err
        assert pulled.startswith(f"warning: {scored}@production is version 1, which is deprecated: use 2\n")
        assert cli("pull", f"{scored}@1").err.startswith(f"warning: {scored}@1 is deprecated: use 2\n")
        assert cli("promote", f"{scored}@2").err == ""


class TestPushIfChanged:
    def test_a_push_that_made_nothing_says_so(self, cli: Cli, team: str, files: Path) -> None:
        line = ("push", f"{team}/same", files, "--no-capture", "--if-changed")
        made = cli(*line)
        assert (made.err, made.out.split()[0]) == ("2 files, 9 bytes\n", f"{team}/same@1")
        again = cli(*line, "--alias", "production")
        assert again.out == made.out
        assert again.err == f"nothing new: {team}/same@1 has the same files, 2 files, 9 bytes, now production\n"
        assert cli(*line, "-o", "json").json["created"] is False
        (files / "new.txt").touch()
        assert cli(*line, "-o", "json").json["created"] is True


class TestOrigin:
    def test_a_push_names_its_parents_and_its_run(self, cli: Cli, fraud: str, team: str, files: Path) -> None:
        pushed = cli(
            *("push", f"{team}/tuned", files, "--no-capture", "-o", "json", "--run", "mlflow:8c1f"),
            *("--parent", f"quantized_from={fraud}@1", "--parent", f"{fraud}@latest"),
        )
        version = pushed.json["version"]
        assert [each["relation"] for each in version["parents"]] == ["QUANTIZED_FROM", "DERIVED_FROM"]
        assert (version["run"]["tracker"], version["run"]["id"]) == ("mlflow", "8c1f")
        wrong = cli("push", f"{team}/tuned", files, "--parent", f"from={fraud}@1")
        assert "'from' is not a relation. Use fine_tuned_from, distilled_from," in wrong.err

    def test_an_evaluation_has_slices_and_directions(self, cli: Cli, fraud: str) -> None:
        cli(
            *("evaluate", f"{fraud}@1", "--dataset", "test", "--metric", "loss=0.2", "--direction", "loss=lower"),
            *("--slice", "eu:loss=0.3", "--slice", "us:loss=0.1"),
        )
        with Client() as client:
            (made,) = client.evaluations.list(f"{fraud}@1")
        assert made.directions == {"loss": Direction.LOWER_IS_BETTER}
        assert {part.name: part.metrics["loss"] for part in made.slices} == {"eu": 0.3, "us": 0.1}
        wrong = cli("evaluate", f"{fraud}@1", "--dataset", "t", "--metric", "a=1", "--direction", "a=up")
        assert "use higher or lower" in wrong.err


class TestWords:
    def test_errors_name_the_options_of_the_command(self, cli: Cli, fraud: str, team: str, files: Path) -> None:
        assert cli("ls", fraud, "--sort", "metrics").err.startswith("error: --sort: can't sort by 'metrics'")
        assert cli("ls", fraud, "--filter", "a >").err.startswith("error: --filter: at character 4")
        assert "create_time > now-1h" in cli("ls", fraud, "--filter", "create_time > 1h").err
        assert "hint: 'modelyard show' lists the files" in cli("pull", fraud, "--file", "nope").err
        assert "lists its versions and their metrics" in cli("best", fraud, "--metric", "acu").err
        away = cli("ls", "--url", f"unix:{files}/nobody").err
        assert (away.count("heck that"), away.count("hint")) == (1, 0)
        assert "hint: put the filter in quotes" in cli("ls", fraud, "--filter", "metrics.auc").err
        assert "Did you mean 'pull'?" in cli("download", fraud).err
        assert "The model comes first, then the path." in cli("push", files, fraud).err
        assert "others have their own: " in cli("log").err
        long = cli("push", f"{team}/x", files, "--label", f"k={'v' * 5000}").err
        assert long.startswith("error: --label")

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [("pull {}", {"{}@production", "{}@latest", "{}@1"}), ("show {}@pro", {"{}@production"}), ("ls {0:.6}", None)],
    )
    def test_shells_complete_names(self, cli: Cli, fraud: str, typed: str, offered: set[str] | None) -> None:
        cli("promote", f"{fraud}@1")
        words = f"modelyard {typed.format(fraud)}"
        asked = {"_MODELYARD_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words}
        done = subprocess.run(COMMAND, env=os.environ | asked, capture_output=True, text=True, check=False)
        wanted = {each.format(fraud) for each in offered} if offered else {f"{fraud.partition('/')[0]}/"}
        assert all(word in done.stdout for word in wanted), done.stdout + done.stderr


class TestStatus:
    def test_a_registry_that_answers_says_what_it_is(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELYARD_CACHE_BYTES", "1000")
        told = cli("status").out
        for fact in (
            "yes, in ",
            "modelyard-server 0.",
            "anonymous",
            "not set",
            "at most 1.0 kB",
        ):
            assert fact in told
        found = cli("status", "-o", "json").json["status"]
        assert found["registry"]["server_version"] == version("modelyard-server")
        assert (found["reachable"], found["error"]) == (True, None)
        settings = found["settings"]
        assert (settings["token_given"], settings["url_given"], settings["ca_file"]) == (False, True, None)
        assert (settings["cache_bytes"], settings["client_version"]) == (1000, version("modelyard"))

    def test_one_that_does_not_answer_is_told_with_the_settings(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("MODELYARD_TOKEN", "hunter2")
        answer = cli("status", "--url", f"unix:{tmp_path}/nobody")
        assert answer.code == 1
        assert "reachable  no" in answer.out
        assert f"unix:{tmp_path}/nobody" in answer.out
        assert "hunter2" not in answer.out + answer.err
        found = cli("status", "--url", f"unix:{tmp_path}/nobody", "-o", "json").json["status"]
        assert (found["reachable"], found["registry"], found["error"]["reason"]) == (False, None, "UNAVAILABLE")
        assert found["settings"]["token_given"] is True


def test_rm_of_an_alias_names_the_option_for_it(cli: Cli, fraud: str) -> None:
    told = cli("rm", f"{fraud}@production", "-y")
    assert told.code == 4
    assert f"is an alias. Delete it with 'modelyard rm {fraud} --alias production'" in told.err


def test_rm_of_a_model_with_versions_says_once_what_to_add(cli: Cli, fraud: str) -> None:
    told = cli("rm", fraud, "-y")
    assert told.err.count("--force") == 1
    assert "set force" not in told.err


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--filter", "metric.auc > 0.9"], "Did you mean 'metrics.auc'?"),
        (["--filter", "auc > 0.9"], "Did you mean 'metrics.auc'?"),
        (["--filter", "number == 1"], "there is no operator ==. Use ="),
        (["--sort", "auc"], "Did you mean 'metrics.auc'?"),
        (["--sort", "metric.auc"], "Did you mean 'metrics.auc'?"),
        (["--sort", "-metrics.auc"], "Write 'metrics.auc desc'"),
    ],
)
def test_a_field_that_was_nearly_right_is_answered_with_the_right_one(
    cli: Cli, fraud: str, option: list[str], told: str
) -> None:
    answer = cli("ls", fraud, *option)
    assert answer.code == 4
    assert told in answer.err
