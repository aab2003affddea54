"""What ``NAME=VALUE`` means on the command line."""

import pytest
import typer

from modelyard.cli import values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0.1", 0.1),
        ("1e-3", 1e-3),
        (".5", 0.5),
        ("5.", 5.0),
        ("2.0", 2.0),
        ("true", True),
        ("False", False),
        ("'3'", "3"),
        ('"true"', "true"),
        ("''", ""),
        ("", ""),
        ("'", "'"),
        ("'3", "'3"),
        ("adam", "adam"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("infinity", "infinity"),
        ("٣", "٣"),
        ("a=b", "a=b"),
    ],
)
def test_a_parameter_keeps_the_type_that_it_is_written_in(text: str, value: object) -> None:
    read = values.param(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "9" * 10_000, "1e999"])
def test_a_number_that_has_no_room_is_refused_not_rounded(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        values.pairs([f"n={text}"], "--param", values.param)


@pytest.mark.parametrize("text", ["", "high", "0x10"])
def test_a_metric_is_a_number(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="a number is needed"):
        values.pairs([f"auc={text}"], "--metric", values.metric)


@pytest.mark.parametrize("text", ["auc", "=3", "", "="])
def test_an_invalid_pair_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        values.pairs([text], "--metric", values.metric)


def test_a_value_may_hold_equal_signs() -> None:
    assert values.pairs(["train=s3://b/x?a=b"], "--dataset", str) == {"train": "s3://b/x?a=b"}


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="given twice"):
        values.pairs(["a=1", "a=2"], "--param", values.param)
