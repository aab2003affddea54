"""Filters and orders answered by either database, against an evaluator that reads one version after the other."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.yards import Yard, open_yard
from tests.support.requests import digest_of, make_model, store

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.query import pages, syntax
from modelyard_server.query.syntax import Comparison, Expression, Literal, Operator

NAMESPACE = "namespaces/default"
MODELS = ("churn", "fraud")
_WORDS = ("adam", "Adam", "sgd", "a_d%m", "x*y", "[a]", "ümlaut", "a\\b", "ad", "zz")
_NUMBERS = (-1.5, 0.0, 0.25, 1.0, 3.0, 10.0)
_PER_MODEL = 25


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Catalogue"]:
    url = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").migrated()
    with open_yard(url, tmp_path_factory.mktemp("yard")) as yard:
        yield Catalogue(yard)


class Catalogue:
    """Some models with random versions, the same ones each time."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self.versions: list[pb.Version] = []
        yard.wait(self._fill)

    async def _fill(self) -> None:
        chance = random.Random(20260304)
        running = self._yard.running
        await store(running, b"weights")
        for model in MODELS:
            await make_model(running, model)
            for number in range(1, _PER_MODEL + 1):
                running.clock.advance(60)
                parent = f"{NAMESPACE}/models/{model}"
                version = _random_version(chance)
                aliases = ["production"] if number == 9 else ["canary", "shadow"] if number == 20 else []
                request = rpc.CreateVersionRequest(parent=parent, version=version, alias_ids=aliases)
                made = await running.registry.CreateVersion(request)
                if number % 8 == 0:
                    await running.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=made.name, reason="old"))
            listed = await running.registry.ListVersions(rpc.ListVersionsRequest(parent=parent))
            self.versions += listed.versions

    def list(self, parent: str, text: str, order_by: str, page_size: int) -> list[str]:
        found: list[str] = []
        request = rpc.ListVersionsRequest(parent=parent, filter=text, order_by=order_by, page_size=page_size)
        while True:
            page = self._yard.wait(lambda: self._yard.running.registry.ListVersions(request))
            found += [version.name for version in page.versions]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found


def _param_value(kind: str, value: Any) -> pb.ParamValue:
    made = pb.ParamValue()
    setattr(made, kind, value)
    return made


def _random_version(chance: random.Random) -> pb.Version:
    version = pb.Version(
        files=[pb.File(path="model.bin", blob=pb.Blob(digest=digest_of(b"weights"), size_bytes=7))],
        description=chance.choice(["", *_WORDS]),
        format=chance.choice(["", "onnx", "safetensors"]),
    )
    for key in chance.sample(["team", "tier", "note"], chance.randrange(4)):
        version.labels[key] = chance.choice(_WORDS)
    for key in chance.sample(["auc", "loss"], chance.randrange(3)):
        version.metrics[key] = chance.choice(_NUMBERS)
    for key in chance.sample(["lr", "optimizer"], chance.randrange(3)):
        value = chance.choice([chance.choice(_WORDS), chance.choice(_NUMBERS), chance.randrange(4), True])
        kind = {str: "string_value", float: "double_value", int: "int_value", bool: "bool_value"}[type(value)]
        version.params[key].CopyFrom(_param_value(kind, value))
    for name in chance.sample(["train", "valid"], chance.randrange(3)):
        version.datasets.add(name=name, digest=chance.choice(["", "md5:1", "md5:2"]))
    return version


# What a filter means, said once more and without any of the registry's code but the grammar's


def _values(version: pb.Version, path: tuple[str, ...]) -> list[Any]:
    """What a field has; nothing if it is not there."""
    match path:
        case ("labels" | "metrics" | "params", key):
            entries: Any = getattr(version, path[0])
            found: list[Any] = [_param(entries[key])] if key in entries else []
        case ("alias",):
            found = list(version.aliases)
        case ("dataset",):
            found = [dataset.name for dataset in version.datasets]
        case ("dataset", "digest"):
            found = [dataset.digest for dataset in version.datasets]
        case ("state",):
            found = [pb.Version.State.Name(version.state).removeprefix("STATE_")]
        case ("model",):
            found = [version.name.split("/")[3]]
        case ("create_time",):
            found = [version.create_time.ToDatetime().isoformat()]
        case (field,):
            found = [getattr(version, field)]
        case _:
            raise AssertionError(path)
    return [value for value in found if value != ""]


