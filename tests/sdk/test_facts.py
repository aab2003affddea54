"""What a push accepts as facts, and that it tells all that is wrong at once."""

import argparse
import hashlib
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
import pydantic
import pytest
from omegaconf import OmegaConf

import modelyard
from modelyard._client.datasets import dataset_of, role_of
from modelyard._client.describe import Described, describe, parse_parent
from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Environment,
    Fingerprint,
    Framework,
    Parent,
    Relation,
    Run,
    Signature,
    Source,
)
from modelyard.core.names import ModelName, VersionName

NOTHING: dict[str, Any] = {
    "params": None,
    "metrics": None,
    "directions": None,
    "datasets": None,
    "alias": None,
    "description": "",
    "labels": None,
    "annotations": None,
    "source": None,
    "environment": None,
    "framework": None,
    "format": "",
    "signature": None,
    "parents": (),
    "run": None,
}


def described(**given: Any) -> Described:
    return describe(**(NOTHING | given))


def violations(**given: Any) -> dict[str, str]:
    with pytest.raises(modelyard.InvalidArgumentError) as refused:
        described(**given)
    return dict(refused.value.violations)


class Color(str, Enum):  # noqa: UP042 - the kind whose str() is not its text
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Index:
    """Like an integer of a library that we don't know."""

    def __index__(self) -> int:
        return 7


class Tensor:
    """Like a PyTorch or JAX tensor without dimensions."""

    shape = ()

    def __init__(self, value: object) -> None:
        self._value = value

    def item(self) -> object:
        return self._value


class Kind(Enum):
    LINEAR = "linear"


def kind_of(value: object) -> str:
    return type(value).__name__  # a repr may have an address


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "null"),
        (Tensor(None), "null"),
        (Path("/data/x"), "/data/x"),
        (PureWindowsPath("c:/x"), "c:\\x"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Kind.LINEAR, "linear"),
        (datetime(2026, 3, 1, 12), "2026-03-01T12:00:00"),  # noqa: DTZ001 - one without a zone
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T10:00:00Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (timedelta(minutes=1.5), 90.0),
        (np.datetime64("2026-01-01"), "2026-01-01"),
        ([1, 2.5, "é", None, True], '[1, 2.5, "é", null, true]'),
        ((Path("a"), Kind.LINEAR), '["a", "linear"]'),
        ([{"a": (1,)}], '[{"a": [1]}]'),
        ({"b", "a"}, '["a", "b"]'),
        (frozenset(), "[]"),
        ({}, "{}"),
        (range(3), "range(0, 3)"),
        (len, "builtins.len"),
        (Decimal, "decimal.Decimal"),
        ([np.int64(1), np.float32(0.5), Tensor(2)], "[1, 0.5, 2]"),
    ],
    ids=kind_of,
)
def test_params_of_other_types_are_converted_by_the_documented_rule(given: Any, kept: Any) -> None:
    (param,) = described(params={"p": given}).facts.params.values()

    assert (type(param), param) == (type(kept), kept)


@dataclass
class Optimizer:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass
class Config:
    optimizer: Optimizer = field(default_factory=Optimizer)
    seed: int = 7


class Settings(pydantic.BaseModel):
    optimizer: Optimizer = Optimizer()
    seed: int = 7
    token: pydantic.SecretStr = pydantic.SecretStr("hunter2")


class Row(NamedTuple):
    optimizer: Mapping[str, Any]
    seed: int


FLAT = {"optimizer.lr": 0.1, "optimizer.betas": "[0.9, 0.99]", "seed": 7}


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": 7},
        Config(),
        {"optimizer": Optimizer(), "seed": 7},
        argparse.Namespace(optimizer=argparse.Namespace(lr=0.1, betas=[0.9, 0.99]), seed=7),
        SimpleNamespace(optimizer=Optimizer(), seed=7),
        Row({"lr": 0.1, "betas": [0.9, 0.99]}, 7),
        MappingProxyType({"optimizer": Optimizer(), "seed": 7}),
        UserDict({"optimizer": UserDict({"lr": 0.1, "betas": (0.9, 0.99)}), "seed": 7}),
    ],
    ids=kind_of,
)
def test_configurations_of_any_kind_become_flat(given: Any) -> None:
    assert described(params=given).facts.params == FLAT


def test_a_configuration_of_pydantic_keeps_its_secrets() -> None:
    assert described(params=Settings()).facts.params == FLAT | {"token": "***"}


def test_numbers_and_enums_may_be_names() -> None:
    assert described(params={"id2label": {0: "no", 1: "yes"}, Color.RED: 1}).facts.params == {
        "id2label.0": "no",
        "id2label.1": "yes",
        "red": 1,
    }


