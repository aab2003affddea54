"""MLflow's own client at work. Run by its environment's interpreter, which has none of our packages:

python mlflow_client.py URL resolve|create|search MODEL SECONDS CLIENTS    prints the calls' times, one a line
python mlflow_client.py URL push|pull MODEL FOLDER          prints the seconds it took
"""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import mlflow  # type: ignore[import-not-found]  # not in our environment
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]  # as above


def _repeat(calls: Sequence[Callable[[], object]], seconds: float) -> None:
    for call in calls:
        call()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    times = []

    def repeat(call: Callable[[], object]) -> None:
        while (started := time.perf_counter()) < end:
            call()
            times.append(time.perf_counter() - started)

    with ThreadPoolExecutor(len(calls)) as threads:
        list(threads.map(repeat, calls))
    print("\n".join(f"{time:.6f}" for time in times))


def _push(client: Any, model: str, folder: Path) -> None:
    """Artifacts of a run, and a version that points at them: what ``log_model`` does, without building a model."""
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder), "model")
    client.create_model_version(
        model, source=f"runs:/{run.info.run_id}/model", run_id=run.info.run_id, await_creation_for=0
    )


def _pull(model: str, folder: Path) -> None:
    mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{model}@production", dst_path=str(folder))


def main() -> None:
    url, action, model, argument, *count = sys.argv[1:]
    mlflow.set_tracking_uri(url)
    client = MlflowClient(url, url)
    if count:
        clients = [MlflowClient(url, url) for _ in range(int(count[0]))]
        if action.startswith("search|"):
            text = action.removeprefix("search|")
            calls = [partial(client.search_model_versions, text, max_results=50) for client in clients]
        elif action == "resolve":
            calls = [partial(client.get_model_version_by_alias, model, "production") for client in clients]
        else:
            given = {"source": "s3://bucket/model", "await_creation_for": 0}
            calls = [partial(client.create_model_version, model, **given) for client in clients]
        _repeat(calls, float(argument))
    else:
        if action == "push":
            with suppress(MlflowException):  # it is there already
                client.create_registered_model(model)
        started = time.perf_counter()
        if action == "push":
            _push(client, model, Path(argument))
        else:
            _pull(model, Path(argument))
        print(time.perf_counter() - started)
        if action == "push":
            newest = max(int(v.version) for v in client.search_model_versions(f"name='{model}'", max_results=1))
            client.set_registered_model_alias(model, "production", newest)


if __name__ == "__main__":
    main()