def _param(value: pb.ParamValue | str | float) -> str | float:
    if not isinstance(value, pb.ParamValue):
        return value
    plain = getattr(value, value.WhichOneof("kind") or "")
    return str(plain).lower() if isinstance(plain, bool) else plain


def _fits(value: str, pieces: tuple[str, ...]) -> bool:
    """Whether a text is the pieces with anything between them."""
    if len(pieces) == 1:
        return value == pieces[0]
    first, *rest = pieces
    if not value.startswith(first):
        return False
    value = value[len(first) :]
    return any(_fits_behind(value[at:], tuple(rest)) for at in range(len(value) + 1))


def _fits_behind(value: str, pieces: tuple[str, ...]) -> bool:
    return _fits(value, pieces)


def _holds(value: Any, operator: Operator, literal: Literal) -> bool:
    if isinstance(value, str):
        return _text_holds(value, operator, literal)
    try:
        number = float(literal.text)
    except ValueError:
        return False
    return not literal.quoted and _compare(value, operator, number)


def _text_holds(value: str, operator: Operator, literal: Literal) -> bool:
    if operator in {Operator.EQUAL, Operator.HAS}:
        return _fits(value, literal.pieces)
    if operator is Operator.NOT_EQUAL:
        return not _fits(value, literal.pieces)
    return _compare(value, operator, literal.text)


def _compare(left: Any, operator: Operator, right: Any) -> bool:
    answers: dict[Operator, bool] = {
        Operator.EQUAL: left == right,
        Operator.HAS: left == right,
        Operator.NOT_EQUAL: left != right,
        Operator.LESS: left < right,
        Operator.LESS_EQUAL: left <= right,
        Operator.GREATER: left > right,
        Operator.GREATER_EQUAL: left >= right,
    }
    return answers[operator]


def _numeric(literal: Literal) -> bool:
    try:
        float(literal.text)
    except ValueError:
        return False
    return not literal.quoted


def evaluate(expression: Expression, version: pb.Version) -> bool:
    match expression:
        case syntax.Not(term):
            return not evaluate(term, version)
        case syntax.And(terms):
            return all(evaluate(term, version) for term in terms)
        case syntax.Or(terms):
            return any(evaluate(term, version) for term in terms)
        case Comparison(path, operator, literal):
            if len(path) == 1 and path[0] in {"labels", "metrics", "params"}:
                return bool(_values(version, (path[0], literal.text)))
            values = _values(version, path)
            if operator is Operator.HAS and literal.text == "*" and not literal.quoted:
                return bool(values)
            if path == ("description",) and operator is Operator.HAS:
                return any(literal.text in value for value in values)
            if path[0] == "params":  # a param is compared only with values of its type
                values = [value for value in values if isinstance(value, str) != _numeric(literal)]
            return any(_holds(value, operator, literal) for value in values)


# Filters of all shapes

_QUOTE: Callable[[str], str] = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'  # noqa: E731
_EXACT = st.sampled_from(_WORDS).map(lambda word: _QUOTE(word).replace("*", "\\*"))
_PATTERN = st.sampled_from(['"a*"', '"*m"', '"*d*"', '"a*m"', '"*"', '"ü*"', '"[*"', '"*%*"', '"a_*"', '"*\\\\*"'])
_ANY_ORDER = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_EITHER = st.sampled_from(["=", "!="])
_KEYS = st.sampled_from(["team", "tier", "note", "none"])
_NUMBER = st.sampled_from([str(number) for number in (*_NUMBERS, 2, 7)])


