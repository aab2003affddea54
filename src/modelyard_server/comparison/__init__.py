"""Compares two versions: facts, packages, files."""

from typing import Final

from modelyard_server.capability import Capability, Parts, Running
from modelyard_server.comparison.service import Comparer
from modelyard_server.comparison.servicer import ComparisonServicer


def _build(parts: Parts) -> Running:
    return Running(servicers=[ComparisonServicer(Comparer(parts.database), parts.limits)])


CAPABILITY: Final = Capability(name="comparison", build=_build)
