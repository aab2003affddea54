"""A field mask changes what it names and nothing else, or is refused."""

from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st
from tests.property.values import texts

from modelyard.core.names import ModelName
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import masks
from modelyard_server.calls.errors import InvalidArgument
from modelyard_server.registry.models.values import Model

_TEXTS = ("display_name", "description", "owner")
_MAPS = ("labels", "annotations")
_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_KEYS = st.sampled_from(["a", "b", "team", "a.b", "x y", "`"])
_maps = st.dictionaries(_KEYS, texts, max_size=3)
_given = st.fixed_dictionaries({**dict.fromkeys(_TEXTS, texts), **dict.fromkeys(_MAPS, _maps)})


def _model(**fields: object) -> Model:
    name = ModelName("default", "fraud")
    return Model(uid="u", create_time=_NOW, update_time=_NOW, name=name, **fields)  # type: ignore[arg-type]  # of _given


@given(before=_given, sent=_given, paths=st.sets(st.sampled_from((*_TEXTS, *_MAPS))))
def test_named_fields_change_and_no_others(before: dict[str, object], sent: dict[str, object], paths: set[str]) -> None:
    current = _model(**before)
    patch = masks.parse("model", pb.Model(**sent), FieldMask(paths=paths))  # type: ignore[arg-type]  # of _given

    changed = replace(current, **patch.values(current))

    # Without a path, all fields that are set change.
    named = paths or {name for name, value in sent.items() if value}
    assert changed == _model(**{**before, **{name: sent[name] for name in named}})


@given(before=_given, sent=_given)
def test_a_star_replaces_all(before: dict[str, object], sent: dict[str, object]) -> None:
    current = _model(**before)
    patch = masks.parse("model", pb.Model(**sent), FieldMask(paths=["*"]))  # type: ignore[arg-type]  # of _given

    assert replace(current, **patch.values(current)) == _model(**sent)


@given(before=_maps, sent=_maps, keys=st.sets(st.sampled_from(["a", "b", "team"]), min_size=1))
def test_single_entries_of_a_map_are_set_and_removed(
    before: dict[str, str], sent: dict[str, str], keys: set[str]
) -> None:
    current = _model(labels=before)
    patch = masks.parse("model", pb.Model(labels=sent), FieldMask(paths=[f"labels.{key}" for key in keys]))

    expected = {key: value for key, value in before.items() if key not in keys}
    expected |= {key: value for key, value in sent.items() if key in keys}
    assert replace(current, **patch.values(current)) == _model(labels=expected)


@given(sent=_given, paths=st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5))
def test_any_other_path_is_refused(sent: dict[str, object], paths: list[str]) -> None:
    refused = None
    try:
        masks.parse("model", pb.Model(**sent), FieldMask(paths=paths))  # type: ignore[arg-type]  # of _given
    except InvalidArgument as error:
        refused = error

    assert refused is None or {violation.field for violation in refused.violations} == {"update_mask"}
