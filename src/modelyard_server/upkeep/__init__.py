"""Upkeep: `fsck`, which runs the checks of all capabilities, and the sweeper, which runs their sweeps."""

from typing import Final

from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.log.changes import Mutations
from modelyard_server.upkeep.sweeps import ForgetRequests


def _build(parts: Parts) -> Running:
    mutations = Mutations(parts.database, parts.clock, parts.limits)
    return Running(sweeps=[Sweep("requests", ForgetRequests(mutations))])


CAPABILITY: Final = Capability(name="upkeep", build=_build)
