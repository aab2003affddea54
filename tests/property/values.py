"""Values that the contract allows, and some that nobody should send."""

from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from modelyard.core.facts import (
    Dataset,
    DatasetRole,
    Direction,
    Environment,
    Facts,
    Fingerprint,
    Framework,
    Param,
    Parent,
    Relation,
    Run,
    Signature,
    Source,
)
from modelyard.core.limits import MAX_BLOB_BYTES
from modelyard.core.manifest import File, check_path
from modelyard.core.names import AliasName, ModelName, NamespaceName, UploadName, VersionName

_INT64: Final = 2**63

ids = st.from_regex(r"[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,3}", fullmatch=True)
aliases = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True).filter(
    lambda alias: alias not in {"latest", "main"} and not (alias[0] == "v" and alias[1:].isdigit())
)
numbers = st.integers(1, 10**18 - 1)
digests = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
model_names = st.builds(ModelName, ids, ids)
names = st.one_of(
    st.builds(NamespaceName, ids),
    model_names,
    st.builds(VersionName, model_names, numbers),
    st.builds(AliasName, model_names, aliases),
    st.builds(UploadName, ids, st.uuids().map(str)),
)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
"""Any value that a message of the contract can hold."""
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def _is_path(text: str) -> bool:
    try:
        check_path(text)
    except ValueError:
        return False
    return True


paths = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(_is_path) | st.from_regex(
    r"[a-z]{1,5}(/[a-z]{1,5}){0,3}\.bin", fullmatch=True
)
files = st.builds(File, paths, st.integers(0, MAX_BLOB_BYTES), digests)
manifests = st.lists(files, max_size=12, unique_by=lambda file: file.path)

_floats = st.floats(allow_nan=False, allow_infinity=False)
_maps = st.dictionaries(texts, texts, max_size=3)
params: st.SearchStrategy[Param] = texts | st.booleans() | st.integers(-_INT64, _INT64 - 1) | _floats
# A Struct knows doubles only, and a whole number comes back as an int.
_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | texts | st.integers(-(2**53) + 1, 2**53 - 1) | _floats.filter(lambda x: x % 1 != 0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
_schemas = st.dictionaries(texts, _json, max_size=3)
facts = st.builds(
    Facts,
    params=st.dictionaries(texts, params, max_size=4),
    metrics=st.dictionaries(texts, _floats, max_size=4),
    directions=st.dictionaries(texts, st.sampled_from(Direction), max_size=2),
    datasets=st.lists(
        st.builds(
            Dataset,
            name=texts,
            uri=texts,
            digest=texts,
            role=st.sampled_from(DatasetRole),
            rows=st.none() | st.integers(0, _INT64 - 1),
            fingerprint=st.none() | st.sampled_from(Fingerprint),
        ),
        max_size=2,
    ).map(tuple),
    source=st.none()
    | st.builds(
        Source,
        repository=texts,
        commit=texts,
        branch=texts,
        dirty=st.booleans(),
        diff_digest=texts,
        entry_point=texts,
        arguments=st.lists(texts, max_size=3).map(tuple),
    ),
    environment=st.none()
    | st.builds(Environment, python=texts, os=texts, packages=_maps, hardware=_maps, image=texts, job=_maps),
    framework=st.none() | st.builds(Framework, name=texts, version=texts),
    format=texts,
    signature=st.none() | st.builds(Signature, inputs=st.none() | _schemas, outputs=st.none() | _schemas),
    parents=st.lists(
        st.builds(
            Parent,
            version=st.builds(VersionName, model_names, numbers).map(str),
            relation=st.sampled_from(Relation),
            manifest_digest=st.just("") | digests,
        ),
        max_size=2,
    ).map(tuple),
    run=st.none() | st.builds(Run, id=texts, tracker=texts, url=texts),
)
