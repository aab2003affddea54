"""Measures queries to a large registry: against MLflow where it can do the same, and against ourselves as the
number of versions grows a hundredfold.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import metadata, population
from benchmarks.report import Row

ALL: Final = "default/-"
_MEMORY: Final = 300 << 20


def _page(text: str = "", order_by: str = "", number: int = 1) -> str:
    """50 versions: which ones, in which order."""
    return f"list|{text}|{order_by}|{number}"


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a model or, in lists and searches, about all models."""

    name: str
    place: str
    action: str
    peer: str = ""
    """What MLflow's client does instead; empty where it can't do it."""


QUESTIONS: Final = (
    Question("resolve an alias", population.MODEL, "resolve", "resolve"),
    Question("get a version", population.MODEL, "get", "get"),
    Question("first page of a model", population.MODEL, _page(), f"list|name = '{population.MODEL}'|1"),
    Question("first page of all models", ALL, _page(), "list||1"),
    Question("hundredth page of all models", ALL, _page(number=100), "list||100"),
    Question("versions with a label", ALL, _page("labels.team = team-7"), "list|tag.team = 'team-7'|1"),
    Question("versions by a param", ALL, _page("params.depth = 7")),
    Question("versions by a metric", ALL, _page("metrics.auc > 0.95")),
    Question("versions by an author", ALL, _page("created_by = user-7")),
    Question("versions of a day", ALL, _page("create_time > 2023-11-17 AND create_time < 2023-11-18")),
    Question("the best by a metric", ALL, _page(order_by="metrics.auc desc")),
    Question("the best with a label", ALL, _page("labels.team = team-7", "metrics.auc desc")),
    Question("what is in production", ALL, _page("alias:production")),
    Question("models by words", ALL, "search|model 0000", "search|name ILIKE '%model-0000%'"),
    Question("history of an alias", population.MODEL, "history"),
    Question("an alias at a time", population.MODEL, "alias then"),
    # Last: they change what the others read.
    Question("set an alias", population.MODEL, "set alias", "set alias"),
    Question("create a version", population.MODEL, "create", "create"),
)


def run(versions: int = 1_000_000) -> Iterator[Row]:
    yield from _against_mlflow(versions // 10)
    yield from _against_growth(versions // 100, versions)


def _size(versions: int) -> dict[str, int]:
    """A thousand models, or as many as can have a hundred versions each: enough for a full page of either."""
    return {"models": min(1000, versions // 100), "versions": versions, "busy": 0}


def _against_mlflow(versions: int) -> Iterator[Row]:
    asked = [question for question in QUESTIONS if question.peer]
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        with metadata.modelyard(Path(folder), _size(versions)) as system:
            ours = [system.measure(question.action, question.place) for question in asked]
        with metadata.mlflow(Path(folder), _size(versions)) as system:
            theirs = [system.measure(question.peer, question.place) for question in asked]
    for question, here, there in zip(asked, ours, theirs, strict=True):
        name = f"{question.name}, {versions:,} versions: p50"
        ratio = there.p50 / here.p50
        yield Row(name, f"{here.p50 * 1000:.2f} ms", f"mlflow {there.p50 * 1000:.1f} ms", ratio, 10)


def _against_growth(few: int, many: int) -> Iterator[Row]:
    """Databases of two sizes, asked in turns: what disturbs one disturbs the other."""
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder, ExitStack() as stack:
        systems = []
        for versions in (few, many):
            place = Path(folder) / str(versions)
            place.mkdir()
            systems.append(stack.enter_context(metadata.modelyard(place, _size(versions))))
        for question in QUESTIONS:
            small, large = (system.measure(question.action, question.place) for system in systems)
            name = f"{question.name}, {many:,} versions: p95 (p50)"
            yield Row(name, _shown(large), f"{few:,} {_shown(small)}", small.p95 / large.p95, 1 / 1.5)
        memory = systems[-1].process.memory_info().rss
    yield Row(f"memory of the server, {many:,} versions", f"{memory >> 20} MiB", "300 MiB", _MEMORY / memory, 1)


def _shown(rate: metadata.Rate) -> str:
    return f"{rate.p95 * 1000:.2f} ({rate.p50 * 1000:.2f}) ms"
