"""What may be called what."""

import pytest

from modelyard.core.names import (
    AliasName,
    ModelName,
    NamespaceName,
    UploadName,
    VersionName,
    check_alias,
    check_id,
    parse_version_or_alias,
)
from modelyard.core.references import Reference, Selector


@pytest.mark.parametrize("value", ["a", "0", "fraud", "bert-base.v2_x", "x" * 63])
def test_legal_ids(value: str) -> None:
    assert check_id(value, "model") == value


@pytest.mark.parametrize("value", ["", "A", "-a", "a-", "a--b", "a..b", "a/b", "a b", "x" * 64, "\u0430", "a\n", ".."])
def test_illegal_ids_are_told_the_rule(value: str) -> None:
    with pytest.raises(ValueError, match="Use lower-case letters"):
        check_id(value, "model")


@pytest.mark.parametrize("value", ["latest", "main", "v1", "v123", "1", "-a", "A", "", "a.b", "a" * 64, "a\n"])
def test_illegal_aliases(value: str) -> None:
    with pytest.raises(ValueError, match="Invalid alias"):
        check_alias(value)


def test_names_parse_to_what_they_print() -> None:
    model = ModelName("team", "fraud")
    for name in (
        NamespaceName("team"),
        model,
        VersionName(model, 7),
        AliasName(model, "production"),
        UploadName("team", "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10"),
    ):
        assert type(name).parse(str(name)) == name


@pytest.mark.parametrize("last", ["0", "01", "-1", "1e3", "9" * 19, "٣"])
def test_version_numbers_have_one_spelling(last: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid version number|Invalid alias"):
        parse_version_or_alias(f"namespaces/team/models/fraud/versions/{last}")


@pytest.mark.parametrize(
    ("text", "selector", "value", "canonical"),
    [
        ("team/fraud", Selector.DEFAULT, "", "team/fraud"),
        ("fraud", Selector.DEFAULT, "", "default/fraud"),
        ("team/fraud@7", Selector.NUMBER, "7", "team/fraud@7"),
        ("team/fraud@latest", Selector.LATEST, "", "team/fraud@latest"),
        ("team/fraud@production", Selector.ALIAS, "production", "team/fraud@production"),
        ("f@sha256:" + "a" * 64, Selector.DIGEST, "sha256:" + "a" * 64, "default/f@sha256:" + "a" * 64),
    ],
)
def test_references(text: str, selector: Selector, value: str, canonical: str) -> None:
    reference = Reference.parse(text)

    assert (reference.selector, reference.value, str(reference)) == (selector, value, canonical)
    assert reference.pinned == (selector in {Selector.NUMBER, Selector.DIGEST})


@pytest.mark.parametrize(
    "text", ["", "@7", "a/b/c", "team/", "/fraud", "fraud@", "fraud@0", "fraud@v3", "f@sha256:x", "f@1@2"]
)
def test_what_is_no_reference_says_so(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"Invalid reference .* Use NAMESPACE/MODEL@VERSION, for example team/fraud@7\."
    ):
        Reference.parse(text)
