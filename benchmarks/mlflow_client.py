"""MLflow's own client at work. Run by its environment's interpreter, which has none of our packages:

python mlflow_client.py URL ACTION MODEL SECONDS CLIENTS    prints the calls' times, one a line
python mlflow_client.py URL push|pull MODEL FOLDER          prints the seconds it took

ACTION is a name of ACTIONS and what it takes, with bars between.
"""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import mlflow  # type: ignore[import-not-found]  # not in our environment
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]  # as above

Call = Callable[[], object]


def _repeat(calls: Sequence[Call], seconds: float) -> None:
    for call in calls:
        call()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    times = []

    def repeat(call: Call) -> None:
        while (started := time.perf_counter()) < end:
            call()
            times.append(time.perf_counter() - started)

    with ThreadPoolExecutor(len(calls)) as threads:
        list(threads.map(repeat, calls))
    print("\n".join(f"{time:.6f}" for time in times))


# Each prepares a measure, and returns the call to measure.


def _resolve(client: Any, model: str) -> Call:
    return partial(client.get_model_version_by_alias, model, "production")


def _get(client: Any, model: str) -> Call:
    return partial(client.get_model_version, model, "1")


def _create(client: Any, model: str) -> Call:
    return partial(client.create_model_version, model, source="s3://bucket/model", await_creation_for=0)


def _set_alias(client: Any, model: str) -> Call:
    numbers = cycle(("1", "2"))
    return lambda: client.set_registered_model_alias(model, "candidate", next(numbers))


def _search(client: Any, _model: str, text: str) -> Call:
    return partial(client.search_registered_models, text, max_results=50)


def _list(client: Any, _model: str, text: str, page: str) -> Call:
    """A page of a list, by its number."""
    listed = partial(client.search_model_versions, text, max_results=50)
    token = None
    for _ in range(1, int(page)):
        token = listed(page_token=token).token
    return partial(listed, page_token=token)


ACTIONS: Final[dict[str, Callable[..., Call]]] = {
    "resolve": _resolve,
    "get": _get,
    "create": _create,
    "set alias": _set_alias,
    "search": _search,
    "list": _list,
}


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
        name, *arguments = action.split("|")
        calls = [ACTIONS[name](client, model, *arguments) for client in clients]
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
