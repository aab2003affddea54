"""Checks deployments against the log."""

from modelyard_server.checking.look import Look
from modelyard_server.deployments import inventory
from modelyard_server.log.checks import compare


async def check(look: Look) -> None:
    async for deployment in look.each("deployments", inventory.DEPLOYMENTS):
        compare(look, deployment.name, deployment.logged)
