"""Checks evaluations, and the values that index them, against the log."""

from enum import StrEnum

from modelyard_server.checking.look import Look
from modelyard_server.evaluations import inventory
from modelyard_server.log.checks import compare


class Kind(StrEnum):
    """Kinds of faults of evaluations."""

    DATASET_WRONG = "DATASET_WRONG"


async def check(look: Look) -> None:
    async for evaluation in look.each("evaluations", inventory.EVALUATIONS):
        compare(look, evaluation.name, evaluation.logged)
        if evaluation.found_as != evaluation.dataset:
            text = f"is of the data set {evaluation.dataset}, and is found as one of {evaluation.found_as}"
            look.fault(Kind.DATASET_WRONG, evaluation.name, text)
