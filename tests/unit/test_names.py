"""What may be called what."""

import re

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
def test_an_illegal_id_is_refused_with_the_rule(value: str) -> None:
    with pytest.raises(ValueError, match="Use lower-case letters"):
        check_id(value, "model")


@pytest.mark.parametrize("value", ["latest", "main", "v1", "v123", "1", "-a", "A", "", "a.b", "a" * 64, "a\n"])
def test_illegal_aliases(value: str) -> None:
    with pytest.raises(ValueError, match="Invalid alias"):
        check_alias(value)


def test_a_printed_name_parses_to_the_same_name() -> None:
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
        ("namespaces/team/models/fraud", Selector.DEFAULT, "", "team/fraud"),
        ("namespaces/team/models/fraud/versions/7", Selector.NUMBER, "7", "team/fraud@7"),
        ("namespaces/team/models/fraud/aliases/production", Selector.ALIAS, "production", "team/fraud@production"),
        ("f@sha256:" + "a" * 64, Selector.DIGEST, "sha256:" + "a" * 64, "default/f@sha256:" + "a" * 64),
    ],
)
def test_references(text: str, selector: Selector, value: str, canonical: str) -> None:
    reference = Reference.parse(text)

    assert (reference.selector, reference.value, str(reference)) == (selector, value, canonical)
    assert reference.pinned == (selector in {Selector.NUMBER, Selector.DIGEST})


NO_NAMES = (
    "namespaces/team/models/fraud/versions/0",
    "namespaces/team/models/fraud/versions/production",
    "namespaces/team/models/fraud@7",
    "team/models/fraud",
    "namespaces/team/models/fraud/aliases/7",
    "namespaces/team/models/fraud/versions/7/evaluations/1",
)


@pytest.mark.parametrize(
    "text", ["", "@7", "a/b/c", "team/", "/fraud", "fraud@", "fraud@0", "fraud@v3", "f@sha256:x", "f@1@2", *NO_NAMES]
)
def test_what_is_no_reference_says_so(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"Invalid reference .* Use NAMESPACE/MODEL@VERSION, for example team/fraud@7\."
    ):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(("fraud:3", "fraud@3"), ("team/fraud:production", "team/fraud@production"), ("fraud==3", "fraud@3")),
        *(("fraud@v3", "fraud@3"), ("team/fraud/3", "team/fraud@3"), ("team/fraud/versions/3", "team/fraud@3")),
        *(("models:/fraud/3", "fraud@3"), ("models:/fraud@champion", "fraud@champion"), ("fraud#3", "fraud@3")),
        *(("Team/Fraud@3", "team/fraud@3"), ("My Model", "my-model"), (" fraud@3 ", "fraud@3")),
    ],
)
def test_a_reference_of_another_form_is_answered_with_the_right_one(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"for example team/fraud@7. Did you mean {meant}?")):
        Reference.parse(text)


def test_a_digest_that_was_cut_is_answered_with_its_rule() -> None:
    with pytest.raises(ValueError, match="64") as error:
        Reference.parse("me/linreg@sha256:3ad146713129")
    assert "Did you mean" not in str(error.value)


@pytest.mark.parametrize("text", ["", "@", "::::", "\u202efraud", "a" * 100_000, "=" * 100_000])
def test_nothing_is_suggested_for_what_means_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid reference") as error:
        Reference.parse(text)
    assert "Did you mean" not in str(error.value) or len(str(error.value)) < 500
