"""Data sets of the real Hugging Face library as facts of a push."""

import json

from tests.others.conftest import Program

PUSH = """
import json
from pathlib import Path
import datasets
import modelyard

train = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 0]})
Path("model.txt").write_text("weights")


def pushed(**given):
    version = modelyard.push("data/fraud", "model.txt", datasets=given, capture=False)
    return [each.to_dict() for each in version.datasets]


print(json.dumps([
    pushed(train=train),
    pushed(train=train),
    pushed(train=train.select([0, 1])),
    pushed(test=train.to_pandas()),
    pushed(valid=train.data.table),
]))
"""


def test_rows_role_and_fingerprint_are_found(program: Program) -> None:
    whole, again, part, frame, table = (dataset for (dataset,) in json.loads(program(PUSH)))
    assert (whole["name"], whole["role"], whole["rows"]) == ("train", "TRAINING", 3)
    assert whole["digest"].startswith("hf-fingerprint:")
    assert again["digest"] == whole["digest"]
    assert (part["rows"], part["digest"] != whole["digest"]) == (2, True)
    assert (frame["role"], frame["rows"]) == ("TEST", 3)
    assert frame["digest"].startswith("pandas-sha256:")
    assert (table["role"], table["rows"]) == ("VALIDATION", 3)