def test_a_configuration_that_is_in_itself_or_can_not_be_read_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["a"] = circle
    assert "nested" in violations(params=circle)["params"]
    assert "twice" in violations(params={"a": {"b": 1}, "a.b": 2})["params['a.b']"]

    class Missing(UserDict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise RuntimeError("Missing mandatory value: lr")

    assert violations(params=Missing(lr=1)) == {"params": "can't be read: Missing mandatory value: lr"}


def test_long_text_becomes_a_file_that_the_param_names() -> None:
    prompt = "é" * 5000
    found = described(params={"llm": {"Prompt/x": prompt}, "short": "é" * 2048})
    ((path, text),) = found.texts.items()
    assert text == prompt
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    assert found.facts.params["llm.Prompt/x"] == f"see the file {path} (10000 bytes, sha256:{digest})"
    assert path.startswith("modelyard-params/p-llm.Prompt_x-")
    assert found.facts.params["short"] == "é" * 2048
    assert path in found.notes[0]
    assert list(described(params={"prompt": prompt}).texts) == ["modelyard-params/prompt.txt"]


def test_metrics_may_be_nested_too() -> None:
    assert described(metrics={"val": {"auc": np.float32(0.5)}, "loss": 1}).facts.metrics == {
        "val.auc": 0.5,
        "loss": 1.0,
    }


def test_metrics_that_are_not_finite_are_left_out_on_request_and_told() -> None:
    found = described(metrics={"auc": 0.9, "f1": float("nan"), "loss": np.float32("inf")}, drop_nonfinite=True)
    assert found.facts.metrics == {"auc": 0.9}
    assert found.notes == ("metrics['f1'] is nan and is left out.", "metrics['loss'] is inf and is left out.")
    assert "drop_nonfinite=True" in violations(metrics={"f1": float("nan")})["metrics['f1']"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text", "text"),
        ("", ""),
        (True, True),
        (3, 3),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (0.5, 0.5),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (Index(), 7),
        (Decimal("0.25"), 0.25),
        (Fraction(1, 4), 0.25),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(5), 5),
        (np.uint8(5), 5),
        (np.True_, True),
        (np.str_("s"), "s"),
        (np.array(2.5), 2.5),
        (Tensor(4), 4),
        (Tensor(0.5), 0.5),
    ],
)
def test_params_keep_value_and_type(given: Any, kept: Any) -> None:
    (param,) = described(params={"p": given}).facts.params.values()

    assert (type(param), param) == (type(kept), kept)


@pytest.mark.parametrize(
    "given",
    [
        *(b"bytes", object(), 2**63, -(2**63) - 1, float("nan"), float("-inf"), 1j),
        *([float("nan")], [object()], [b"bytes"], {1: object()}),
        np.array([1.0]),
        Decimal("NaN"),
        np.float32("inf"),
        "\udc80",
        "a\x00",
        "x" * ((64 << 20) + 1),
    ],
    ids=kind_of,
)
def test_params_that_are_no_value_are_refused(given: Any) -> None:
    (field,) = violations(params={"p": given})
    assert field.startswith("params['p")


@pytest.mark.parametrize(
    ("given", "kept"), [(1, 1.0), (0.5, 0.5), (np.float32(0.5), 0.5), (Tensor(0.5), 0.5), (Decimal("0.25"), 0.25)]
)
def test_metrics_are_doubles(given: Any, kept: Any) -> None:
    (metric,) = described(metrics={"m": given}).facts.metrics.values()

    assert (type(metric), metric) == (float, kept)


@pytest.mark.parametrize(
    "given", ["0.9", True, None, float("nan"), float("inf"), 10**400, np.array([1.0, 2.0]), np.float64("nan"), [0.9]]
)
def test_metrics_that_are_no_finite_number_are_refused(given: Any) -> None:
    assert list(violations(metrics={"m": given})) == ["metrics['m']"]


def test_names_of_data_sets_tell_their_roles() -> None:
    datasets = described(
        datasets={"train": "s3://a", "Valid": "s3://b", "validation_2": "s3://c", "test": "s3://d", "extra": "s3://e"}
    ).facts.datasets

    assert [(dataset.name, dataset.role.name) for dataset in datasets] == [
        ("train", "TRAINING"),
        ("Valid", "VALIDATION"),
        ("validation_2", "VALIDATION"),
        ("test", "TEST"),
        ("extra", "OTHER"),
    ]
    assert datasets[0].uri == "s3://a"


def test_data_sets_may_be_records() -> None:
    record = Dataset(name="d", role=DatasetRole.TEST, rows=5)

    assert described(datasets=[record]).facts.datasets == (record,)
    assert described(datasets={"train": record}).facts.datasets == (record,)


