"""What programs read: field names and forms that they may count on."""

import io
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from tests.cli.records import ALIAS, HOSTILE, MODEL, NAMESPACE, VERSION

from modelyard.cli import documents
from modelyard.types import PulledModel, Version


def read(value: object) -> dict[str, object]:
    out = io.StringIO()
    documents.write(value, out)
    answer: dict[str, object] = json.loads(out.getvalue())
    return answer


def test_a_version_tells_all_its_fields_and_who_it_is_first() -> None:
    found = read(VERSION)
    assert list(found)[:3] == ["name", "reference", "number"]
    assert set(found) == {field.name for field in fields(Version)} | {"reference", "number"}
    assert found["name"] == "namespaces/team/models/fraud/versions/3"
    assert found["reference"] == "team/fraud@3"
    assert found["number"] == 3
    assert found["state"] == "READY"
    assert found["create_time"] == "2026-03-01T12:30:15.250000Z"
    assert found["files"] == [
        {"path": "model.bin", "size": 1_500_000, "digest": f"sha256:{'a' * 64}", "executable": False}
    ]
    assert found["params"] == {"lr": 0.1, "n": 2**62, "name": HOSTILE, "flag": False}
    assert found["aliases"] == ["candidate", "production"]
    assert found["parents"] == [
        {"version": "namespaces/team/models/fraud/versions/1", "relation": "FINE_TUNED_FROM", "manifest_digest": ""}
    ]
    assert found["environment"] == {
        "python": "3.11.7",
        "os": "",
        "packages": {"numpy": "2.0"},
        "hardware": {"cpu_count": "2"},
        "image": "",
        "job": {},
        "not_collected": {},
    }


def test_names_are_canonical() -> None:
    assert read(NAMESPACE)["name"] == "namespaces/team"
    assert read(MODEL)["name"] == "namespaces/team/models/fraud"
    assert read(MODEL)["delete_time"] is None
    assert read(ALIAS)["name"] == "namespaces/team/models/fraud/aliases/production"
    assert read(ALIAS)["version"] == "namespaces/team/models/fraud/versions/3"


def test_a_pulled_model_tells_where_it_is() -> None:
    pulled = PulledModel(reference="team/fraud", path=Path("/m"), version=VERSION, stale=False, bytes_received=7)
    found = read(pulled)
    assert (found["path"], found["stale"], found["bytes_received"]) == ("/m", False, 7)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_is_one_document(count: int) -> None:
    out = io.StringIO()
    documents.write_list("models", [MODEL] * count, out)
    assert json.loads(out.getvalue()) == {"models": [read(MODEL)] * count}


def test_half_a_list_is_not_written() -> None:
    out = io.StringIO()

    def models() -> Iterator[object]:
        yield MODEL
        raise OSError("the registry went away")

    with pytest.raises(OSError, match="went away"):
        documents.write_list("models", models(), out)
    assert out.getvalue() == ""


def test_a_line_is_a_document() -> None:
    out = io.StringIO()
    for value in (MODEL, VERSION):
        documents.write_line(value, out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [read(MODEL), read(VERSION)]


def test_nothing_in_a_document_acts_on_a_terminal() -> None:
    out = io.StringIO()
    documents.write(VERSION, out)
    assert set(out.getvalue()) <= {chr(code) for code in range(32, 127)} | {"\n"}
