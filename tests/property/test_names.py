"""Names, references and paths: a printed name parses to the same value. Any other text is refused with a message."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.property.values import aliases, digests, ids, model_names, names, numbers, paths

from modelyard.core.manifest import check_digest, check_distinct, check_path
from modelyard.core.names import (
    AliasName,
    ModelName,
    NamespaceName,
    UploadName,
    VersionName,
    check_alias,
    check_id,
    parse_number,
    parse_version_or_alias,
)
from modelyard.core.references import Reference, Selector

_PARSERS: list[Callable[[str], object]] = [
    NamespaceName.parse,
    ModelName.parse,
    VersionName.parse,
    AliasName.parse,
    UploadName.parse,
    Reference.parse,
    parse_version_or_alias,
    parse_number,
    check_alias,
    check_digest,
    check_path,
    lambda text: check_id(text, "model"),
    lambda text: check_distinct([text, text.upper(), text + "/x"]),
]
_PIECES = st.sampled_from(
    ["namespaces", "models", "versions", "aliases", "uploads", "/", "@", "..", "sha256:", "latest", "v1", "7", "\x00"]
)
_ALMOST = st.lists(_PIECES | ids | st.text(max_size=3), max_size=12).map("".join)


@given(name=names)
def test_a_printed_name_parses_to_the_same_name(
    name: NamespaceName | ModelName | VersionName | AliasName | UploadName,
) -> None:
    assert type(name).parse(str(name)) == name


_SELECTED = st.one_of(
    st.tuples(st.just(Selector.NUMBER), numbers.map(str)),
    st.tuples(st.just(Selector.ALIAS), aliases),
    st.tuples(st.just(Selector.DIGEST), digests),
    st.tuples(st.sampled_from([Selector.LATEST, Selector.DEFAULT]), st.just("")),
)


@given(model=model_names, selected=_SELECTED)
def test_a_printed_reference_parses_to_the_same_reference(model: ModelName, selected: tuple[Selector, str]) -> None:
    reference = Reference(model, *selected)

    assert Reference.parse(str(reference)) == reference
    assert reference.pinned == (reference.selector in {Selector.NUMBER, Selector.DIGEST})


def _refusal(parse: Callable[[str], object], text: str) -> ValueError | None:
    try:
        parse(text)
    except ValueError as error:
        return error
    return None


@pytest.mark.parametrize("parse", _PARSERS)
@given(text=_ALMOST | st.text(max_size=300))
@example(text="\ud800")
@example(text="٣")
@example(text="namespaces/a/models/b/versions/" + "9" * 5000)
def test_other_texts_are_refused_with_a_message(parse: Callable[[str], object], text: str) -> None:
    told = _refusal(parse, text)

    if told is not None:
        assert type(told) is ValueError
        assert 0 < len(str(told).encode()) < 1000


@given(text=st.text(max_size=40))
def test_each_name_has_one_spelling(text: str) -> None:
    try:
        name = ModelName.parse(f"namespaces/default/models/{text}")
    except ValueError:
        return
    assert str(name) == f"namespaces/default/models/{text}"
    assert text == text.strip().lower()
    assert text.isascii()


@given(path=paths)
def test_a_path_that_is_accepted_stays_in_its_folder(path: str) -> None:
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not set(path) & set('\\"\x00')
    assert not re.match("[A-Za-z]:", path)
