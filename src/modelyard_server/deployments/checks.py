"""Checks deployments against the log, and where lists find them."""

from enum import StrEnum

from modelyard_server.checking.look import Look
from modelyard_server.deployments import inventory
from modelyard_server.log.checks import compare


class Kind(StrEnum):
    """Kinds of faults of deployments."""

    DEPLOYMENT_MISPLACED = "DEPLOYMENT_MISPLACED"


async def check(look: Look) -> None:
    async for deployment in look.each("deployments", inventory.DEPLOYMENTS):
        compare(look, deployment.name, deployment.logged)
        if deployment.misplaced:
            text = "is listed in another namespace than that of its model"
            look.fault(Kind.DEPLOYMENT_MISPLACED, deployment.name, text)
