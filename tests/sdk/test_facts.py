"""What a push accepts as facts, and that it tells all that is wrong at once."""

from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import modelyard
from modelyard._client.describe import Described, describe, parse_parent
from modelyard.core.facts import Dataset, DatasetRole, Framework, Parent, Relation, Run, Signature
from modelyard.core.names import ModelName, VersionName

NOTHING: dict[str, Any] = {
    "params": None,
    "metrics": None,
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
        *(None, [1], {"a": 1}, b"bytes", object(), 2**63, -(2**63) - 1, float("nan"), float("-inf"), 1j),
        np.array([1.0]),
        np.datetime64("2026-01-01"),
        Decimal("NaN"),
        np.float32("inf"),
        Tensor(None),
        "\udc80",
        "a\x00",
    ],
)
def test_params_that_are_no_value_are_refused(given: Any) -> None:
    assert list(violations(params={"p": given})) == ["params['p']"]


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
        ({"params": {1: 1}}, "params name"),
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


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = violations(params={"a": None, "b": 1}, metrics={"c": float("nan")}, labels={"": ""}, alias="v1")

    assert list(found) == ["params['a']", "metrics['c']", "alias[0]", "labels"]
