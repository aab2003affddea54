"""What people see: everything that is known, and nothing that acts on their terminal."""

import io
import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console, RenderableType
from tests.cli.records import ALIAS, CREATED, DELIVERY, DEPLOYMENT, HOSTILE, MODEL, NAMESPACE, ROLLOUT, VERSION

from modelyard.cli import render, render_consumers
from modelyard.cli.text import age, escape, escape_lines
from modelyard.core.facts import Environment, Source
from modelyard.types import Comparison, DeliveryState, NotCompared, Section


def shown(page: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, force_terminal=False, width=10_000).print(page)
    return out.getvalue()


@pytest.mark.parametrize(
    "page",
    [
        render.namespaces([NAMESPACE]),
        render.models([MODEL]),
        render.versions([VERSION]),
        render.model_page(MODEL, [ALIAS]),
        render.version_page(VERSION, served_by=[DEPLOYMENT]),
        render_consumers.deployments([DEPLOYMENT]),
        render_consumers.rollout(ROLLOUT),
        render_consumers.deliveries([DELIVERY]),
    ],
    ids=["namespaces", "models", "versions", "model", "version", "deployments", "rollout", "deliveries"],
)
def test_stored_text_is_shown_as_text(page: RenderableType) -> None:
    text = shown(page)
    invisible = {character for character in text if unicodedata.category(character)[0] == "C"} - {"\n"}
    assert not invisible
    if "evil" in text:
        assert r"[red]\x1b[31mevil\u202e\u200b" in text


def test_a_version_is_shown_down_to_its_files_and_origin() -> None:
    text = shown(render.version_page(VERSION))
    for fact in (
        *("team/fraud@3", VERSION.digest, "candidate, production", "1.5 MB in 1 file", "torch 2.9", "safetensors"),
        *("0.93", str(2**62), "false", "s3://b/train", "team/fraud@1", "FINE_TUNED_FROM", "mlflow"),
        *(f"{'c' * 40} + changes", "listed by --output json", "model.bin", "a" * 64),
        *("2026-03-01T12:30:15Z by me", "can be restored until 2026-03-31"),
    ):
        assert fact in text


def test_what_differs_beyond_the_list_is_counted() -> None:
    text = shown(render_consumers.rollout(ROLLOUT))
    for fact in ("is version 3: 1 of 3 serve it", "OTHER", "and 1 more"):
        assert fact in text


def test_a_pending_delivery_shows_its_next_attempt() -> None:
    assert "2026-03-01T12:34:15Z" in shown(render_consumers.deliveries([DELIVERY]))
    assert "in its turn" in shown(render_consumers.deliveries([replace(DELIVERY, next_attempt_time=None)]))
    assert "in its turn" not in shown(
        render_consumers.deliveries([replace(DELIVERY, state=DeliveryState.DELIVERED, next_attempt_time=None)])
    )


def test_what_was_not_collected_is_shown_with_the_reason() -> None:
    source = Source(commit="c" * 40, dirty=True, not_collected={"dirty": "no git", "entry_point": HOSTILE})
    version = replace(VERSION, source=source, environment=Environment(not_collected={"packages": "too late"}))
    text = shown(render.version_page(version))
    for fact in (f"{'c' * 40}, changes not checked", "not collected: no git", "not collected: too late"):
        assert fact in text
    assert "\x1b" not in text
    compared = Comparison(
        base=version,
        other=VERSION,
        differences=(),
        not_compared=(NotCompared(section=Section.PACKAGES, name="packages", before="too late", after=""),),
        shared_bytes=0,
        removed_bytes=0,
        added_bytes=0,
        truncated=False,
    )
    text = shown(render.comparison(compared))
    assert "packages  not collected: too late  collected" in text
    assert "alike" not in text


def test_what_is_empty_is_left_out() -> None:
    text = shown(render.model_page(MODEL, []))
    for absent in ("ANNOTATIONS", "ALIASES", "deleted"):
        assert absent not in text


def test_a_row_has_three_metrics_at_most() -> None:
    many = replace(VERSION, metrics=dict.fromkeys("edcba", 1.0))
    assert "a=1  b=1  c=1  …" in shown(render.versions([many]))


@pytest.mark.parametrize(
    ("passed", "told"),
    [(0, "now"), (-5, "now"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86_400 * 3, "3 d"), (86_400 * 800, "2 y")],
)
def test_age_is_shown_in_one_unit(passed: int, told: str) -> None:
    assert age(CREATED, CREATED + timedelta(seconds=passed)) == told


def test_escaping_keeps_letters_of_all_scripts() -> None:
    assert escape("größe 模型 👍") == "größe 模型 👍"
    assert escape(HOSTILE) == r"[red]\x1b[31mevil\u202e\u200b\n"
    assert escape_lines("one\ntwo\r\nthree\u2028\x07") == "one\ntwo\nthree\n\\x07"


def narrow(page: RenderableType, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, force_terminal=False, width=width).print(page, crop=False)
    return [line.rstrip() for line in out.getvalue().splitlines()]


BUSY = replace(
    VERSION, aliases=("candidate", "production", "shadow-eu-west"), metrics={"auc": 0.93, "validation_loss": 0.123456}
)


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize(
    "table",
    [
        render.namespaces([NAMESPACE]),
        render.models([MODEL]),
        render.versions([BUSY]),
        render_consumers.deployments([DEPLOYMENT]),
        render_consumers.deliveries([DELIVERY]),
    ],
    ids=["namespaces", "models", "versions", "deployments", "deliveries"],
)
def test_a_row_of_a_table_is_one_line_of_the_terminal(table: RenderableType, width: int) -> None:
    heading, row, *rest = narrow(table, width)
    assert all(len(line) <= width for line in (heading, row, *rest))
    assert len(rest) <= 1
    assert not rest or "not shown" in rest[0]


def test_a_narrow_table_keeps_what_matters_and_says_what_it_left_out() -> None:
    heading, row, *_ = narrow(render.versions([BUSY]), 80)
    assert heading.split() == ["VERSION", "ALIASES", "METRICS", "FILES", "SIZE", "AGE", "STATE"]
    assert row.startswith("team/fraud@3  candidate, prod…  auc=0.93")
    heading, row, told = narrow(render.versions([BUSY]), 60)
    assert heading.split() == ["VERSION", "ALIASES", "METRICS", "SIZE", "STATE"]
    assert "1.5 MB  READY" in row
    assert told == "(not shown on a terminal this narrow: FILES, AGE)"
    assert narrow(render.versions([BUSY]), 10_000)[1].count("…") == 0


def test_values_of_a_page_break_between_words_and_digests_can_be_copied() -> None:
    lines = narrow(render.version_page(replace(VERSION, source=Source(arguments=("--epochs 10",) * 20))), 80)
    assert f"digest     {VERSION.digest}" in lines
    arguments = [line for line in lines if "--epochs" in line]
    assert len(arguments) > 1
    assert all(len(line) <= 80 for line in arguments)
