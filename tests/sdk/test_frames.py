"""Lists and comparisons as data frames of the real pandas."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pandas as pd
import pytest
from tests.cli.records import VERSION
from tests.support.server import ServerProcess

import modelyard
from modelyard import AsyncClient, Client, Direction

SEED = 2**62 + 1
"""A whole number that a float would round."""


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A registry with a model of two versions; only the first has the param ``seed``, only the second a label."""
    folder = tmp_path_factory.mktemp("out")
    (folder / "model.bin").write_bytes(b"weights")
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    with Client(process.url) as client:
        client.push(
            *("team/fraud", folder),
            params={"lr": 0.1, "seed": SEED},
            metrics={"auc": 0.91},
            directions={"auc": Direction.HIGHER_IS_BETTER},
            capture=False,
        )
        client.push(
            *("team/fraud", folder), params={"lr": 0.2}, metrics={"auc": 0.93}, labels={"tier": "gold"}, capture=False
        )
        client.evaluations.create("team/fraud@1", "test", {"auc": 0.8}, slices={"eu": {"auc": 0.7}})
        yield client
    process.close()


def test_versions_have_their_params_metrics_and_labels_as_columns(yard: Client) -> None:
    frame = yard.versions.list("team/fraud", page_size=1).to_dataframe()
    assert list(frame["reference"]) == ["team/fraud@2", "team/fraud@1"]
    assert frame.sort_values("metrics.auc")["number"].to_list() == [1, 2]
    assert frame["params.lr"].to_list() == [0.2, 0.1]
    assert frame["labels.tier"].dropna().to_list() == ["gold"]
    assert frame["directions.auc"].dropna().to_list() == ["HIGHER_IS_BETTER"]
    assert (frame["params.seed"].dtype, frame["params.seed"][1]) == ("Int64", SEED)
    assert isinstance(frame["create_time"].dtype, pd.DatetimeTZDtype)
    assert (pd.Timestamp.now(UTC) - frame["create_time"]).max() < pd.Timedelta(days=1)
    assert not {"files", "datasets", "parents"} & set(frame.columns)


def test_a_part_of_a_list_and_a_comparison_have_frames_too(yard: Client) -> None:
    page = next(iter(yard.versions.list("team/fraud", page_size=1).pages()))
    assert modelyard.to_dataframe(page)["number"].to_list() == [2]
    evaluated = modelyard.to_dataframe(yard.evaluations.list("team/fraud@1"))
    assert evaluated[["dataset.name", "metrics.auc"]].to_numpy().tolist() == [["test", 0.8]]
    changes = yard.diff("team/fraud@1", "team/fraud@2").to_dataframe()
    assert list(changes.columns) == ["section", "name", "before", "after"]
    assert changes.set_index("name").loc["auc", ["before", "after"]].to_list() == [0.91, 0.93]
    assert modelyard.to_dataframe([]).empty


async def test_a_program_with_a_loop_awaits_the_frame(yard: Client) -> None:
    url = yard.status().url
    async with AsyncClient(url) as client:
        assert len(await client.versions.list("team/fraud").to_dataframe()) == 2


def test_records_inside_have_columns_but_not_their_maps() -> None:
    bare = replace(VERSION, environment=None, source=None)
    frame = modelyard.to_dataframe([VERSION, bare])
    assert frame["environment.python"].to_list()[0] == "3.11.7"
    assert not [name for name in frame.columns if name.startswith("environment.packages")]
    assert pd.isna(frame["source.commit"][1])


def test_without_pandas_an_error_says_how_to_get_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['pandas'] = None; import modelyard; modelyard.to_dataframe([])"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.endswith(
        "ImportError: to_dataframe needs pandas, which is not installed."
        " Install it with: pip install 'modelyard[pandas]'\n"
    )


def test_a_pulled_model_has_columns_for_what_users_see_of_it_alone(yard: Client, tmp_path: Path) -> None:
    with yard.pull("team/fraud@1", tmp_path / "target") as pulled, yard.pull("team/fraud@2") as cached:
        frame = modelyard.to_dataframe([pulled, cached])
    assert frame["reference"].to_list() == ["team/fraud@1", "team/fraud@2"]
    assert frame["path"].to_list() == [str(tmp_path / "target"), str(cached.path)]
    assert not [name for name in frame.columns if name.startswith("_")]
