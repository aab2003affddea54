"""What a record of the SDK can do in a prompt, a notebook, a set and a data frame."""

import dataclasses
import json
from dataclasses import replace

import pytest
from tests.cli.records import ALIAS, DELIVERY, DEPLOYMENT, FRAUD, HOSTILE, MODEL, NAMESPACE, ROLLOUT, VERSION

import modelyard
from modelyard.core.facts import Dataset, Environment, Signature
from modelyard.core.manifest import File
from modelyard.core.record import Record

RECORDS = [NAMESPACE, MODEL, VERSION, ALIAS, DEPLOYMENT, ROLLOUT, DELIVERY]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_short_hashable_and_plain(record: Record) -> None:
    assert len(repr(record)) < 700
    assert "\x1b" not in repr(record)
    assert hash(record) == hash(replace(record))  # type: ignore[type-var]  # all are dataclasses
    assert {record: 1}[record] == 1
    json.dumps(record.to_dict(), allow_nan=False)


def test_every_public_record_has_the_short_form_and_the_hash() -> None:
    found = [getattr(modelyard, name) for name in modelyard.__all__]
    records = [each for each in found if isinstance(each, type) and dataclasses.is_dataclass(each)]
    for record in records:
        if not record.__name__.endswith(("Name", "Reference", "File", "Call")):
            assert issubclass(record, Record), record
            assert "_repr" in record.__repr__.__name__, record


def test_the_short_form_tells_what_a_version_is_however_large_it_is() -> None:
    files = tuple(File(path=f"{number}", size=1, digest="") for number in range(10_000))
    large = replace(VERSION, files=files, params={f"p{number}": 1 for number in range(10_000)})
    told = f"READY, candidate, production, 1500000 bytes in 1 files, auc=0.93, {VERSION.digest[:19]}"
    assert repr(large) == f"Version(team/fraud@3, {told})"
    assert repr(ALIAS) == "Alias(team/fraud@production -> 3)"
    assert repr(Dataset(name="train", rows=3)) == "Dataset(name='train', rows=3)"
    many = Environment(python="3.11", packages={f"p{number}": "1" for number in range(200)})
    assert repr(many) == "Environment(python='3.11', packages={200 entries})"


def test_records_that_differ_in_a_map_are_different_keys() -> None:
    one, other = (Signature(inputs={"x": [{"a": 1}, "b"], "n": number}) for number in (1, 2))
    assert len({one, other, replace(one)}) == 2


def test_a_notebook_shows_stored_text_as_text() -> None:
    hostile = "<script>alert(1)</script>\u202e"
    page = replace(VERSION, description=hostile, labels={"<b>": hostile})._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "<b>" not in page
    assert HOSTILE not in MODEL._repr_html_()


def test_a_notebook_shows_lists_and_maps_whole_and_folds_long_ones() -> None:
    many = tuple(File(path=f"weights-{number}.bin", size=1, digest="") for number in range(1200))
    packages = Environment(packages={f"p{number}": "1" for number in range(200)})
    page = replace(VERSION, files=many, environment=packages)._repr_html_()
    assert "<details><summary>1200 items</summary>path=weights-0.bin, " in page
    assert "weights-999.bin" in page
    assert "… and 200 more; to_dict() has all" in page
    assert "p199=1" in page
    assert page.count("<details>") == page.count("</details>")


def test_the_plain_form_begins_with_the_name() -> None:
    assert list(VERSION.to_dict())[:3] == ["name", "reference", "number"]
    assert VERSION.to_dict()["reference"] == "team/fraud@3"
    assert VERSION.to_dict()["datasets"][0]["role"] == "TRAINING"
    assert VERSION.to_dict()["create_time"] == "2026-03-01T12:30:15.250000Z"
    assert MODEL.to_dict()["name"] == str(FRAUD)
    assert ROLLOUT.to_dict()["complete"] is False
