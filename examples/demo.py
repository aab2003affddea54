"""Modelyard in half a minute: start a registry, then train, push, serve, improve and promote a model.

Everything runs on this machine: a server process, scikit-learn with one of its data sets, and a second process
(serving.py) that answers predictions. The demo deletes all of its files at the end.
"""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import modelyard

MODEL = "demo/breast-cancer"
SERVER = Path(sys.executable).with_name("modelyard-server")
START_SECONDS, STOP_SECONDS = 30, 10

features, classes = load_breast_cancer(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(features, classes, test_size=0.4, stratify=classes, random_state=0)


def main(folder: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    for name in [name for name in os.environ if name.startswith("MODELYARD_")]:
        del os.environ[name]  # settings of this shell for another registry
    os.environ |= {"MODELYARD_URL": f"grpc://{address}", "MODELYARD_CACHE_DIR": str(folder / "cache")}

    with registry(address, folder), modelyard.Client() as yard:
        say(f"A registry serves on {address}: one process, SQLite and a folder.")

        stump = push(yard, "a decision stump", DecisionTreeClassifier(max_depth=1, random_state=0), folder)
        promote(yard, stump, "the first that works")
        with child(sys.executable, Path(__file__).with_name("serving.py"), f"{MODEL}@production") as serving:
            say("A serving process pulls what is in production:")
            predictions(serving)

            regression = push(
                yard, "a logistic regression", make_pipeline(StandardScaler(), LogisticRegression()), folder
            )
            say("The serving process looks again, and nobody has promoted the new version yet:")
            predictions(serving, reload=True)

            promote(yard, regression, f"auc {stump.metrics['auc']:.3f} -> {regression.metrics['auc']:.3f}")
            say("The serving process looks again:")
            predictions(serving, reload=True)

        show(yard.versions.get(f"{MODEL}@production"), yard.aliases.get(MODEL, "production"))


def push(yard: modelyard.Client, what: str, model: Any, folder: Path) -> modelyard.Version:
    """Trains ``model`` and pushes it as a version, with params, metrics and data sets."""
    model.fit(train_x, train_y)
    files = Path(tempfile.mkdtemp(dir=folder))
    joblib.dump(model, files / "model.joblib")
    version = yard.push(
        MODEL,
        files,
        params={"estimator": str(model), "test_size": 0.4, "random_state": 0},
        metrics={
            "accuracy": accuracy_score(test_y, model.predict(test_x)),
            "auc": roc_auc_score(test_y, model.predict_proba(test_x)[:, 1]),
        },
        datasets=[
            dataset("train", modelyard.DatasetRole.TRAINING, train_x, train_y),
            dataset("test", modelyard.DatasetRole.TEST, test_x, test_y),
        ],
        framework=modelyard.Framework(name="scikit-learn", version=sklearn.__version__),
        format="sklearn",
        description=f"Tells malignant from benign by {what}.",
    )
    say(f"Trained {what} and pushed it as {MODEL}@{version.number}:")
    say(f"    {version.digest}, {version.total_size} bytes, {metrics(version)}")
    return version


def dataset(name: str, role: modelyard.DatasetRole, *arrays: Any) -> modelyard.Dataset:
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    return modelyard.Dataset(
        name=f"breast-cancer-{name}",
        digest=f"sha256:{digest}",
        fingerprint=modelyard.Fingerprint.EXACT,
        role=role,
        rows=len(arrays[0]),
    )


def promote(yard: modelyard.Client, version: modelyard.Version, reason: str) -> None:
    yard.promote(f"{MODEL}@{version.number}", reason=reason)
    say(f"Promoted version {version.number} to production: {reason}.")


def predictions(serving: subprocess.Popen[str], *, reload: bool = False) -> None:
    """Sends features to the serving process and checks its answer. With ``reload`` it resolves its reference first."""
    assert serving.stdin
    assert serving.stdout
    print(json.dumps({"reload": reload, "features": test_x.tolist()}), file=serving.stdin, flush=True)
    answer = json.loads(serving.stdout.readline())
    right = int((test_y == answer["classes"]).sum())
    say(f"    version {answer['version']} answers and gets {right} of {len(test_y)} patients right")
    say(f"    ({answer['bytes_received']} bytes came over the network; what it has is {answer['digest']})")


def show(version: modelyard.Version, alias: modelyard.Alias) -> None:
    source, environment = version.source, version.environment
    say("What the registry can tell about the version in production:")
    say(f"    what     {MODEL}@{version.number}, {version.digest}")
    say(f"    quality  {metrics(version)}")
    say(f"    made     by {version.created_by} at {version.create_time:%Y-%m-%d %H:%M} UTC")
    for data in version.datasets:
        say(f"    {data.role.value.lower():8} {data.rows} rows of {data.name}, {data.digest}")
    if source:
        commit = f"commit {source.commit}{' with changes' if source.dirty else ''}" if source.commit else "no commit"
        say(f"    code     {source.entry_point} at {commit}")
    if environment:
        packages = f"{len(environment.packages)} packages" if environment.packages else "packages unknown"
        say(f"    where    Python {environment.python}, {environment.os}, {packages}")
    say(f"    promoted by {alias.updated_by} at {alias.update_time:%Y-%m-%d %H:%M} UTC")


def metrics(version: modelyard.Version) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(version.metrics.items()))


@contextmanager
def registry(address: str, folder: Path) -> Iterator[None]:
    """Runs a server: ready when the block is entered, ended when it is left."""
    with child(
        *(SERVER, "serve", "--listen", address, "--admin-listen", "", "--data-dir", folder / "registry"),
        *("--drain-delay", "0"),
        log=folder / "server.log",
    ) as server:
        deadline = time.monotonic() + START_SECONDS
        while not healthy(address):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"The registry did not start. Its log:\n{(folder / 'server.log').read_text()}")
        yield


def healthy(address: str) -> bool:
    asked = subprocess.run([SERVER, "probe", "--address", address], capture_output=True, check=False)  # noqa: S603 - ours
    return asked.returncode == 0


@contextmanager
def child(*command: str | Path, log: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Runs a process, and ends it when the block is left, also after an exception."""
    process = None
    try:
        with undisturbed(), Path(log or os.devnull).open("w") as output:
            process = subprocess.Popen(  # noqa: S603 - a program of this repository
                command,
                stdin=subprocess.PIPE,
                stdout=output if log else subprocess.PIPE,
                stderr=output if log else None,
                text=True,
                start_new_session=True,  # Ctrl-C reaches only this process, which ends its children
            )
        yield process
    finally:
        with undisturbed():
            if process is not None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=STOP_SECONDS)
                process.kill()
                process.wait()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Delays Ctrl-C and SIGTERM until the block is left. Otherwise a child could stay behind that is just starting."""
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: came.append(number)) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    for number in came:
        signal.raise_signal(number)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="modelyard-demo-") as temporary:
            main(Path(temporary))
        say("That was all: every process has ended and every file is gone.")
    except KeyboardInterrupt:
        sys.exit(130)
