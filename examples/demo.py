"""Modelyard in a minute: a registry starts, a model is trained, pushed, served, improved and promoted.

Everything is real and local: a server process, scikit-learn, a data set that comes with it, and a second process
(examples/serving.py) that answers predictions. Nothing stays behind.
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
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

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
PROGRAMS = Path(sys.executable).parent
START_SECONDS = 30


def main(folder: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    # Settings that this shell has for another registry are not for this one.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    own |= {"MODELYARD_URL": f"grpc://{address}", "MODELYARD_CACHE_DIR": str(folder / "cache")}
    data = Data()
    with registry(address, folder, own), modelyard.Client(own["MODELYARD_URL"]) as yard:
        say(f"A registry serves on {address}: one process, SQLite and a folder.")
        yard.create_namespace("demo")

        first = push(yard, data, DecisionTreeClassifier(max_depth=1, random_state=0), folder / "first")
        say(f"Pushed {MODEL}@{first.number}, a decision stump: {told(first)}.")
        promote(yard, first, "the first one")

        with serving(own) as (questions, answers):

            def ask(**question: Any) -> dict[str, Any]:
                print(json.dumps(question), file=questions, flush=True)
                answer: dict[str, Any] = json.loads(answers.readline())
                return answer

            answer = ask(features=data.test_features.tolist())
            say(f"A serving process pulled version {answer['version']} and verified its {answer['bytes_received']} bytes;")
            say(f"  it gets {data.right(answer['classes'])} of {data.test_rows} patients right.")

            second = push(yard, data, make_pipeline(StandardScaler(), LogisticRegression()), folder / "second")
            say(f"Pushed {MODEL}@{second.number}, a logistic regression: {told(second)}.")
            answer = ask(reload=True)
            say(f"Asked to look again, the serving process stays with version {answer['version']}: nobody promoted the new one.")

            promote(yard, second, f"auc {first.metrics['auc']:.3f} -> {second.metrics['auc']:.3f}")
            answer = ask(reload=True, features=data.test_features.tolist())
            say(f"Now it serves version {answer['version']} ({answer['digest'][:19]}…)")
            say(f"  and gets {data.right(answer['classes'])} of {data.test_rows} patients right.")

        say("What the registry knows of the version in production:")
        known = yard.get_version(f"{MODEL}@production")
    show(known)
