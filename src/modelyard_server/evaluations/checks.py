"""Checks evaluations against the log."""

from modelyard_server.checking.look import Look
from modelyard_server.evaluations import inventory
from modelyard_server.log.checks import compare


async def check(look: Look) -> None:
    async for evaluation in look.each("evaluations", inventory.EVALUATIONS):
        compare(look, evaluation.name, evaluation.logged)
