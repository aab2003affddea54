"""A serving process: pulls a model, then answers one JSON question a line on stdin until there are no more.

python examples/serving.py demo/breast-cancer@production

    {"features": [[17.99, 10.38, …]]}    which class is each row of features?
    {"reload": true}                     what does the reference mean now?

Both are answered with the version that answers, so that a caller always knows which one it heard.
"""

import json
import sys
from typing import Any

import joblib

import modelyard


def load(reference: str) -> tuple[modelyard.PulledModel, Any]:
    """What the reference means now, every byte of it verified, and the model in it."""
    pulled = modelyard.pull(reference)
    # A joblib file is a pickle, and loading a pickle runs what it says: load only from a registry that you trust.
    return pulled, joblib.load(pulled.path / "model.joblib")


def main(reference: str) -> None:
    pulled, model = load(reference)
    for line in sys.stdin:
        question = json.loads(line)
        if question.get("reload"):
            pulled, model = load(reference)
        features = question.get("features")
        answer = {
            "version": pulled.version.number,
            "digest": pulled.digest,
            "bytes_received": pulled.bytes_received,
            "classes": model.predict(features).tolist() if features else [],
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