def _comparison(field: st.SearchStrategy[str], operator: Any, value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(field, operator, value).map(" ".join)


_label = _KEYS.map("labels.{}".format)
_metric = st.sampled_from(["metrics.auc", "metrics.loss", "metrics.none"])
_param_field = st.sampled_from(["params.lr", "params.optimizer"])
_COMPARISONS = st.one_of(
    _comparison(_label | st.just("description"), _ANY_ORDER, _EXACT),
    _comparison(_label | st.just("description"), _EITHER, _PATTERN),
    _comparison(st.just("description"), st.just(":"), _EXACT.map(lambda text: text.replace("\\*", "y"))),
    _comparison(_metric, _ANY_ORDER, _NUMBER),
    _comparison(_param_field, _ANY_ORDER, _NUMBER | _EXACT | st.just("true")),
    _comparison(_param_field, _EITHER, _PATTERN),
    _comparison(st.just("dataset"), st.sampled_from(["=", ":"]), st.sampled_from(["train", "valid", '"*in"', "*"])),
    _comparison(st.just("dataset.digest"), st.just("="), st.sampled_from(["md5:1", "md5:3"])),
    _comparison(st.just("alias"), st.just(":"), st.sampled_from(["production", "canary", "none", "*", '"*a*"'])),
    _comparison(st.just("state"), _EITHER, st.sampled_from(["READY", "DEPRECATED", "DELETED"])),
    _comparison(st.just("model"), _ANY_ORDER, st.sampled_from(["churn", "fraud", "d"])),
    _comparison(st.just("number"), _ANY_ORDER, st.sampled_from(["0", "9", "12.5"])),
    _comparison(st.just("format"), _EITHER, st.sampled_from(["onnx", '"safe*"'])),
    _comparison(
        st.just("create_time"),
        _ANY_ORDER,
        st.sampled_from(["2026-03-01T12:09:00", "2026-03-01T12:30:00", "2026-03-01T12:49:00"]),
    ),
    _KEYS.map("labels:{}".format),
    st.sampled_from(["metrics:auc", "params:lr", "params.optimizer:*", "description:*"]),
)
_FILTERS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: " AND ".join(f"({term})" for term in terms)),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: " OR ".join(f"({term})" for term in terms)),
    ),
    max_leaves=6,
)
_ORDERS = st.sampled_from(["", "create_time", "create_time desc", "metrics.auc", "metrics.auc desc", "params.lr desc"])


def _sorted(versions: list[pb.Version], order_by: str) -> list[pb.Version]:
    newest = sorted(versions, key=lambda version: (version.create_time.ToNanoseconds(), version.number), reverse=True)
    field, _, direction = order_by.partition(" ")
    if field in {"", "create_time"}:
        return newest if direction or not field else newest[::-1]
    values = {version.name: _values(version, tuple(field.split("."))) for version in versions}
    has = [version for version in newest if any(isinstance(value, float | int) for value in values[version.name])]
    oldest = has[::-1]
    return [
        *(
            sorted(has, key=lambda version: -values[version.name][0])
            if direction
            else sorted(oldest, key=lambda version: values[version.name][0])
        ),
        *(version for version in newest if version not in has),
    ]


@given(
    text=st.just("") | _FILTERS,
    order_by=_ORDERS,
    model=st.sampled_from(["-", *MODELS]),
    size=st.integers(5, 60),
    few=st.sampled_from([0, 3, pages.MAX_SORTED_ROWS]),
)
def test_a_list_equals_a_scan_of_all_versions(
    catalogue: Catalogue, text: str, order_by: str, model: str, size: int, few: int
) -> None:
    """``few`` decides which index is read."""
    expression = syntax.parse(text)
    matching = [
        version
        for version in catalogue.versions
        if (model == "-" or version.name.startswith(f"{NAMESPACE}/models/{model}/"))
        and (expression is None or evaluate(expression, version))
    ]
    expected = [version.name for version in _sorted(matching, order_by)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "MAX_SORTED_ROWS", few)
        assert catalogue.list(f"{NAMESPACE}/models/{model}", text, order_by, size) == expected
