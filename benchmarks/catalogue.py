"""Measures lists that are searched and sorted: against MLflow where it can do the same, and against ourselves as the
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
_PEER_VERSIONS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Question:
    """A page of 50 versions: of which place, which ones, in which order."""

    name: str
    place: str
    filter: str = ""
    order_by: str = ""
    deep: bool = False
    """The hundredth page instead of the first."""
    peer: str = ""
    """What MLflow is asked instead; empty where it can't be asked."""

    @property
    def action(self) -> str:
        return "|".join(("list", self.filter, self.order_by, "deep" if self.deep else ""))


QUESTIONS: Final = (
    Question("first page of a model", population.MODEL, peer=f"name = '{population.MODEL}'"),
    Question("first page of all models", ALL),
    Question("hundredth page of all models", ALL, deep=True),
    Question("versions with a label", ALL, "labels.team = team-7", peer="tag.team = 'team-7'"),
    Question("versions by a param", ALL, "params.depth = 7"),
    Question("versions by a metric", ALL, "metrics.auc > 0.95"),
    Question("versions by an author", ALL, "created_by = user-7"),
    Question("versions of a time", ALL, "create_time > 2026-02-02T02:40:00Z AND create_time < now"),
    Question("the best by a metric", ALL, order_by="metrics.auc desc"),
    Question("the best with a label", ALL, "labels.team = team-7", "metrics.auc desc"),
    Question("what is in production", ALL, "alias:production"),
)


def run(versions: int = 1_000_000) -> Iterator[Row]:
    yield from _against_mlflow()
    yield from _against_growth(versions)


def _against_mlflow() -> Iterator[Row]:
    size = {"models": 1000, "versions": _PEER_VERSIONS, "busy": 0}
    asked = [question for question in QUESTIONS if question.peer]
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
        with metadata.modelyard(Path(folder), size) as system:
            ours = [system.measure(question.action, question.place, 1) for question in asked]
        with metadata.mlflow(Path(folder), size) as system:
            theirs = [system.measure(f"search|{question.peer}", "", 1) for question in asked]
    for question, here, there in zip(asked, ours, theirs, strict=True):
        ratio = there.p50 / here.p50
        other = f"mlflow {there.p50 * 1000:.1f} ms"
        yield Row(f"{question.name}, 100k versions: p50", f"{here.p50 * 1000:.2f} ms", other, ratio, 10)


def _against_growth(versions: int) -> Iterator[Row]:
    """Tables of 10k versions and of many more, asked in turns: what disturbs one disturbs the other."""
    small = {"models": 10, "versions": 10_000, "busy": 0}
    large = {"models": versions // 1000, "versions": versions, "busy": 0}
    with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder, ExitStack() as stack:
        systems = []
        for name, size in (("small", small), ("large", large)):
            place = Path(folder) / name
            place.mkdir()
            systems.append(stack.enter_context(metadata.modelyard(place, size)))
        for question in QUESTIONS:
            few, many = (
                system.measure(question.action, _within(question, size), 1)
                for system, size in zip(systems, (small, large), strict=True)
            )
            other = f"10k {few.p95 * 1000:.2f} ms"
            name = f"{question.name}, {versions:,} versions: p95"
            yield Row(name, f"{many.p95 * 1000:.2f} ms", other, few.p95 / many.p95, 1 / 1.5)


def _within(question: Question, size: dict[str, int]) -> str:
    return question.place if question.place == ALL or size["models"] > 7 else "model-00000"
