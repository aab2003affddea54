"""A serving process: pulls a model, then answers one JSON question per line on stdin, until stdin ends.

    python serving.py demo/breast-cancer@production
    {"features": [[17.99, 10.38, …]]}                     which class is each row of features?
    {"features": [[17.99, 10.38, …]], "reload": true}     the same, after pulling the reference again

Each answer names the version that gave it.
"""

import json
import sys
from typing import Any

import joblib

import modelyard


def load(reference: str) -> tuple[modelyard.PulledModel, Any]:
    """Pulls the version the reference points to, verifies its files, and loads the model from them."""
    pulled = modelyard.pull(reference)
    # A joblib file is a pickle, and to load a pickle is to run it: only do that if you trust the registry.
    return pulled, joblib.load(pulled.path / "model.joblib")


def main(reference: str) -> None:
    pulled, model = load(reference)
    for line in sys.stdin:
        question = json.loads(line)
        if question.get("reload"):
            pulled, model = load(reference)
        answer = {
            "version": pulled.version.number,
            "digest": pulled.digest,
            "bytes_received": pulled.bytes_received,
            "classes": model.predict(question["features"]).tolist(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
