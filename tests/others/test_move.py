"""The program of the documentation that moves models from MLflow, with the real MLflow."""

from modelyard import Client
from tests.docs.blocks import blocks
from tests.others.conftest import Program
from tests.support.commands import ROOT
from tests.support.server import ServerProcess

TRAIN = """
import mlflow
from mlflow import MlflowClient

client = MlflowClient()
client.create_registered_model("fraud")
for auc in (0.91, 0.97):
    with mlflow.start_run() as run:
        mlflow.log_params({"lr": 0.1, "depth": 3})
        mlflow.log_metric("auc", auc)
        mlflow.log_text(f"weights of {auc}", "model/weights.txt")
        mlflow.log_text("{}", "model/sub/config.json")
    client.create_model_version("fraud", f"{run.info.artifact_uri}/model", run.info.run_id, description=f"auc {auc}")
client.set_registered_model_alias("fraud", "Champion", "1")
"""


def documented(title: str) -> str:
    (code,) = (block.code for block in blocks(ROOT / "docs/how-to/move.md") if block.title == title)
    return code


def test_versions_come_with_their_bytes_facts_and_aliases(program: Program, registry: ServerProcess) -> None:
    """A copy that is run again makes no version twice."""
    program(TRAIN)
    for _ in range(2):
        program(documented("from_mlflow.py"), "fraud", "moved/fraud")

    with Client(registry.url) as client:
        second, first = client.versions.list("moved/fraud")
        assert (first.metrics, second.metrics) == ({"auc": 0.91}, {"auc": 0.97})
        assert first.params == {"lr": "0.1", "depth": "3"}  # MLflow keeps texts
        assert (first.description, first.labels["mlflow.version"]) == ("auc 0.91", "1")
        assert client.resolve("moved/fraud@champion").version.number == 1
        pulled = client.pull("moved/fraud@2")
        assert [file.path for file in pulled.version.files] == ["sub/config.json", "weights.txt"]
        assert (pulled.path / "weights.txt").read_text() == "weights of 0.97"