def test_a_data_set_may_be_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"a,b\n")
    file, folder = described(datasets={"train": tmp_path / "train.csv", "test": tmp_path}).facts.datasets
    assert file == Dataset(
        name="train",
        uri=(tmp_path / "train.csv").as_uri(),
        digest=f"sha256:{hashlib.sha256(b'a,b' + bytes([10])).hexdigest()}",
        role=DatasetRole.TRAINING,
        fingerprint=Fingerprint.EXACT,
    )
    assert folder == Dataset(name="test", uri=tmp_path.as_uri(), role=DatasetRole.TEST)
    assert "can't be read" in violations(datasets={"train": tmp_path / "gone"})["datasets['train']"]


def test_a_data_set_of_hugging_face_tells_its_rows_and_fingerprint() -> None:
    theirs = SimpleNamespace(num_rows=3, _fingerprint="0123456789abcdef")
    (found,) = described(datasets={"train_2026": theirs}).facts.datasets
    assert (found.rows, found.digest, found.role) == (3, "hf-fingerprint:0123456789abcdef", DatasetRole.TRAINING)


def test_a_frame_tells_its_rows() -> None:
    frame = type("DataFrame", (), {"shape": (5, 2)})()
    (found,) = described(datasets={"my-valid": frame}).facts.datasets
    assert (found.rows, found.digest, found.role) == (5, "", DatasetRole.VALIDATION)


def test_a_frame_of_pandas_has_a_digest_of_all_it_holds() -> None:
    def digest(frame: pd.DataFrame) -> Dataset:
        (found,) = described(datasets={"train": frame}).facts.datasets
        return found

    frame = pd.DataFrame({"x": [1, 2, None], "when": pd.to_datetime(["2026-01-01"] * 3), "kind": ["a", "b", "a"]})
    found = digest(frame)
    assert (found.rows, found.role, found.fingerprint) == (3, DatasetRole.TRAINING, Fingerprint.EXACT)
    assert found.digest.startswith("pandas-sha256:")
    assert digest(frame.copy()) == found
    others = (
        frame.assign(x=[1, 2, 3]),
        frame.rename(columns={"x": "y"}),
        frame.astype({"kind": "category"}),
        frame.set_index("kind", drop=False),
    )
    assert len({found.digest, *(digest(other).digest for other in others)}) == 5
    assert digest(pd.DataFrame({"lists": [[1], [2]]})) == Dataset(name="train", role=DatasetRole.TRAINING, rows=2)


def test_an_array_has_rows_and_a_digest_of_its_values() -> None:
    one, same, other = np.ones((3, 2)), np.ones((3, 2)), np.zeros((3, 2))
    found, again, differs = (dataset_of("train", each) for each in (one, same, other))
    assert (found.rows, found.digest, found.fingerprint) == (3, again.digest, Fingerprint.EXACT)
    assert found.digest.startswith("numpy-sha256:")
    assert found.digest != differs.digest
    assert dataset_of("train", np.array([object()])).digest == ""


def test_scalars_of_pandas_are_params_and_metrics() -> None:
    row = pd.DataFrame({"auc": [0.9], "epochs": [3], "day": pd.to_datetime(["2026-01-01"])}).iloc[0]
    facts = described(params=row, metrics=row[["auc", "epochs"]]).facts
    assert facts.params == {"auc": 0.9, "epochs": 3, "day": "2026-01-01T00:00:00"}
    assert facts.metrics == {"auc": 0.9, "epochs": 3.0}


def test_a_configuration_of_omegaconf_is_read_as_it_resolves() -> None:
    config = OmegaConf.create(
        {"optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "out": "runs/${optimizer.lr}", "n": None}
    )
    assert described(params=config).facts.params == {
        "optimizer.lr": 0.1,
        "optimizer.betas": "[0.9, 0.99]",
        "out": "runs/0.1",
        "n": "null",
    }
    refused = violations(params=OmegaConf.create({"lr": "???", "out": "${nothing}"}))
    assert "lr" in str(refused)


@pytest.mark.parametrize("name", ["train_test_split", "contest", "pretrained", ""])
def test_a_name_that_says_no_role_or_two_has_none(name: str) -> None:
    assert role_of(name) is DatasetRole.OTHER


def test_the_version_of_a_framework_is_that_of_the_installed_package() -> None:
    assert described(framework="numpy").facts.framework == Framework(name="numpy", version=np.__version__)
    assert described(framework=Framework(name="numpy")).facts.framework == Framework(
        name="numpy", version=np.__version__
    )
    assert described(framework="numpy==1.0").facts.framework == Framework(name="numpy", version="1.0")
    assert described(framework="numpy", capture=False).facts.framework == Framework(name="numpy")


def test_a_framework_may_be_text() -> None:
    assert described(framework="torch").facts.framework == Framework(name="torch")
    assert described(framework="torch==2.9.0").facts.framework == Framework(name="torch", version="2.9.0")
    assert described(framework=Framework(name="onnx")).facts.framework == Framework(name="onnx")


def test_one_alias_or_several() -> None:
    assert described(alias="production").aliases == ("production",)
    assert described(alias=["a", "b"]).aliases == ("a", "b")


def test_a_signature_is_plain_json() -> None:
    signature = described(signature=Signature(inputs={"required": ("a", "b")})).facts.signature

    assert signature == Signature(inputs={"required": ["a", "b"]})


def test_parents_may_be_given_by_any_reference() -> None:
    exact = VersionName(ModelName("a", "b"), 3)

    assert parse_parent(Parent(version=str(exact), relation=Relation.ADAPTER_OF)) == exact
    assert str(parse_parent(Parent(version="a/b@prod", relation=Relation.ADAPTER_OF))) == "a/b@prod"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"params": [1]}, "params"),
        ({"params": {(1, 2): 1}}, "params"),
        ({"params": {"a\nb": 1}}, "params name"),
        ({"params": {"n" * 256: 1}}, "params name"),
        ({"params": dict.fromkeys(map(str, range(10_001)), 1)}, "params"),
        ({"metrics": {"": 1}}, "metrics"),
        ({"datasets": [Dataset(name="a"), Dataset(name="a")]}, "datasets[1]"),
        ({"datasets": [Dataset(name="")]}, "datasets[0]"),
        ({"datasets": [Dataset(name="a", rows=-1)]}, "datasets[0].rows"),
        ({"datasets": {"train": "s3://a\n"}}, "datasets['train'].uri"),
        ({"labels": {"a\n": "a"}}, "labels"),
        ({"format": "a\nb"}, "format"),
        ({"source": Source(commit="x" * 5000)}, "source.commit"),
        ({"source": Source(arguments=("\x00",))}, "source.arguments[0]"),
        ({"environment": Environment(packages={"torch": "x" * 5000})}, "environment.packages['torch']"),
        ({"environment": Environment(packages={"": "1"})}, "environment.packages"),
        ({"framework": Framework(name="torch", version="2\n")}, "framework.version"),
        ({"run": Run(id="1", url="x" * 5000)}, "run.url"),
        ({"signature": Signature(inputs={"x": "\x00"})}, "signature.inputs"),
        (
            {"parents": [Parent(version="a/b@1", relation=Relation.ADAPTER_OF, manifest_digest="x")]},
            "parents[0].manifest_digest",
        ),
        ({"metrics": "auc=1"}, "metrics"),
        ({"datasets": "s3://a"}, "datasets"),
        ({"datasets": ["s3://a"]}, "datasets[0]"),
        ({"datasets": {"train": 5}}, "datasets['train']"),
        ({"labels": {"a": 1}}, "labels['a']"),
        ({"labels": {"": "a"}}, "labels"),
        ({"labels": {"k" * 129: "a"}}, "labels"),
        ({"labels": {"k": "v" * 4097}}, "labels['k']"),
        ({"labels": {"sys/x": "v"}}, "labels['sys/x']"),
        ({"annotations": {str(number): "" for number in range(101)}}, "annotations"),
        ({"description": "x" * (1024**2 + 1)}, "description"),
        ({"description": None}, "description"),
        ({"format": 1}, "format"),
        ({"source": "main.py"}, "source"),
        ({"environment": {}}, "environment"),
        ({"framework": 1}, "framework"),
        ({"framework": ""}, "framework"),
        ({"signature": {}}, "signature"),
        ({"signature": Signature(inputs={"x": float("nan")})}, "signature.inputs"),
        ({"signature": Signature(outputs={"x": object()})}, "signature.outputs"),
        ({"parents": ["team/base"]}, "parents[0]"),
        ({"parents": "team/base"}, "parents"),
        ({"parents": [Parent(version="no such thing", relation=Relation.DERIVED_FROM)]}, "parents[0].version"),
        ({"run": "42"}, "run"),
        ({"run": Run(id="")}, "run.id"),
        ({"alias": "latest"}, "alias[0]"),
        ({"alias": 5}, "alias"),
        ({"alias": [5]}, "alias[0]"),
        ({"alias": [f"a{number}" for number in range(11)]}, "alias"),
    ],
)
def test_what_is_wrong_is_named(given: Any, field: str) -> None:
    assert list(violations(**given)) == [field]


def test_all_problems_are_reported_together() -> None:
    found = violations(params={"a": object(), "b": 1}, metrics={"c": float("nan")}, labels={"": ""}, alias="v1")

    assert list(found) == ["params['a']", "metrics['c']", "alias[0]", "labels"]
